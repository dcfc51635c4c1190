// A timeline to go through: joins player, drawing, list and details in the elements of a page.

import { ATTRIBUTES, EMOTIONS, clock, doubts } from "./emotions.js";
import { make } from "./dom.js";
import { Drawing } from "./drawing.js";
import { PassageList, chip, details, speakerTable } from "./passages.js";
import { Player } from "./player.js";

const byId = (id) => document.getElementById(id);

function legends() {
  byId("emotions").replaceChildren(
    ...Object.entries(EMOTIONS).map(([name, { letter }]) => make("li", {}, chip(name), ` ${letter}`)));
  byId("attributes").replaceChildren(
    ...Object.entries(ATTRIBUTES).map(([name, { ends }]) =>
      make("li", {}, make("span", { class: `dash ${name}`, "aria-hidden": "true" }), ` ${name}: ${ends}`)));
}

// Have keys do something until the signal, but never while somebody types, or presses what is in focus.
export function listenToKeys(actions, signal) {
  document.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    const typing = event.target.closest("input:not([type=range]), select, textarea, dialog");
    const moving = event.key.startsWith("Arrow") && event.target.closest("input");
    const pressing = [" ", "Enter"].includes(event.key) && event.target.closest("button, summary, a, input");
    if (!action || typing || moving || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }, { signal });
}

// `audio` is an element, or null; `onchoose` is told which passage is looked at; all ends at the signal, if there
// is one. The answer's `renew` shows a passage as it is now, `go` goes to one.
export function explore({ timeline, audio, peaks, perSecond, signal, onchoose = () => {} }) {
  const { passages } = timeline;
  const player = new Player(timeline.seconds, audio);
  signal?.addEventListener("abort", () => player.close());
  let selected = -1;
  const drawing = new Drawing({
    main: byId("main"),
    overview: byId("overview"),
    timeline,
    peaks,
    perSecond,
    onpick: (time) => player.seek(time),
  });
  const list = new PassageList(byId("passages"), passages, (index) => player.seek(passages[index].start));

  const choose = (index) => {
    if (index < 0 || index === selected) return;
    selected = index;
    list.select(index, true);
    drawing.select(index);
    details(byId("details"), passages[index]);
    onchoose(index);
  };
  const go = (index) => {
    if (index >= 0 && index < passages.length) player.seek(passages[index].start);
  };
  const hear = () => {
    if (selected >= 0) player.hear(passages[selected].start, passages[selected].end);
  };
  const nextDoubtful = () => {
    const after = passages.findIndex((passage, index) => index > selected && doubts(passage).length > 0);
    go(after < 0 ? passages.findIndex((passage) => doubts(passage).length > 0) : after);
  };
  const summarise = () => {
    byId("doubtful").disabled = !passages.some((passage) => doubts(passage).length > 0);
    if (passages.length) byId("speakers").replaceChildren(speakerTable(passages));
  };

  const seek = byId("seek");
  seek.max = String(timeline.seconds);
  seek.addEventListener("input", () => player.seek(Number(seek.value)));
  player.listen((time, playing) => {
    drawing.move(time);
    seek.value = String(time);
    seek.setAttribute("aria-valuetext", clock(time));
    byId("time").textContent = `${clock(time, 1)} of ${clock(timeline.seconds, 1)}`;
    byId("play").textContent = playing ? "Pause" : "Play";
    choose(list.at(time));
  });

  byId("play").disabled = audio === null;
  byId("hear").disabled = audio === null || !passages.length;
  byId("play").addEventListener("click", () => player.toggle());
  byId("hear").addEventListener("click", hear);
  byId("closer").addEventListener("click", () => drawing.zoom(0.5));
  byId("wider").addEventListener("click", () => drawing.zoom(2));
  byId("doubtful").addEventListener("click", nextDoubtful);
  listenToKeys({
    " ": () => player.toggle(),
    ArrowLeft: () => player.seek(player.time - 5),
    ArrowRight: () => player.seek(player.time + 5),
    j: () => go(selected + 1),
    k: () => go(selected - 1),
    d: nextDoubtful,
    r: hear,
    "+": () => drawing.zoom(0.5),
    "-": () => drawing.zoom(2),
  }, signal);

  legends();
  summarise();
  if (passages.length) choose(0);
  else byId("details").replaceChildren(make("p", {}, "No speech was found in this recording."));
  player.tell();
  const renew = (index) => {
    list.renew(index);
    drawing.draw();
    summarise();
    if (index === selected) details(byId("details"), passages[index]);
  };
  return { go, renew };
}
