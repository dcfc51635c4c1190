// A report in one file: reads what the page carries.

import { explore } from "./explorer.js";

function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// The recording: in the page, in a file beside it, or not there.
function sound(about) {
  const audio = document.getElementById("audio");
  const inside = document.getElementById("sound");
  if (inside) audio.src = URL.createObjectURL(new Blob([bytes(inside.textContent)], { type: "audio/ogg" }));
  else if (about.beside) audio.src = about.beside;
  else return null;
  audio.addEventListener("error", () => say("The recording cannot be played from here."));
  return audio;
}

function say(text) {
  document.getElementById("playing").textContent = text;
}

function start(about) {
  const audio = sound(about);
  if (audio === null) say("This page was made without the recording.");
  explore({ timeline: about.timeline, audio, peaks: bytes(about.peaks), perSecond: about.perSecond });
}

start(JSON.parse(document.getElementById("data").textContent));
