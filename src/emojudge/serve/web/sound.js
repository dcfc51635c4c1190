// Recordings in this browser: files that were chosen, microphone, and what the server kept; their outlines.

import { ask } from "./api.js";

export const PER_SECOND = 100; // peaks
const OUTLINE_RATE = 8_000; // Hz: enough to see how loud it is
const SPEECH_RATE = 16_000; // Hz: what the models hear
const LONGEST = 2 * 3_600; // seconds that a browser decodes at once
const TOLERANCE = 0.02; // of its length, that a file may differ from the recording

const known = new Map(); // blobs by job

export function remember(id, blob) {
  known.set(id, blob);
}

export function forget(id) {
  known.delete(id);
}

// A job's sound, or null where it is neither here nor kept by the server.
export async function soundOf(job, signal) {
  if (!known.has(job.id) && job.audio_kept) {
    const answer = await ask("GET", `/v1/jobs/${job.id}/audio`, { signal });
    remember(job.id, await answer.blob());
  }
  return known.get(job.id) ?? null;
}

// How long it plays, in seconds; null where the browser cannot say.
export function lengthOf(blob) {
  return new Promise((resolve) => {
    const audio = new Audio();
    const address = URL.createObjectURL(blob);
    const tell = (seconds) => {
      URL.revokeObjectURL(address);
      resolve(Number.isFinite(seconds) ? seconds : null);
    };
    audio.addEventListener("loadedmetadata", () => tell(audio.duration));
    audio.addEventListener("error", () => tell(NaN));
    audio.preload = "metadata";
    audio.src = address;
  });
}

// Whether a file can be the recording that was heard for so long.
export async function fits(blob, seconds) {
  const found = await lengthOf(blob);
  return found === null || Math.abs(found - seconds) <= Math.max(1, TOLERANCE * seconds);
}

// One byte for each 10 ms: the loudest sample's size, 255 for full scale; empty where it cannot be decoded.
export async function outlineOf(blob) {
  const seconds = await lengthOf(blob);
  if (seconds === null || seconds > LONGEST) return new Uint8Array();
  try {
    const sound = await decoded(blob, OUTLINE_RATE);
    const channels = Array.from({ length: sound.numberOfChannels }, (_, number) => sound.getChannelData(number));
    const step = OUTLINE_RATE / PER_SECOND;
    return Uint8Array.from({ length: Math.ceil(sound.length / step) }, (_, place) => {
      let loudest = 0;
      for (const samples of channels) {
        const end = Math.min(samples.length, (place + 1) * step);
        for (let at = place * step; at < end; at += 1) loudest = Math.max(loudest, Math.abs(samples[at]));
      }
      return Math.round(255 * Math.min(1, loudest));
    });
  } catch {
    return new Uint8Array();
  }
}

// What a recorder gave as WAV, which every player finds its way in: 16 bits, mono, 16 kHz.
export async function toWav(blob, name) {
  const sound = await decoded(blob, SPEECH_RATE);
  const samples = sound.getChannelData(0);
  const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, word) => [...word].forEach((letter, place) => bytes.setUint8(at + place, letter.charCodeAt(0)));
  text(0, "RIFF");
  bytes.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  bytes.setUint32(16, 16, true);
  bytes.setUint16(20, 1, true); // PCM
  bytes.setUint16(22, 1, true);
  bytes.setUint32(24, SPEECH_RATE, true);
  bytes.setUint32(28, 2 * SPEECH_RATE, true);
  bytes.setUint16(32, 2, true);
  bytes.setUint16(34, 16, true);
  text(36, "data");
  bytes.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, place) => {
    bytes.setInt16(44 + 2 * place, Math.round(32_767 * Math.max(-1, Math.min(1, value))), true);
  });
  return new File([bytes], name, { type: "audio/wav" });
}

async function decoded(blob, rate) {
  return new OfflineAudioContext(1, 1, rate).decodeAudioData(await blob.arrayBuffer());
}
