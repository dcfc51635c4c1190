// The page: which view is shown, the token where the server wants one, and what was corrected so far.

import { ask, get, onTokenNeeded } from "./api.js";
import { doubtful } from "./doubtful.js";
import { fill, make } from "./dom.js";
import { home } from "./home.js";
import { show } from "./job.js";
import { Recordings } from "./recordings.js";

const byId = (id) => document.getElementById(id);
const recordings = new Recordings();
let leaving = new AbortController();

onTokenNeeded((wrong) => new Promise((resolve) => {
  const dialog = byId("token");
  fill(byId("tokenwrong"), wrong);
  byId("tokentext").value = "";
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // nothing works without it
  byId("tokenform").addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    resolve(byId("tokentext").value.trim());
  }, { once: true });
  dialog.showModal();
}));

async function countCorrections() {
  const { corrections } = await get("/v1/corrections");
  const silent = corrections.filter((one) => !one.audio_kept).length;
  byId("export").disabled = corrections.length === 0;
  fill(byId("export"), `Export labels (${corrections.length})`);
  byId("export").title = silent
    ? `${silent} of them with words alone: the server kept no audio of theirs`
    : "A corpus that emojudge train reads";
}

async function download() {
  const blob = await (await ask("GET", "/v1/corrections/export")).blob();
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: "corrections.zip" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// What is behind the # says what is shown: nothing, `doubtful`, or `jobs/ID`.
async function view(models) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const [, where, id] = location.hash.split("/");
  const common = { recordings, models, signal, onlabel: () => countCorrections().catch(() => {}) };
  const main = byId("content");
  document.title = "emojudge";
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.hash === `#/${where === "doubtful" ? where : ""}` && where !== "jobs";
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    if (where === "jobs") await show(main, id, common);
    else if (where === "doubtful") await doubtful(main, common);
    else home(main, common);
  } catch (error) {
    if (signal.aborted) return;
    main.replaceChildren(make("p", { class: "error", role: "alert" }, error.message), make("a", { href: "#/" }, "All recordings"));
  }
}

function aboutOf(models) {
  const heard = models.modalities.map((name) => ({ audio: "the voice", text: "the words" })[name] ?? name);
  return [
    `Models: ${models.bundle}, from ${heard.join(" and ")}`,
    models.transcriber ? `words by ${models.transcriber}` : "words only where they are given",
    models.judge ? `judge: ${models.judge}` : "no judge",
    `emojudge ${models.version}`,
  ].join("; ");
}

async function start() {
  try {
    const models = await get("/v1/models");
    fill(byId("models"), `${aboutOf(models)}.`);
    byId("export").addEventListener("click", download);
    await countCorrections();
    window.addEventListener("hashchange", async () => {
      await view(models);
      byId("content").focus({ preventScroll: true });
      scrollTo(0, 0);
    });
    await view(models);
  } catch (error) {
    fill(byId("content"), make("p", { class: "error", role: "alert" }, error.message));
  }
}

start();
