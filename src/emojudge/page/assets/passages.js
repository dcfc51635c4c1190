// The passages of a timeline as text: a list to go through, one looked at closely, and a summary by speaker.

import { ATTRIBUTES, EMOTIONS, clock, conflict, doubts, emotionOf, percent, scoresOf } from "./emotions.js";
import { fill, make, table } from "./dom.js";

// The emotion's name on its colour.
export function chip(name) {
  const element = make("span", { class: "chip" }, name);
  element.style.backgroundColor = EMOTIONS[name].colour;
  element.style.color = EMOTIONS[name].ink;
  return element;
}

export function wordsOf(passage) {
  if (passage.correction && passage.correction.transcript) return passage.correction.transcript;
  return passage.prediction.transcript ? passage.prediction.transcript.text : "";
}

// A button for each passage.
export class PassageList {
  constructor(element, passages, onpick) {
    this.passages = passages;
    this.buttons = passages.map((passage, index) => {
      const doubtful = doubts(passage).length > 0;
      const verdict = passage.prediction.verdict;
      const change = verdict && verdict.changed ? `judge: ${verdict.before} → ${verdict.emotion}` : null;
      return make(
        "button",
        { type: "button", class: doubtful ? "passage doubtful" : "passage", onclick: () => onpick(index) },
        make("span", { class: "when" }, clock(passage.start, 1)),
        chip(emotionOf(passage)),
        passage.speaker ? make("span", { class: "who" }, passage.speaker) : null,
        make("span", { class: "words" }, wordsOf(passage) || "(no words)"),
        change ? make("span", { class: "mark" }, change) : null,
        doubtful ? make("span", { class: "mark" }, "doubtful") : null,
        passage.correction ? make("span", { class: "mark" }, "labelled by a person") : null,
      );
    });
    element.replaceChildren(...this.buttons.map((button) => make("li", {}, button)));
  }

  // Show a passage as it is now.
  renew(index) {
    const [fresh] = new PassageList(make("ol"), [this.passages[index]]).buttons;
    this.buttons[index].className = fresh.className;
    this.buttons[index].replaceChildren(...fresh.childNodes);
  }

  // Mark the one looked at; `follow` brings it into the list's own view.
  select(index, follow) {
    if (this.current !== undefined) this.buttons[this.current].removeAttribute("aria-current");
    this.current = index;
    const button = this.buttons[index];
    button.setAttribute("aria-current", "true");
    const box = button.closest("ol");
    if (follow && box.scrollHeight > box.clientHeight) {
      box.scrollTop = button.offsetTop - box.offsetTop - box.clientHeight / 3;
    }
  }

  // The passage at this time, or the last one before it.
  at(time) {
    let found = -1;
    this.passages.forEach((passage, index) => {
      if (passage.start <= time + 0.0005) found = index;
    });
    return found;
  }
}

// All that is known of one passage.
export function details(element, passage) {
  const { prediction } = passage;
  const verdict = prediction.verdict;
  const who = passage.speaker ? ` · ${passage.speaker}` : "";
  const emotion = emotionOf(passage);
  const opinions = [
    ["voice", prediction.audio],
    ["words", prediction.text],
    ["fused", prediction],
    ["judged", verdict],
  ].filter(([, opinion]) => opinion);
  const header = opinions.map(([name]) => name);
  const scores = Object.keys(EMOTIONS).map((name) => [
    chip(name),
    ...opinions.map(([, opinion]) => bar(opinion.scores[name])),
  ]);
  const attributes = Object.entries(ATTRIBUTES).map(([name, { ends }]) => [
    `${name} (${ends})`,
    ...opinions.map(([, { attributes }]) => (attributes ? attributes[name].toFixed(1) : "–")),
  ]);
  const reasons = [...doubts(passage), conflict(passage), ...prediction.notes].filter(Boolean);
  fill(
    element,
    make("h2", {}, `${clock(passage.start, 1)} – ${clock(passage.end, 1)}${who}`),
    make("p", { class: "shown" }, chip(emotion),
      ` ${passage.correction ? "labelled by a person; the models' score" : "score"} ${percent(scoresOf(passage)[emotion])}`),
    wordsOf(passage) ? make("blockquote", {}, wordsOf(passage)) : make("p", { class: "note" }, "No words."),
    verdict ? judged(verdict) : null,
    table("Scores", ["emotion", ...header], scores),
    table("Attributes", ["attribute", ...header], attributes),
    reasons.length ? make("h3", {}, "What to know") : null,
    reasons.length ? make("ul", {}, ...reasons.map((reason) => make("li", {}, reason))) : null,
  );
}

const STATUS = {
  changed: "The judge changed it",
  confirmed: "The judge confirmed it",
  abstained: "The judge abstained: nothing changed",
  passed: "Not sent to the judge",
  failed: "The judge gave no usable answer: nothing changed",
};

function judged(verdict) {
  const sure = verdict.confidence === null ? "" : ` Confidence ${percent(verdict.confidence)}.`;
  const proposed =
    verdict.proposed && verdict.proposed !== verdict.emotion ? ` It proposed ${verdict.proposed}.` : "";
  const change = verdict.changed ? `: ${verdict.before} → ${verdict.emotion}.` : ".";
  const by = [verdict.provider, verdict.model].filter(Boolean).join(", ");
  return make(
    "div",
    { class: verdict.changed ? "verdict changed" : "verdict" },
    make("p", {}, make("strong", {}, STATUS[verdict.status] + change), proposed, sure),
    verdict.reason ? make("p", {}, verdict.reason) : null,
    make("p", { class: "note" }, [by, ...verdict.notes].filter(Boolean).join(" · ")),
  );
}

// A share as a number with a bar under it.
function bar(share) {
  const line = make("span", { class: "bar", "aria-hidden": "true" });
  line.style.width = `${Math.round(100 * share)}%`;
  return make("span", { class: "share" }, percent(share), line);
}

// Time by emotion and mean attributes of each speaker; both weighed by the passages' lengths.
export function bySpeaker(passages) {
  const found = new Map();
  for (const passage of passages) {
    const name = passage.speaker ?? "unknown speaker";
    const sum = found.get(name) ?? { seconds: 0, emotions: {}, attributes: {} };
    const length = passage.end - passage.start;
    const emotion = emotionOf(passage);
    sum.seconds += length;
    sum.emotions[emotion] = (sum.emotions[emotion] ?? 0) + length;
    for (const attribute of Object.keys(ATTRIBUTES)) {
      const value = passage.prediction.attributes[attribute];
      sum.attributes[attribute] = (sum.attributes[attribute] ?? 0) + length * value;
    }
    found.set(name, sum);
  }
  return found;
}

export function speakerTable(passages) {
  const found = bySpeaker(passages);
  const present = Object.keys(EMOTIONS).filter((name) => [...found.values()].some((s) => s.emotions[name]));
  const header = ["speaker", "time", ...present, ...Object.keys(ATTRIBUTES)];
  const rows = [...found].map(([name, sum]) => [
    name,
    clock(sum.seconds),
    ...present.map((emotion) => percent((sum.emotions[emotion] ?? 0) / sum.seconds)),
    ...Object.keys(ATTRIBUTES).map((attribute) => (sum.attributes[attribute] / sum.seconds).toFixed(1)),
  ]);
  return table("Share of each speaker's time by emotion, and mean attributes (1..7)", header, rows);
}
