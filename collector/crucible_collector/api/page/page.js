// The page at /: opens the view that its address names, has it drawn anew as the stream tells of something, and says
// when what is shown is not live.

import { address } from "./address.js";
import { Live } from "./live.js";
import { lastAnswerAt } from "./parts/ask.js";
import { element } from "./parts/dom.js";
import { offerToForget } from "./parts/key.js";
import { Runs } from "./parts/runs.js";
import { BESIDE_RUNS, VIEWS, viewOf } from "./views.js";

// Where nothing was told: for what changes without a word, as time does.
const EVERY_MS = 2000;
// However much is told: no more questions than these a second.
const AT_MOST_EVERY_MS = 400;
const WISH = { kinds: "run,anomaly" };

const status = document.getElementById("live");
const main = document.getElementById("view");
const links = document.getElementById("views");
const runs = new Runs(document.getElementById("runs"));
const live = new Live(heard, () => tick());
let view = null;
let opened = null; // of `viewOf`
let waiting = null;
let isAsking = false;
let isWanted = false;
let askedAt = -Infinity;
let failedAt = null; // null: all that was asked since has been answered

function build() {
  const made = VIEWS.filter((each) => each.name).map((each) => element("a", { href: `#/${each.segment}` }, each.name));
  links.replaceChildren(...made);
}

async function route() {
  const wanted = address();
  const found = viewOf(wanted);
  choose(wanted, found);
  if (view && found === opened && view.readdress?.(wanted)) return tick();
  view?.close?.();
  view = null;
  opened = found;
  if (found === null) return missing();
  try {
    const module = await found.load();
    if (opened !== found || location.hash !== hashOf(wanted)) return; // another was chosen meanwhile
    main.replaceChildren();
    view = new module.View(main, wanted);
  } catch (failure) {
    main.replaceChildren(element("p", { className: "hint", role: "alert" }, `This view could not be loaded: ${failure.message}`));
    throw failure;
  }
  live.follow(view.wish ?? WISH);
  isWanted = true;
  askedAt = -Infinity; // whoever opens a view does not wait for what was asked for the one before
  tick();
}

function hashOf(wanted) {
  return JSON.stringify(address().segments) === JSON.stringify(wanted.segments) ? location.hash : null;
}

function choose({ segments }, found) {
  const first = found?.segment ?? null;
  document.body.dataset.view = first === "" ? "overview" : (first ?? "none");
  document.body.dataset.runs = String(BESIDE_RUNS.has(first));
  [...links.children].forEach((each, index) => {
    if (VIEWS[index].segment === first) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  });
  runs.choose(first === "runs" ? (segments[1] ?? null) : null);
}

function missing() {
  main.replaceChildren(element("h1", {}, "No such view"), element("p", { className: "hint" }, "The address names none that there is."));
  title();
}

function heard(messages) {
  view?.heard?.(messages);
  isWanted = true;
  tick();
}

function title() {
  const name = view?.title ?? opened?.name;
  document.title = name ? `${name} · Crucible` : "Crucible";
}

function tell(state, text) {
  if (status.dataset.state === state && status.textContent === text) return;
  status.dataset.state = state;
  status.textContent = text;
}

async function tick() {
  clearTimeout(waiting);
  if (isAsking || view === null) return;
  const rest = AT_MOST_EVERY_MS - (performance.now() - askedAt);
  if (rest > 0) {
    waiting = setTimeout(tick, rest);
    return;
  }
  isAsking = true;
  isWanted = false;
  askedAt = performance.now();
  const shown = view;
  try {
    if (!live.isOpen) shown.unheard?.();
    await Promise.all([BESIDE_RUNS.has(opened.segment) ? runs.update() : null, shown.update()]);
    // There may have been nothing to ask: what failed before still does, as far as is known.
    if (failedAt !== null && lastAnswerAt() > failedAt) failedAt = null;
    if (live.isOpen) tell("live", "live");
    else if (live.source && failedAt === null) tell("away", `not live: asked every ${EVERY_MS / 1000} s`);
  } catch (failure) {
    if (failure.name !== "Error") console.error(failure); // a fault of the page's own: whatever `ask` throws is an Error
    failedAt = new Date();
    const since = lastAnswerAt() ? `since ${lastAnswerAt().toLocaleTimeString()}` : "yet";
    tell("away", `not live ${since}: ${failure.message}`);
  } finally {
    isAsking = false;
  }
  title();
  // Another view may have been opened meanwhile; a page that nobody looks at asks nothing.
  if (shown !== view || isWanted) tick();
  else if (!document.hidden) waiting = setTimeout(tick, EVERY_MS);
}

function look() {
  if (document.hidden) {
    live.close();
    tell("waiting", "paused");
    return;
  }
  live.open();
  tick();
}

addEventListener("hashchange", route);
document.addEventListener("visibilitychange", look);
document.addEventListener("ask-now", () => {
  isWanted = true;
  tick();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view?.recolour?.());
build();
offerToForget(document.querySelector("header"));
route();
