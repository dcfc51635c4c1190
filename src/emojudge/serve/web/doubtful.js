// Passages of all recordings, the most doubtful first, to hear and to label one after the other.

import { get } from "./api.js";
import { fill, make } from "./dom.js";
import { listenToKeys } from "./explorer.js";
import { addressOf } from "./job.js";
import { Labelling } from "./labelling.js";
import { PassageList, details } from "./passages.js";
import { Player } from "./player.js";
import { soundOf } from "./sound.js";

const MOST = 100;

export async function doubtful(element, { signal, onlabel }) {
  const [found, { jobs }] = await Promise.all([
    get(`/v1/doubtful?limit=${MOST}`, { signal }), get("/v1/jobs", { signal }),
  ]);
  if (signal.aborted) return;
  element.replaceChildren(document.getElementById("queue").content.cloneNode(true));
  const within = (name) => element.querySelector(`#${name}`);
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const items = found.passages.filter((one) => byId.has(one.job)).map((one) => {
    const job = byId.get(one.job);
    const speaker = [job.name, one.passage.speaker].filter(Boolean).join(" · ");
    return { job, place: one.number, passage: { ...one.passage, speaker } };
  });
  within("empty").hidden = items.length > 0;
  within("work").hidden = items.length === 0;
  if (items.length) new Queue(within, items, signal, onlabel);
}

class Queue {
  constructor(within, items, signal, onlabel) {
    Object.assign(this, { within, items, signal, onlabel, selected: -1, playing: null });
    this.player = new Player(Infinity, within("audio"));
    signal.addEventListener("abort", () => this.player.close());
    this.list = new PassageList(within("passages"), items.map((item) => item.passage), (place) => this.go(place, true));
    this.labelling = new Labelling(within("labelling"), { signal, onchange: (item) => this.labelled(item) });
    within("hear").addEventListener("click", () => this.hear());
    listenToKeys({
      j: () => this.go(this.selected + 1, true),
      k: () => this.go(this.selected - 1, true),
      r: () => this.hear(),
      " ": () => this.hear(),
    }, signal);
    this.count();
    this.go(0, false);
  }

  count() {
    const left = this.items.filter((item) => !item.passage.correction).length;
    fill(this.within("left"), left ? `${left} of ${this.items.length} to go` : "All of these are labelled. Open this page again for more.");
  }

  async go(place, aloud) {
    if (place < 0 || place >= this.items.length) return;
    this.selected = place;
    const item = this.items[place];
    this.list.select(place, true);
    details(this.within("details"), item.passage);
    this.within("open").href = `#/jobs/${item.job.id}`;
    this.labelling.show(item);
    if (this.player.playing) this.player.toggle();
    const there = await this.bring(item);
    if (aloud && there && this.selected === place && this.within("aloud").checked) this.hear();
  }

  // The sound of an item's recording into the player; false where there is none.
  async bring(item) {
    const { job } = item;
    if (this.playing !== job.id) {
      const sound = await soundOf(job, this.signal).catch(() => null);
      if (this.items[this.selected] !== item) return false;
      this.playing = sound ? job.id : null;
      if (sound) this.within("audio").src = addressOf(sound, this.signal);
    }
    const there = this.playing === job.id;
    this.within("hear").disabled = !there;
    fill(this.within("playing"), there ? "" : "The sound of this recording is not here: open it, and choose its file.");
    return there;
  }

  hear() {
    const { passage, job } = this.items[this.selected];
    if (this.playing === job.id) this.player.hear(passage.start, passage.end);
  }

  labelled(item) {
    const place = this.items.indexOf(item);
    this.list.renew(place);
    this.count();
    this.onlabel();
    if (place !== this.selected) return;
    const next = this.items.findIndex((other, at) => at > place && !other.passage.correction);
    if (item.passage.correction && next > 0) this.go(next, true);
    else details(this.within("details"), item.passage);
  }
}
