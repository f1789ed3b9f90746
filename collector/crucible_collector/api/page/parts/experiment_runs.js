// The runs of one experiment as rows, with what they were set to and what they said at their end as columns to choose, and
// ticks that lead to the comparison.

import { address, change, link } from "../address.js";
import { ask } from "./ask.js";
import { element } from "./dom.js";
import { duration, number, time } from "./format.js";
import { told } from "./places.js";
import { Rows } from "./rows.js";
import { badge } from "./runs.js";

const OF_AN_ANSWER = 1000; // of the API
const RUNS_MAX = 5000;
const COMPARED_MAX = 200; // of the view that compares
const KEYS_MAX = 200; // a person who looks for one among more does not find it
const EVERY_MS = 5000;
const REST = 10; // however long they take to fetch, they are asked for a tenth of the time at most
const FIELDS = "run_id,condition,status,anomaly_severity,model_name,started_at,duration_ms,last_step,last_epoch,config,summary";

export class ExperimentRuns {
  constructor(root, experimentId) {
    this.experimentId = experimentId;
    this.dueAt = 0;
    this.ticked = new Set(address().query.getAll("run"));
    this.compare = element("p", { role: "status" });
    this.place = element("div", {});
    root.append(this.compare, this.place);
    this.#tellTicked();
  }

  close() {
    this.rows?.close();
  }

  async update() {
    const start = performance.now();
    if (start < this.dueAt) return;
    await told(this.place, async () => {
      const { runs, isCut } = await this.#fetch();
      this.#show(runs, isCut);
    });
    const spent = performance.now() - start;
    this.dueAt = performance.now() + Math.max(EVERY_MS, REST * spent);
  }

  // Page by page: what is sorted is all that there are.
  async #fetch() {
    const runs = [];
    let cursor = null;
    do {
      const answer = await ask("/runs", { experiment: this.experimentId, limit: OF_AN_ANSWER, fields: FIELDS, cursor });
      runs.push(...answer.data);
      cursor = answer.meta.next_cursor;
    } while (cursor !== null && runs.length < RUNS_MAX);
    return { runs, isCut: cursor !== null };
  }

  #show(runs, isCut) {
    const text = JSON.stringify(runs);
    if (text === this.text) return;
    this.text = text;
    const focused = this.place.contains(document.activeElement) ? document.activeElement.ariaLabel : null;
    const isCutShort = this.#build(runs);
    const notes = [isCut && `The newest ${number(RUNS_MAX)} runs; the API has all.`, isCutShort && `Of settings and results, ${KEYS_MAX} each can be chosen.`];
    this.rows.show(runs, notes.filter(Boolean).join(" "));
    if (focused) [...this.place.querySelectorAll("input")].find((each) => each.ariaLabel === focused)?.focus();
  }

  // Anew where a run has told what none had before, as the first that ends does with its results.
  #build(runs) {
    const found = ["config", "summary"].map((of) => [of, keys(runs, of)]);
    const names = JSON.stringify(found);
    if (names !== this.names) {
      this.names = names;
      this.#replace(runs, found.flatMap(([of, each]) => each.slice(0, KEYS_MAX).map((key) => columnOf(runs, of, key))));
    }
    return found.some(([, each]) => each.length > KEYS_MAX);
  }

  // Whoever reads on or chooses columns meanwhile stays where they are.
  #replace(runs, told) {
    const at = this.rows?.box.scrollTop ?? 0;
    const isOpen = this.rows?.root.querySelector(".chooser").open ?? false;
    this.rows?.close();
    this.rows?.root.remove();
    const empty = "It has no runs yet: one begins with experiment.training() in a training script.";
    this.rows = new Rows(this.place, { caption: "Runs of the experiment", columns: [this.#tick(), ...COLUMNS, ...told], empty });
    this.rows.root.querySelector(".chooser").open = isOpen;
    this.rows.show(runs);
    this.rows.box.scrollTop = at;
  }

  #tick() {
    const isTicked = (run) => this.ticked.has(run.run_id);
    return { name: "ticked", label: "Chosen", value: (run) => Number(isTicked(run)), cell: (run) => this.#box(run.run_id, isTicked(run)) };
  }

  #box(runId, checked) {
    const made = element("input", { type: "checkbox", checked, ariaLabel: `Compare ${runId}` });
    made.addEventListener("change", () => {
      if (made.checked) this.ticked.add(runId);
      else this.ticked.delete(runId);
      this.#ticked();
    });
    return made;
  }

  // In the address, so that one step back from the comparison finds them as they were.
  #ticked() {
    change({ run: [...this.ticked] });
    this.#tellTicked();
  }

  #tellTicked() {
    const run = [...this.ticked].slice(0, COMPARED_MAX);
    const none = element("button", { type: "button" }, "Choose none");
    none.addEventListener("click", () => {
      this.ticked.clear();
      for (const each of this.place.querySelectorAll("tbody input")) each.checked = false;
      this.#ticked();
    });
    const isMore = this.ticked.size > COMPARED_MAX;
    const way = element("a", { href: link(["compare"], { run }) }, `Compare ${isMore ? "the first " : ""}${number(run.length)} runs`);
    const hint = element("span", { className: "dim" }, "Tick two runs or more to compare them.");
    this.compare.replaceChildren(...[run.length < 2 ? hint : way, " ", run.length > 0 ? none : ""]);
  }
}

const COLUMNS = [
  { name: "run_id", label: "Run", value: (run) => run.run_id, cell: (run) => element("a", { href: link(["runs", run.run_id]), title: run.run_id }, run.run_id) },
  { name: "condition", label: "Condition", value: (run) => run.condition },
  { name: "status", label: "Status", value: (run) => run.status, cell: (run) => badge(run.status) },
  { name: "anomalies", label: "Anomalies", value: (run) => SEVERITIES[run.anomaly_severity], cell: (run) => (run.anomaly_severity ? badge(run.anomaly_severity) : null) },
  { name: "step", label: "Step", value: (run) => run.last_step, cell: (run) => number(run.last_step), isNumber: true },
  { name: "epoch", label: "Epoch", value: (run) => run.last_epoch, cell: (run) => number(run.last_epoch), isNumber: true, isHidden: true },
  { name: "started", label: "Started", value: (run) => run.started_at, cell: (run) => time(run.started_at) },
  { name: "took", label: "Took", value: (run) => run.duration_ms, cell: (run) => duration(run.duration_ms), isNumber: true },
  { name: "model", label: "Model", value: (run) => run.model_name, isHidden: true },
];

// As numbers, for the worst to be first or last.
const SEVERITIES = { info: 1, warning: 2, critical: 3 };
const NOT_FINITE = { NaN: null, Infinity, "-Infinity": -Infinity };

function keys(runs, of) {
  return [...new Set(runs.flatMap((run) => Object.keys(run[of] ?? {})))].sort();
}

function columnOf(runs, of, key) {
  const at = (run) => run[of]?.[key];
  const isNumber = runs.every((run) => at(run) === undefined || at(run) === null || typeof at(run) === "number" || Object.hasOwn(NOT_FINITE, String(at(run))));
  // The columns' names are in the address between commas.
  const name = `${of}.${key.replaceAll(",", "%2C")}`;
  return { name, label: `${of}.${key}`, value: (run) => sortable(at(run)), cell: (run) => readable(at(run)), isNumber, isHidden: true };
}

// NaN is larger or smaller than nothing: as what is not there, it comes last.
function sortable(value) {
  if (typeof value === "string" && Object.hasOwn(NOT_FINITE, value)) return NOT_FINITE[value];
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

function readable(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return number(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}
