// What a person says a passage is: stored by the server, to be exported and trained with.

import { ask } from "./api.js";
import { fill, make } from "./dom.js";
import { EMOTIONS, emotionOf } from "./emotions.js";
import { listenToKeys } from "./explorer.js";
import { chip } from "./passages.js";

export class Labelling {
  // `onchange` is told of a passage whose correction was made, changed or taken back.
  constructor(element, { signal, onchange }) {
    this.element = element;
    this.onchange = onchange;
    const names = Object.keys(EMOTIONS);
    const keys = Object.fromEntries(names.map((name, place) => [String(place + 1), () => this.label(name)]));
    listenToKeys({ ...keys, c: () => this.confirm(), u: () => this.undo() }, signal);
  }

  // `item`: the job, the passage's place in it, and the passage.
  show(item) {
    this.item = item;
    const { job, passage } = item;
    const { correction } = passage;
    if (job.state !== "done") {
      fill(this.element, make("p", { class: "note" }, "Labels can be corrected when all of the recording has been heard."));
      return;
    }
    const words = passage.prediction.transcript ? passage.prediction.transcript.text.trim() : "";
    this.words = make("input", { id: "words", type: "text", maxlength: "20000", autocomplete: "off" });
    this.words.value = correction?.transcript ?? words;
    this.said = make("p", { class: "note", role: "status" });
    const buttons = Object.keys(EMOTIONS).map((name, place) => make(
      "button",
      { type: "button", "aria-pressed": String(correction?.emotion === name), "aria-keyshortcuts": String(place + 1),
        onclick: () => this.label(name) },
      make("kbd", { "aria-hidden": "true" }, String(place + 1)),
      chip(name),
    ));
    fill(
      this.element,
      make("h2", {}, "What do you hear?"),
      make("div", { class: "labels", role: "group", "aria-label": "Emotions" }, ...buttons),
      make("label", { for: "words" }, "Words, if they are wrong or missing"),
      this.words,
      make("div", { class: "tools" },
        make("button", { type: "button", "aria-keyshortcuts": "c", onclick: () => this.confirm() },
          `Confirm ${emotionOf(passage)}`),
        make("button", { type: "button", "aria-keyshortcuts": "u", disabled: !correction, onclick: () => this.undo() },
          "Undo")),
      this.said,
    );
    if (correction) this.say(`Labelled ${correction.emotion} by a person; the models said ${correction.before}.`);
    else if (!job.audio_kept && !words) {
      this.say("The server does not keep audio: without words there is nothing to learn from. Type what is said.");
    }
  }

  say(text) {
    this.said.textContent = text;
  }

  confirm() {
    if (this.item) this.label(emotionOf(this.item.passage));
  }

  async label(emotion) {
    if (!this.item || this.item.job.state !== "done") return;
    const { job, place, passage } = this.item;
    const before = passage.prediction.transcript ? passage.prediction.transcript.text.trim() : "";
    const words = this.words.value.trim();
    if (!job.audio_kept && !words) {
      this.say("Type what is said first: the server does not keep audio, so that words are all there is to learn from.");
      this.words.focus();
      return;
    }
    const json = { job: job.id, passage: place, emotion, ...(words === before ? {} : { transcript: words }) };
    await this.change(async () => {
      passage.correction = await (await ask("POST", "/v1/corrections", { json })).json();
    });
  }

  async undo() {
    if (!this.item?.passage.correction) return;
    const { job, place, passage } = this.item;
    await this.change(async () => {
      await ask("DELETE", `/v1/corrections/${job.id}/${place}`);
      delete passage.correction;
    });
  }

  async change(work) {
    const { item } = this;
    try {
      await work();
    } catch (error) {
      this.say(error.message);
      return;
    }
    const focused = this.element.contains(document.activeElement);
    if (this.item === item) this.show(item);
    if (focused) this.element.querySelector('[aria-pressed="true"], button')?.focus();
    this.onchange(item);
  }
}

// Give passages the corrections that were made to them.
export function withCorrections(passages, corrections) {
  for (const correction of corrections) {
    if (passages[correction.passage]) passages[correction.passage].correction = correction;
  }
  return passages;
}
