// Runs beside each other: their curves in one drawing, what differs in their settings, and whether their conditions differ.
// The address says which: `run` (several), or `experiment`, all of whose runs are taken; `metric`, `x`, `log`.

import { address, change, link } from "../address.js";
import { ask, send } from "../parts/ask.js";
import { differences } from "../parts/differences.js";
import { element, show } from "../parts/dom.js";
import { AXES, Overlay, pointsOf } from "../parts/overlay.js";
import { section, told } from "../parts/places.js";
import { sides, verdicts } from "../parts/sides.js";

const RUNS_MAX = 200;
const AT_ONCE = 6; // connections of a browser to one host
const OF_AN_ANSWER = 50; // of the API
const UNITS_MIN = 2;
const EVERY_MS = 10_000;
const RUN_FIELDS = "run_id,experiment_id,condition,status,config";

export class View {
  turn = 0; // of choices
  title = "Compare";
  wish = { kinds: "run" };

  constructor(root) {
    root.append(element("h1", {}, "Compare"));
    this.form = element("form", { className: "filters", ariaLabel: "What is compared" });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.hint = element("div", {});
    root.append(this.form, this.hint);
    this.curves = section(root, "Curves");
    this.verdict = section(root, "Do they differ?");
    this.config = section(root, "Configuration");
    this.overlay = new Overlay(this.curves, "Curves of the compared runs");
    this.#build();
    this.readdress();
  }

  close() {
    this.overlay.close();
  }

  recolour() {
    this.overlay.recolour();
  }

  readdress() {
    const { query } = address();
    this.runIds = query.getAll("run").slice(0, RUNS_MAX);
    this.metric = query.get("metric");
    this.x = AXES[query.get("x")] ? query.get("x") : "step";
    this.isLog = query.get("log") === "1";
    this.fields.experiment.value = query.get("experiment") ?? "";
    this.fields.x.value = this.x;
    this.fields.log.checked = this.isLog;
    this.runs = null;
    this.turn += 1;
    this.dueAt = 0;
    return true;
  }

  async update() {
    if (performance.now() < this.dueAt) return;
    this.dueAt = performance.now() + EVERY_MS;
    const { turn } = this;
    await told(this.hint, () => this.#find());
    const { runs } = this;
    const steps = [
      [this.curves, () => this.#draw(runs)],
      [this.verdict, () => this.#compare(runs)],
      [this.config, () => show(this.config, runs, () => differences(runs))],
    ];
    // Another choice may be made between any two answers: it is asked for from the start.
    for (const [place, step] of steps) if (this.turn === turn && runs?.length) await told(place, step);
  }

  #build() {
    const choice = (options) => element("select", {}, ...options.map(([value, label]) => element("option", { value }, label)));
    this.fields = {
      experiment: element("input", { type: "search", autocomplete: "off", placeholder: "experiment id" }),
      metric: choice([]),
      x: choice(Object.entries(AXES)),
      log: element("input", { type: "checkbox" }),
    };
    const names = { experiment: "All runs of", metric: "Metric", x: "Over", log: "Logarithmic" };
    this.form.append(...Object.entries(this.fields).map(([name, field]) => element("label", {}, names[name], field)));
    this.form.addEventListener("change", () => this.#change());
  }

  #change() {
    const { experiment, metric, x, log } = this.fields;
    const isOther = experiment.value !== (address().query.get("experiment") ?? "");
    change({ experiment: experiment.value, metric: metric.value, x: x.value, log: log.checked ? "1" : null, ...(isOther ? { run: [], metric: null } : {}) });
    this.readdress();
    document.dispatchEvent(new Event("ask-now"));
  }

  async #find() {
    const experiment = this.fields.experiment.value.trim();
    if (this.runIds.length === 0 && !experiment) return this.#ask();
    const found = this.runIds.length > 0 ? await this.#named() : (await ask("/runs", { experiment, limit: RUNS_MAX, fields: RUN_FIELDS })).data;
    found.sort((a, b) => (a.run_id < b.run_id ? -1 : 1));
    if (found.length === 0) return show(this.hint, "none", () => [element("p", { className: "hint" }, "There are no such runs.")]);
    show(this.hint, found.length, () => [element("p", { className: "dim" }, `${found.length === 1 ? "1 run" : `${found.length} runs`}${found.length === RUNS_MAX ? ", the most that are drawn" : ""}.`)]);
    await this.#metrics(found[0].run_id);
    this.runs = found;
  }

  #ask() {
    show(this.hint, "ask", () => [
      element("p", { className: "hint" }, "Name an experiment above, or tick runs in ", element("a", { href: link(["experiments"]) }, "an experiment's table"), "."),
    ]);
  }

