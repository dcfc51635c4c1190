// A report in one file: reads what the page carries, and joins player, drawing and passages.

import { ATTRIBUTES, EMOTIONS, clock, doubts } from "./emotions.js";
import { make } from "./dom.js";
import { Drawing } from "./drawing.js";
import { PassageList, chip, details, speakerTable } from "./passages.js";
import { Player } from "./player.js";

const byId = (id) => document.getElementById(id);

function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// The recording: in the page, in a file beside it, or not there.
function sound(about) {
  const audio = byId("audio");
  const inside = byId("sound");
  if (inside) audio.src = URL.createObjectURL(new Blob([bytes(inside.textContent)], { type: "audio/ogg" }));
  else if (about.beside) audio.src = about.beside;
  else return null;
  audio.addEventListener("error", () => {
    byId("playing").textContent = "The recording cannot be played from here.";
  });
  return audio;
}

function legends() {
  byId("emotions").replaceChildren(
    ...Object.entries(EMOTIONS).map(([name, { letter }]) => make("li", {}, chip(name), ` ${letter}`)));
  byId("attributes").replaceChildren(
    ...Object.entries(ATTRIBUTES).map(([name, { ends }]) =>
      make("li", {}, make("span", { class: `dash ${name}`, "aria-hidden": "true" }), ` ${name}: ${ends}`)));
}

function start(about) {
  const { timeline } = about;
  const { passages } = timeline;
  const player = new Player(timeline.seconds, sound(about));
  let selected = -1;
  const drawing = new Drawing({
    main: byId("main"),
    overview: byId("overview"),
    timeline,
    peaks: bytes(about.peaks),
    perSecond: about.perSecond,
    onpick: (time) => player.seek(time),
  });
  const list = new PassageList(byId("passages"), passages, (index) => player.seek(passages[index].start));

  const choose = (index) => {
    if (index < 0 || index === selected) return;
    selected = index;
    list.select(index, true);
    drawing.select(index);
    details(byId("details"), passages[index]);
  };
  const go = (index) => {
    if (index >= 0 && index < passages.length) player.seek(passages[index].start);
  };
  const nextDoubtful = () => {
    const after = passages.findIndex((passage, index) => index > selected && doubts(passage).length > 0);
    go(after < 0 ? passages.findIndex((passage) => doubts(passage).length > 0) : after);
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

  byId("play").disabled = player.audio === null;
  byId("play").addEventListener("click", () => player.toggle());
  byId("closer").addEventListener("click", () => drawing.zoom(0.5));
  byId("wider").addEventListener("click", () => drawing.zoom(2));
  byId("doubtful").addEventListener("click", nextDoubtful);
  byId("doubtful").disabled = !passages.some((passage) => doubts(passage).length > 0);
  if (player.audio === null) byId("playing").textContent = "This page was made without the recording.";

  const keys = {
    " ": () => player.toggle(),
    ArrowLeft: () => player.seek(player.time - 5),
    ArrowRight: () => player.seek(player.time + 5),
    j: () => go(selected + 1),
    k: () => go(selected - 1),
    d: nextDoubtful,
    "+": () => drawing.zoom(0.5),
    "-": () => drawing.zoom(2),
  };
  document.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    const typing = event.target.closest("input, select, textarea");
    const pressing = event.key === " " && event.target.closest("button, summary, a");
    if (!action || typing || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });

  legends();
  if (passages.length) {
    byId("speakers").replaceChildren(speakerTable(passages));
    choose(0);
  } else {
    byId("details").replaceChildren(make("p", {}, "No speech was found in this recording."));
  }
  player.tell();
}

start(JSON.parse(byId("data").textContent));
