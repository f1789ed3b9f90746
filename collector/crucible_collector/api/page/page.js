// The page at /: asks every second, says when it cannot, and shows the run that its address names.

import { element } from "./dom.js";
import { offerToForget } from "./key.js";
import { Run } from "./run.js";
import { Runs } from "./runs.js";

const EVERY_MS = 1000;

const live = document.getElementById("live");
const main = document.getElementById("run");
const runs = new Runs(document.getElementById("runs"));
let run = null;
let waiting = null;
let isAsking = false;
let lastAnswerAt = null;

function chosen() {
  const match = /^#\/runs\/(.+)$/.exec(location.hash);
  try {
    return match && decodeURIComponent(match[1]);
  } catch {
    return null; // an address that somebody typed
  }
}

function route() {
  const runId = chosen();
  runs.choose(runId);
  document.body.dataset.view = runId === null ? "list" : "run";
  document.title = runId === null ? "Crucible" : `${runId} · Crucible`;
  if (run?.runId === runId) return;
  run?.close();
  run = runId === null ? null : new Run(main, runId);
  if (run === null) main.replaceChildren(element("p", { className: "hint" }, "Choose a run to see its curves."));
  tick();
}

function tell(state, text) {
  if (live.dataset.state !== state || live.textContent !== text) {
    live.dataset.state = state;
    live.textContent = text;
  }
}

async function tick() {
  clearTimeout(waiting);
  if (isAsking) return;
  isAsking = true;
  const shown = run;
  try {
    await runs.update();
    await shown?.update();
    lastAnswerAt = new Date();
    tell("live", "live");
  } catch (failure) {
    const since = lastAnswerAt ? `since ${lastAnswerAt.toLocaleTimeString()}` : "yet";
    tell("away", `not live ${since}: ${failure.message}`);
  } finally {
    isAsking = false;
  }
  // Another run may have been chosen meanwhile; a page that nobody looks at asks nothing.
  if (shown !== run) tick();
  else if (!document.hidden) waiting = setTimeout(tick, EVERY_MS);
  else tell("waiting", "paused");
}

addEventListener("hashchange", route);
document.addEventListener("visibilitychange", () => document.hidden || tick());
for (const wish of ["curve-in-view", "ask-now"]) document.addEventListener(wish, tick);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => run?.recolour());
offerToForget(document.querySelector("header"));
route();
