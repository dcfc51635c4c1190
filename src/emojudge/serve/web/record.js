// The microphone: what it hears goes to the server as it is spoken, and is one recording when it ends.

import { live } from "./api.js";
import { toWav } from "./sound.js";

const PIECE = 500; // ms of sound in each message
const STREAMED = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus"]; // what the server can follow as it comes
// What makes a call pleasant (noise removed, volume evened out) takes away what the models listen to.
const SOUND = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

// Begins at once. `onmessage` is told what the server says meanwhile, `onlevel` how loud it is, 0..1. The answer's
// `stop` gives the recording as a file.
export async function record({ onmessage, onlevel }) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: SOUND });
  const mimeType = STREAMED.find((kind) => MediaRecorder.isTypeSupported(kind));
  const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
  const talk = mimeType ? live(onmessage) : null;
  const pieces = [];
  recorder.addEventListener("dataavailable", (event) => {
    if (event.data.size === 0) return;
    pieces.push(event.data);
    talk?.send(event.data);
  });
  const stopMeter = meter(stream, onlevel);
  recorder.start(PIECE);

  const stop = () => new Promise((resolve, reject) => {
    recorder.addEventListener("stop", async () => {
      stopMeter();
      stream.getTracks().forEach((track) => track.stop());
      talk?.end();
      try {
        resolve(await file(new Blob(pieces, { type: recorder.mimeType })));
      } catch (error) {
        reject(error);
      }
    });
    recorder.stop();
  });
  return { stop, streamed: talk !== null };
}

async function file(blob) {
  const now = new Date();
  const two = (number) => String(number).padStart(2, "0");
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  const name = `recording ${day} ${two(now.getHours())}.${two(now.getMinutes())}.${two(now.getSeconds())}`;
  return toWav(blob, `${name}.wav`);
}

function meter(stream, onlevel) {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    onlevel(samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  }, 100);
  return () => {
    clearInterval(timer);
    context.close();
  };
}