  // Those that are not there (any more) are left out.
  async #named() {
    const found = [];
    for (let first = 0; first < this.runIds.length; first += AT_ONCE) {
      const answers = this.runIds.slice(first, first + AT_ONCE).map((id) => ask(`/runs/${encodeURIComponent(id)}`).catch(ifMissing));
      found.push(...(await Promise.all(answers)).filter(Boolean).map((answer) => answer.data));
    }
    return found;
  }

  async #metrics(runId) {
    const { data } = await ask(`/runs/${encodeURIComponent(runId)}`);
    const names = [...new Set(data.latest.map((latest) => latest.metric))];
    if (this.metric && !names.includes(this.metric)) names.unshift(this.metric);
    this.metric ??= names.find((name) => /(^|[_/.])loss$/.test(name)) ?? names[0] ?? null;
    show(this.fields.metric, names, () => names.map((name) => element("option", { value: name }, name)));
    this.fields.metric.value = this.metric ?? "";
  }

  async #draw(runs) {
    if (!this.metric) return;
    const answer = await this.#lines(runs.map((each) => escaped(each.run_id)));
    const groups = new Map(runs.map((each) => [each.run_id, each.condition ?? each.experiment_id]));
    this.overlay.draw(answer, groups, this.isLog);
    this.curves.dataset.lines = answer.meta.lines.length;
  }

  async #lines(runs) {
    const parts = Array.from({ length: Math.ceil(runs.length / OF_AN_ANSWER) }, (_, part) => runs.slice(OF_AN_ANSWER * part, OF_AN_ANSWER * (part + 1)));
    const asked = { metric: this.metric, x: this.x, points: pointsOf(runs.length), fields: `run_id,series_id,${FIELD[this.x]},value` };
    const answers = await Promise.all(parts.map((part) => ask("/curves", { ...asked, run: part.join(",") })));
    const [{ meta }] = answers;
    return { data: answers.flatMap((each) => each.data), meta: { ...meta, lines: answers.flatMap((each) => each.meta.lines) } };
  }

  async #compare(all) {
    const groups = Map.groupBy ? Map.groupBy(all, sideOf) : grouped(all);
    const said = whyNot(groups);
    if (!this.metric || said) {
      return show(this.verdict, said, () => [element("p", { className: "hint" }, said)]);
    }
    const runs = Object.fromEntries([...groups].map(([name, members]) => [name, members.map((each) => each.run_id)]));
    const { data } = await send("/compare", { metric: this.metric, runs });
    const [metric] = data.metrics;
    show(this.verdict, data, () => [verdicts(metric), sides(metric), ...notes(data, metric)]);
  }
}

const FIELD = { step: "step", time: "time", relative_time: "relative_s" };

function escaped(text) {
  return text.replace(/[\\,]/g, "\\$&");
}

function ifMissing(failure) {
  if (failure.status === 404) return null;
  throw failure;
}

function sideOf(run) {
  return run.condition ?? run.experiment_id ?? "no condition";
}

function grouped(runs) {
  const found = new Map();
  for (const run of runs) found.set(sideOf(run), [...(found.get(sideOf(run)) ?? []), run]);
  return found;
}

// What keeps sides from being compared; empty where nothing does.
function whyNot(groups) {
  if (groups.size < 2) return "Two conditions are needed, or two experiments: these runs are all of one.";
  const [few] = [...groups].filter(([, members]) => members.length < UNITS_MIN).map(([name]) => name);
  return few === undefined ? "" : `Of ${few} there is one run: at least ${UNITS_MIN} of each are needed, as one says nothing of how much they differ among themselves.`;
}

function notes(data, metric) {
  const drawn = `Dots are ${metric.unit}s, the box their middle half, the square their mean with its ${100 * data.confidence} % interval.`;
  const left = metric.groups.flatMap((group) => group.left_out.map((each) => `${group.name}: ${each.count} left out, ${each.reason}.`));
  const cut = metric.groups.some((group) => !group.values_complete) ? ["Only the first 1,000 of a side are drawn."] : [];
  return [drawn, ...left, ...cut, ...metric.warnings].map((text) => element("p", { className: "dim" }, text));
}
