// One recording: what is heard while it is heard, then its timeline, to listen to and to correct.

import { ended, get } from "./api.js";
import { fill, make } from "./dom.js";
import { clock } from "./emotions.js";
import { explore } from "./explorer.js";
import { Labelling, withCorrections } from "./labelling.js";
import { PassageList } from "./passages.js";
import { PER_SECOND, fits, outlineOf, remember, soundOf } from "./sound.js";

export async function show(element, id, { recordings, signal, onlabel }) {
  const job = await get(`/v1/jobs/${id}`, { signal });
  document.title = `${job.name} – emojudge`;
  if (!ended(job)) {
    follow(element, job, recordings, signal, () => show(element, id, { recordings, signal, onlabel }));
    return;
  }
  const { corrections } = await get(`/v1/corrections?job=${id}`, { signal });
  withCorrections(job.timeline.passages, corrections);
  const sound = await soundOf(job, signal);
  const peaks = sound ? await outlineOf(sound) : new Uint8Array();
  if (!signal.aborted) draw(element, job, sound, peaks, { signal, onlabel });
}

function follow(element, job, recordings, signal, done) {
  element.replaceChildren(document.getElementById("hearing").content.cloneNode(true));
  const within = (name) => element.querySelector(`#${name}`);
  fill(within("title"), job.name);
  const passages = [...job.timeline.passages];
  const bar = within("progress");
  const update = (now) => {
    const share = recordings.share(now);
    if (share === null || now.state === "queued") bar.removeAttribute("value");
    else bar.value = share;
    fill(within("status"), now.state === "queued" ? "Waiting for its turn." : `${clock(now.seconds)} heard so far.`);
    new PassageList(within("passages"), passages, () => {});
  };
  update(job);
  within("cancel").addEventListener("click", () => recordings.cancel(job).catch((e) => fill(within("status"), e.message)));
  let over = false;
  recordings.listen((news, event) => {
    if (over || (news && news.id !== job.id)) return;
    if (!news) {
      if (!recordings.jobs.some((one) => one.id === job.id)) location.hash = "#/";
      return;
    }
    if (ended(news)) {
      over = true;
      done();
      return;
    }
    if (event?.kind === "started") passages.length = 0;
    if (event?.kind === "passage" && !passages.some((one) => one.start === event.data.start && one.end === event.data.end)) {
      passages.push(event.data);
    }
    update(news);
  }, signal);
  recordings.load().catch((error) => fill(within("status"), error.message));
}

function draw(element, job, sound, peaks, { signal, onlabel }) {
  const { timeline } = job;
  element.replaceChildren(document.getElementById("timeline").content.cloneNode(true));
  const within = (name) => element.querySelector(`#${name}`);
  fill(within("title"), job.name);
  fill(within("about"), about(job));
  if (job.error) fill(within("error"), job.error);
  within("summary").hidden = timeline.passages.length === 0;

  const audio = within("audio");
  if (sound) audio.src = addressOf(sound, signal);
  audio.addEventListener("error", () => fill(within("playing"), "This browser cannot play this recording."), { signal });
  if (sound && peaks.length === 0) fill(within("playing"), "This browser cannot draw this recording's outline.");
  const choosing = within("missing");
  choosing.hidden = sound !== null;
  const input = within("again");
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!(await fits(file, timeline.seconds))) {
      fill(within("playing"), `${file.name} is not as long as this recording: is it another one?`);
      return;
    }
    remember(job.id, file);
    location.hash = `#/jobs/${job.id}/`; // the same view, with its sound
  });

  let explorer = null;
  const labelling = new Labelling(within("labelling"), {
    signal,
    onchange: ({ place }) => {
      explorer.renew(place);
      onlabel();
    },
  });
  explorer = explore({
    timeline,
    audio: sound ? audio : null,
    peaks,
    perSecond: PER_SECOND,
    signal,
    onchoose: (place) => labelling.show({ job, place, passage: timeline.passages[place] }),
  });
  const remarks = [...timeline.notes, ...timeline.failures.map((failure) => failure.error)];
  within("remarks").hidden = remarks.length === 0;
  within("remarks").append(make("ul", {}, ...remarks.map((line) => make("li", {}, line))));
}

function about(job) {
  const { timeline } = job;
  const spoken = timeline.passages.reduce((sum, passage) => sum + passage.end - passage.start, 0);
  const speech = timeline.seconds ? `, ${Math.round((100 * spoken) / timeline.seconds)} % of it speech` : "";
  const bundle = timeline.bundle ? `, heard by the models ${timeline.bundle}` : "";
  return `${clock(timeline.seconds)} long${speech}, ${timeline.passages.length} passages${bundle}`;
}

// An address of the sound for this view.
export function addressOf(blob, signal) {
  const address = URL.createObjectURL(blob);
  signal.addEventListener("abort", () => URL.revokeObjectURL(address));
  return address;
}
