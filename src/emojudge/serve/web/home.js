// The first view: drop or record, and all recordings with how far they have come.

import { ended } from "./api.js";
import { fill, make } from "./dom.js";
import { clock } from "./emotions.js";
import { PassageList } from "./passages.js";
import { record } from "./record.js";

const STATES = { queued: "waiting", running: "being heard", done: "done", failed: "failed", cancelled: "cancelled" };

export function home(element, { recordings, models, signal, onlabel }) {
  element.replaceChildren(document.getElementById("home").content.cloneNode(true));
  const within = (name) => element.querySelector(`#${name}`);
  const judge = within("judge");
  judge.closest("label").hidden = models.judge === null;
  const add = (files) => recordings.add([...files], judge.checked && models.judge !== null);

  const input = within("files");
  input.addEventListener("change", () => {
    add(input.files);
    input.value = "";
  });
  dropping(within("drop"), add, signal);
  recording(within, add, signal);

  const list = within("jobs");
  const rows = new Map(); // by job, or by upload
  const render = () => {
    const shown = [...recordings.uploads].reverse().concat(recordings.jobs);
    for (const one of rows.keys()) if (!shown.some((other) => keyOf(other) === one)) rows.delete(one);
    const made = shown.map((one) => {
      const key = keyOf(one);
      if (!rows.has(key)) rows.set(key, one.file ? new UploadRow(one, recordings) : new JobRow(one, recordings, onlabel));
      rows.get(key).update(one);
      return rows.get(key).element;
    });
    const same = made.length === list.children.length && made.every((row, place) => list.children[place] === row);
    if (!same) list.replaceChildren(...made);
    within("none").hidden = made.length > 0;
  };
  recordings.listen((job) => {
    if (job && rows.has(job.id)) rows.get(job.id).update(job);
    else render();
  }, signal);
  render();
  recordings.load().catch((error) => fill(within("problem"), error.message));
}

function keyOf(one) {
  return one.file ?? one.id;
}

function dropping(zone, add, signal) {
  const over = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    zone.classList.toggle("over", event.type === "dragover");
  };
  for (const kind of ["dragover", "dragleave"]) document.addEventListener(kind, over, { signal });
  document.addEventListener("drop", (event) => {
    over(event);
    add(event.dataTransfer.files);
  }, { signal });
}

function recording(within, add, signal) {
  const button = within("record");
  const [box, note, level, list] = ["live", "livenote", "level", "livepassages"].map(within);
  let running = null;
  const passages = [];
  let began = 0;
  let timer = null;
  const heard = (message) => {
    if (message.type === "passage") {
      passages.push(message.passage);
      new PassageList(list, passages, () => {});
    } else if (message.type === "problem") note.textContent = `Not followed live: ${message.problem.detail}`;
    else if (message.type === "failure") note.textContent = message.failure.error;
    else if (message.type === "closed") note.textContent = "Not followed live; at the end it becomes a recording all the same.";
  };
  const stop = async () => {
    button.disabled = true;
    clearInterval(timer);
    try {
      add([await running.stop()]);
      note.textContent = "It is among the recordings now.";
    } catch (error) {
      note.textContent = `The recording cannot be used: ${error.message}`;
    }
    running = null;
    fill(button, "Record");
    button.disabled = false;
    level.hidden = true;
  };
  button.addEventListener("click", async () => {
    if (running) {
      await stop();
      return;
    }
    box.hidden = false;
    note.textContent = "";
    passages.length = 0;
    list.replaceChildren();
    try {
      running = await record({ onmessage: heard, onlevel: (value) => { level.value = value; } });
    } catch (error) {
      note.textContent = `The microphone cannot be used: ${error.message}`;
      return;
    }
    began = Date.now();
    level.hidden = false;
    const tick = () => fill(button, `Stop (${clock((Date.now() - began) / 1_000)})`);
    tick();
    timer = setInterval(tick, 250);
    note.textContent = running.streamed
      ? "What is heard appears here as soon as somebody pauses. At the end it becomes a recording below."
      : "At the end it becomes a recording below; this browser's format cannot be followed live.";
  });
  signal.addEventListener("abort", () => running && stop()); // what was recorded is not lost
}

class UploadRow {
  constructor(one, recordings) {
    this.bar = make("progress", { max: "1", "aria-label": `Upload of ${one.file.name}` });
    this.state = make("span", { class: "state" });
    const button = make("button", { type: "button", onclick: () => recordings.dismiss(one) }, "Dismiss");
    this.element = make("li", { class: "job" }, make("span", { class: "name" }, one.file.name), this.state, this.bar, button);
  }

  update(one) {
    this.bar.value = one.share;
    this.bar.hidden = one.error !== null;
    this.state.textContent = one.error ?? "being uploaded";
    this.element.classList.toggle("broken", one.error !== null);
  }
}

class JobRow {
  constructor(job, recordings, onlabel) {
    Object.assign(this, { recordings, onlabel });
    this.bar = make("progress", { max: "1", "aria-label": `How far ${job.name} has been heard` });
    this.state = make("span", { class: "state" });
    this.button = make("button", { type: "button", onclick: () => this.press() });
    const created = new Date(job.created);
    const when = make("time", { datetime: job.created },
      created.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
    const name = make("a", { class: "name", href: `#/jobs/${job.id}` }, job.name);
    this.element = make("li", { class: "job" }, name, when, this.state, this.bar, this.button);
  }

  update(job) {
    this.job = job;
    const over = ended(job);
    const share = this.recordings.share(job);
    this.bar.hidden = over;
    if (job.state === "running" && share !== null) this.bar.value = share;
    else this.bar.removeAttribute("value");
    const passages = job.passages ? `${job.passages} passage${job.passages === 1 ? "" : "s"}` : "";
    const seconds = job.seconds ? clock(job.seconds) : "";
    this.state.textContent = [STATES[job.state], seconds, passages, job.error].filter(Boolean).join(" · ");
    this.element.classList.toggle("broken", job.state === "failed");
    fill(this.button, over ? "Delete" : "Cancel");
    this.button.setAttribute("aria-label", `${over ? "Delete" : "Cancel"} ${job.name}`);
  }

  async press() {
    const { job, recordings } = this;
    const question = `Delete ${job.name}, its timeline and the labels that you gave it?`;
    if (ended(job) && !confirm(question)) return;
    try {
      await (ended(job) ? recordings.remove(job) : recordings.cancel(job));
      this.onlabel(); // labels go with their recording
    } catch (error) {
      this.state.textContent = error.message;
    }
  }
}
