// Experiments: the list of all, or one with its conditions and its runs.

import { link } from "../address.js";
import { ask } from "../parts/ask.js";
import { element, show, table } from "../parts/dom.js";
import { Filters } from "../parts/filters.js";
import { duration, number, time } from "../parts/format.js";
import { section, told } from "../parts/places.js";
import { Rows } from "../parts/rows.js";
import { badge } from "../parts/runs.js";

const LIST_MAX = 1000; // of the API
const RUNS_MAX = 5000;
const EVERY_MS = 5000;
const RUN_FIELDS = "run_id,condition,status,anomaly_severity,model_name,started_at,duration_ms,last_step,last_epoch,config,summary";

export class View {
  title = "Experiments";
  wish = { kinds: "run" };

  constructor(root, { segments: [, experimentId] }) {
    this.experimentId = experimentId ?? null;
    this.shown = this.experimentId === null ? new List(root) : new Experiment(root, this.experimentId);
    this.title = this.experimentId ?? "Experiments";
    this.dueAt = 0;
  }

  readdress({ segments: [, experimentId = null] }) {
    return experimentId === this.experimentId;
  }

  async update() {
    if (performance.now() < this.dueAt) return;
    this.dueAt = performance.now() + EVERY_MS;
    await this.shown.update();
  }

  close() {
    this.shown.close();
  }
}

class List {
  constructor(root) {
    root.append(element("h1", {}, "Experiments"));
    const fields = [
      { name: "text", label: "Text", placeholder: "name, hypothesis…" },
      { name: "tag", label: "Tag" },
      { name: "owner", label: "Owner" },
      { name: "status", label: "Status", options: ["running", "paused", "stopped", "archived"] },
    ];
    this.filters = new Filters(root, "Filters of experiments", fields, () => this.update().catch(() => {}));
    this.place = element("div", {});
    root.append(this.place);
    const caption = "Experiments";
    const empty = "No experiment is stored that is like this. One begins with crucible.experiment(…) in a training script.";
    this.rows = new Rows(this.place, { caption, columns: LIST_COLUMNS, empty });
  }

  async update() {
    await told(this.place, async () => {
      const { data, meta } = await ask("/experiments", { ...this.filters.values, limit: LIST_MAX });
      this.rows.show(data, meta.has_more ? `The newest ${number(LIST_MAX)}; a filter may help.` : "");
    });
  }

  close() {
    this.rows.close();
  }
}

const LIST_COLUMNS = [
  { name: "name", label: "Experiment", value: (row) => row.name ?? row.experiment_id, cell: (row) => element("a", { href: link(["experiments", row.experiment_id]) }, row.name ?? row.experiment_id) },
  { name: "status", label: "Status", value: (row) => row.status, cell: (row) => (row.status ? badge(row.status) : "–") },
  { name: "runs", label: "Runs", value: (row) => row.run_count, isNumber: true },
  { name: "hypothesis", label: "Hypothesis", value: (row) => row.hypothesis },
  { name: "tags", label: "Tags", value: (row) => (row.tags ?? []).join(", ") },
  { name: "owner", label: "Owner", value: (row) => row.owner },
  { name: "last_seen", label: "Last heard of", value: (row) => row.last_seen, cell: (row) => time(row.last_seen) },
  { name: "first_seen", label: "Began", value: (row) => row.first_seen, cell: (row) => time(row.first_seen), isHidden: true },
  { name: "id", label: "Id", value: (row) => row.experiment_id, isHidden: true },
];

class Experiment {
  constructor(root, experimentId) {
    this.path = `/experiments/${encodeURIComponent(experimentId)}`;
    this.experimentId = experimentId;
    this.chosen = new Set();
    this.head = element("div", { className: "head" });
    root.append(this.head);
    this.conditions = section(root, "Conditions");
    this.place = section(root, "Runs");
    this.compare = element("p", {});
    this.place.append(this.compare);
    this.#tellChosen();
  }

  close() {
    this.rows?.close();
  }

