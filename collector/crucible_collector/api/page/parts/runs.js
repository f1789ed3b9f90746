// The list of runs: the newest first, running ones marked.

import { ask } from "./ask.js";
import { element, show } from "./dom.js";
import { number, time, words } from "./format.js";

const STEP = 100;
const LIMIT_MAX = 1000; // of the API

export class Runs {
  constructor(root) {
    this.root = root;
    this.limit = STEP;
    this.answer = null;
  }

  async update() {
    this.answer = await ask("/runs", { limit: this.limit });
    this.draw();
  }

  choose(runId) {
    this.chosen = runId;
    if (this.answer) this.draw();
  }

  draw() {
    const { data: runs, meta } = this.answer;
    const shown = runs.map((run) => [run.run_id, run.experiment_id, run.condition, run.status, run.anomaly_severity, run.started_at, run.last_step]);
    show(this.root, [shown, meta.has_more, this.chosen], () =>
      runs.length === 0 ? [nothingYet()] : [heading(runs), element("ul", {}, ...runs.map((run) => this.#line(run))), ...this.#more(meta)],
    );
  }

  #line(run) {
    const details = [run.experiment_id, run.condition].filter(Boolean).join(" · ");
    const isChosen = run.run_id === this.chosen;
    const link = element(
      "a",
      { href: `#/runs/${encodeURIComponent(run.run_id)}`, ariaCurrent: isChosen ? "page" : null },
      element("span", { className: "name", title: run.run_id }, run.run_id),
      element("span", { className: "badges" }, run.anomaly_severity && badge(run.anomaly_severity), badge(run.status)),
      element("span", { className: "dim" }, details || "no experiment"),
      element("span", { className: "dim right" }, run.last_step === null ? time(run.started_at ?? run.first_seen) : `step ${number(run.last_step)}`),
    );
    link.dataset.key = run.run_id;
    return element("li", {}, link);
  }

  #more(meta) {
    if (!meta.has_more) return [];
    if (this.limit >= LIMIT_MAX) return [element("p", { className: "hint" }, `The newest ${number(LIMIT_MAX)} runs; the API has all.`)];
    const more = element("button", { type: "button" }, "Show more");
    more.dataset.key = "more";
    more.addEventListener("click", () => {
      this.limit = Math.min(this.limit + STEP, LIMIT_MAX);
      this.update().catch(() => {}); // the next tick says that it is not live
    });
    return [more];
  }
}

export function badge(status) {
  const made = element("span", { className: "badge" }, words(status));
  made.dataset.status = status;
  return made;
}

function heading(runs) {
  const running = runs.filter((run) => run.status === "running").length;
  return element("h2", {}, "Runs", element("small", {}, ` ${number(running)} running`));
}

const FIRST_LINES = `import crucible_telemetry as crucible

crucible.configure()
with crucible.experiment("first") as experiment, experiment.training() as training:
    for epoch in training.epochs(10):
        for batch in epoch.batches(loader):
            batch.log(loss=step(batch.data))`;

function nothingYet() {
  return element(
    "div",
    { className: "hint" },
    element("h2", {}, "No runs yet"),
    element("p", {}, "Start one, and it appears here:"),
    element("pre", {}, FIRST_LINES),
  );
}
