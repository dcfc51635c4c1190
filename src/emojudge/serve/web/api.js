// The server as functions: requests with the token, its errors in its own words, events, live streams.

const KEY = "emojudge-token"; // in this tab's storage alone, never in an address
const ENDED = ["done", "failed", "cancelled"];
const PAUSES = [500, 1_000, 2_000, 5_000, 10_000]; // ms before a stream of events that broke is taken up again

let askForToken = null;
let asking = null;

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

// Who asks a person for the token: a function that is given what was wrong, and answers with a promise of it.
export function onTokenNeeded(ask) {
  askForToken = ask;
}

export function ended(job) {
  return ENDED.includes(job.state);
}

function authorization() {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function newToken(wrong) {
  asking ??= askForToken(wrong).then((token) => {
    sessionStorage.setItem(KEY, token);
    asking = null;
  });
  return asking;
}

function problem(status, text) {
  try {
    return new Refused(status, JSON.parse(text).detail);
  } catch {
    return new Refused(status, `The server answered ${status}.`);
  }
}

export async function ask(method, path, { json, headers = {}, signal } = {}) {
  for (;;) {
    const sent = sessionStorage.getItem(KEY);
    const told = { ...authorization(), ...headers };
    if (json !== undefined) told["Content-Type"] = "application/json";
    const body = json === undefined ? undefined : JSON.stringify(json);
    const answer = await fetch(path, { method, headers: told, body, signal });
    if (answer.status === 401) {
      await newToken(sent ? "The server did not take that token." : "");
      continue;
    }
    if (!answer.ok) throw problem(answer.status, await answer.text());
    return answer;
  }
}

export async function get(path, options) {
  return (await ask("GET", path, options)).json();
}

// Upload files by their fields as a job; `fetch` does not say how far an upload has come.
export function upload(files, judge, onprogress, signal) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    for (const [field, file] of Object.entries(files)) form.append(field, file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", judge ? "/v1/jobs?judge=true" : "/v1/jobs");
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => onprogress(event.loaded / event.total));
    request.addEventListener("error", () => reject(new Refused(0, "The server cannot be reached.")));
    request.addEventListener("abort", () => reject(new Refused(0, "Not uploaded.")));
    request.addEventListener("load", () => {
      if (request.status === 202) resolve(JSON.parse(request.responseText));
      else reject(problem(request.status, request.responseText));
    });
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

// What happens to a job until it has ended or is deleted. `EventSource` could not send a token.
export async function* events(id, signal) {
  let last = null;
  let failed = 0;
  while (!signal.aborted) {
    try {
      const headers = last === null ? {} : { "Last-Event-ID": last };
      const answer = await ask("GET", `/v1/jobs/${id}/events`, { headers, signal });
      for await (const event of blocks(answer.body)) {
        last = event.id ?? last;
        failed = 0;
        yield event;
        if (ENDED.includes(event.kind) || event.kind === "deleted") return;
      }
      const job = await get(`/v1/jobs/${id}`, { signal }); // who listens after the end hears nothing
      if (ended(job)) {
        yield { kind: job.state, data: {} };
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 404) {
        yield { kind: "deleted", data: {} };
        return;
      }
    }
    const pause = PAUSES[Math.min(failed, PAUSES.length - 1)];
    failed += 1;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function* blocks(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (held + value).split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n").filter((line) => line && !line.startsWith(":"));
      const fields = Object.fromEntries(lines.map((line) => line.split(/: (.*)/s)));
      if (fields.data !== undefined) yield { id: fields.id, kind: fields.event, data: JSON.parse(fields.data) };
    }
  }
}

// A live stream: `send` takes what a recorder gives, `end` says that there is no more.
export function live(onmessage) {
  const address = new URL("/v1/stream", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  const waiting = [];
  const send = (data) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(data);
    else if (socket.readyState === WebSocket.CONNECTING) waiting.push(data);
  };
  socket.addEventListener("open", () => {
    const token = sessionStorage.getItem(KEY);
    socket.send(JSON.stringify({ format: "webm", id: "microphone", ...(token ? { token } : {}) }));
    waiting.splice(0).forEach((data) => socket.send(data));
  });
  socket.addEventListener("message", (event) => onmessage(JSON.parse(event.data)));
  socket.addEventListener("error", () => onmessage({ type: "closed" }));
  return { send, end: () => send("end") };
}