  async update() {
    await told(this.head, () => this.#head());
    await told(this.place, () => this.#runs());
  }

  async #head() {
    const [{ data }, health] = await Promise.all([ask(this.path), ask(`${this.path}/health`)]);
    const { verdict, reasons } = health.data;
    const { last_seen, ...rest } = data;
    show(this.head, [rest, verdict, reasons], () => [
      element("h1", {}, data.name ?? data.experiment_id, data.status ? badge(data.status) : null, badge(verdict)),
      data.hypothesis ? element("p", {}, data.hypothesis) : null,
      element("p", { className: "dim" }, [data.owner && `by ${data.owner}`, (data.tags ?? []).join(", "), `began ${time(data.first_seen)}`, data.run_count === 1 ? "1 run" : `${number(data.run_count)} runs`].filter(Boolean).join(" · ")),
      ...reasons.map((reason) => element("p", {}, reason.says ?? String(reason))),
      element("p", { className: "ways" }, ...this.#ways()),
    ]);
    show(this.conditions, data.conditions, () => [conditions(data)]);
  }

  #ways() {
    const found = [
      ["Compare its conditions", link(["compare"], { experiment: this.experimentId })],
      ["Events", link(["events"], { experiment: this.experimentId })],
      ["Anomalies", link(["anomalies"], { experiment: this.experimentId })],
    ];
    return found.map(([name, href]) => element("a", { href }, name));
  }

  // All of them, page by page: sorting is of all that there are.
  async #runs() {
    const found = [];
    let cursor = null;
    do {
      const answer = await ask("/runs", { experiment: this.experimentId, limit: LIST_MAX, fields: RUN_FIELDS, cursor });
      found.push(...answer.data);
      cursor = answer.meta.next_cursor;
    } while (cursor !== null && found.length < RUNS_MAX);
    this.rows ??= new Rows(this.place, { caption: "Runs of the experiment", columns: this.#columns(found), empty: "It has no runs yet." });
    this.rows.show(found, cursor === null ? "" : `The newest ${number(RUNS_MAX)}; the API has all.`);
  }

  // Settings and results as columns to choose, by what the first runs have.
  #columns(runs) {
    const keys = (name) => [...new Set(runs.slice(0, 50).flatMap((run) => Object.keys(run[name] ?? {})))].sort();
    const of = (name, key) => ({ name: `${name}.${key}`, label: key, value: (run) => plain(run[name]?.[key]), isHidden: true, isNumber: true });
    const box = { name: "chosen", label: "✓", value: (run) => (this.chosen.has(run.run_id) ? 1 : 0), cell: (run) => this.#box(run.run_id) };
    return [box, ...RUN_COLUMNS, ...keys("config").map((key) => of("config", key)), ...keys("summary").map((key) => of("summary", key))];
  }

  #box(runId) {
    const made = element("input", { type: "checkbox", checked: this.chosen.has(runId), ariaLabel: `Compare ${runId}` });
    made.addEventListener("change", () => {
      if (made.checked) this.chosen.add(runId);
      else this.chosen.delete(runId);
      this.#tellChosen();
    });
    return made;
  }

  #tellChosen() {
    const run = [...this.chosen];
    this.compare.replaceChildren(
      run.length < 2 ? element("span", { className: "dim" }, "Tick two runs or more to compare them.") : element("a", { href: link(["compare"], { run }) }, `Compare ${run.length} runs`),
    );
  }
}

const RUN_COLUMNS = [
  { name: "run_id", label: "Run", value: (run) => run.run_id, cell: (run) => element("a", { href: link(["runs", run.run_id]) }, run.run_id) },
  { name: "condition", label: "Condition", value: (run) => run.condition },
  { name: "status", label: "Status", value: (run) => run.status, cell: (run) => badge(run.status) },
  { name: "anomalies", label: "Anomalies", value: (run) => run.anomaly_severity, cell: (run) => (run.anomaly_severity ? badge(run.anomaly_severity) : "–") },
  { name: "step", label: "Step", value: (run) => run.last_step, cell: (run) => number(run.last_step), isNumber: true },
  { name: "epoch", label: "Epoch", value: (run) => run.last_epoch, cell: (run) => number(run.last_epoch), isNumber: true, isHidden: true },
  { name: "started", label: "Started", value: (run) => run.started_at, cell: (run) => time(run.started_at) },
  { name: "took", label: "Took", value: (run) => run.duration_ms, cell: (run) => duration(run.duration_ms), isNumber: true },
  { name: "model", label: "Model", value: (run) => run.model_name, isHidden: true },
];

function conditions(data) {
  if (data.conditions.length === 0) return element("p", { className: "hint" }, "None yet.");
  const rows = data.conditions.map((each) => [each.condition ?? "none", number(each.run_count), number(each.running_count), number(each.completed_count), number(each.failed_count)]);
  return table("Conditions of the experiment", ["Condition", "Runs", "Running", "Completed", "Failed"], rows);
}

function plain(value) {
  return value === undefined || value === null || typeof value === "number" || typeof value === "string" ? value : JSON.stringify(value);
}
