// All recordings that the server knows, and those on their way to it; whoever shows them is told of changes.

import { ask, ended, events, get, upload } from "./api.js";
import { forget, lengthOf, remember } from "./sound.js";

const FOLLOWED = 4; // at a time: a browser has six connections to a server, and needs some

const TURNS = /\.(rttm|textgrid)$/i; // who speaks when
const WORDS = /\.(srt|vtt|json)$/i; // what is said when, and perhaps by whom

// Recordings with the words and turns that came with them under the same name.
export function paired(files) {
  const stem = (file) => file.name.replace(/\.[^.]*$/, "");
  const others = files.filter((file) => TURNS.test(file.name) || WORDS.test(file.name));
  const recordings = files.filter((file) => !others.includes(file));
  const found = recordings.map((file) => {
    const near = others.filter((other) => stem(other) === stem(file));
    const [turns] = near.filter((other) => TURNS.test(other.name));
    const [words] = near.filter((other) => WORDS.test(other.name));
    // Words are cut at themselves, unless something better says where.
    return { file, ...(turns ? { turns } : {}), ...(words ? { [turns ? "transcript" : "turns"]: words } : {}) };
  });
  const alone = others.filter((other) => !recordings.some((file) => stem(file) === stem(other)));
  return [...found, ...alone.map((file) => ({ file }))]; // which the server refuses, and says why
}

export class Recordings {
  constructor() {
    this.jobs = []; // the newest first
    this.uploads = []; // those that have not arrived: { file, words, judge, share, error, abort }
    this.lengths = new Map(); // seconds by job, of files that are here
    this.listeners = new Set();
    this.followed = new Map(); // by job: what ends it
    this.sending = Promise.resolve();
  }

  // Be told until the signal: of one job's news, or, without a job, that the list is another.
  listen(listener, signal) {
    this.listeners.add(listener);
    signal.addEventListener("abort", () => this.listeners.delete(listener));
  }

  tell(job = null, event = null) {
    for (const listener of this.listeners) listener(job, event);
  }

  async load() {
    this.jobs = (await get("/v1/jobs")).jobs;
    this.tell();
    this.follow();
  }

  add(files, judge) {
    for (const { file, ...words } of paired(files)) {
      const one = { file, words, judge, share: 0, error: null, abort: new AbortController() };
      this.uploads.push(one);
      this.sending = this.sending.then(() => this.send(one)); // one after the other
    }
    this.tell();
  }

  async send(one) {
    if (!this.uploads.includes(one)) return;
    const onprogress = (share) => {
      one.share = share;
      this.tell();
    };
    try {
      const job = await upload({ file: one.file, ...one.words }, one.judge, onprogress, one.abort.signal);
      remember(job.id, one.file);
      this.jobs.unshift(job);
      this.dismiss(one);
      this.follow();
      const seconds = await lengthOf(one.file);
      if (seconds !== null) this.lengths.set(job.id, seconds);
      this.tell(job);
    } catch (error) {
      one.error = error.message;
      this.tell();
    }
  }

  // Forget an upload; one that is under way is broken off.
  dismiss(one) {
    one.abort.abort();
    this.uploads = this.uploads.filter((other) => other !== one);
    this.tell();
  }

  async cancel(job) {
    this.took(await (await ask("POST", `/v1/jobs/${job.id}/cancel`)).json());
  }

  async remove(job) {
    await ask("DELETE", `/v1/jobs/${job.id}`);
    this.gone(job.id);
  }

  // How far a job has come, 0..1; null where nobody knows how long the recording is.
  share(job) {
    const length = this.lengths.get(job.id);
    return length ? Math.min(1, job.seconds / length) : null;
  }

  // The oldest come first, as they do in the server.
  follow() {
    for (const job of this.jobs.filter((one) => !ended(one)).reverse()) {
      if (this.followed.size >= FOLLOWED) return;
      if (this.followed.has(job.id)) continue;
      const control = new AbortController();
      this.followed.set(job.id, control);
      this.listenTo(job.id, control.signal).finally(() => {
        this.followed.delete(job.id);
        this.follow();
      });
    }
  }

  async listenTo(id, signal) {
    for await (const event of events(id, signal)) {
      const job = this.jobs.find((one) => one.id === id);
      if (!job || event.kind === "deleted") {
        this.gone(id);
        return;
      }
      if (event.kind === "started") Object.assign(job, { state: "running", seconds: 0, passages: 0 });
      else if (event.kind === "progress") job.seconds = event.data.seconds;
      else if (event.kind === "passage") {
        job.passages += 1;
        job.seconds = Math.max(job.seconds, event.data.end);
      }
      else if (event.kind !== "point" && event.kind !== "failure") {
        this.took(await get(`/v1/jobs/${id}`));
        return;
      }
      this.tell(job, event);
    }
  }

  // A job as the server has it now.
  took(job) {
    const place = this.jobs.findIndex((one) => one.id === job.id);
    if (place >= 0) this.jobs[place] = { ...job, timeline: null };
    this.tell(job);
  }

  gone(id) {
    this.followed.get(id)?.abort();
    this.jobs = this.jobs.filter((job) => job.id !== id);
    this.lengths.delete(id);
    forget(id);
    this.tell();
  }
}
