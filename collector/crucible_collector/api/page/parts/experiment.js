// One experiment: what it is, how it is, what it costs, its conditions and its runs. Each is a question of its own, so that
// one that fails leaves the others.

import { link } from "../address.js";
import { ask } from "./ask.js";
import { element, show, table } from "./dom.js";
import { estimate } from "./estimate.js";
import { ExperimentRuns } from "./experiment_runs.js";
import { duration, money, number, time, words } from "./format.js";
import { figure, section, told } from "./places.js";
import { badge } from "./runs.js";

const EVERY_MS = 5000;
const COST_EVERY_MS = 30_000; // sums over all that it ever called
const REASONS_MAX = 100; // of the API
const BUDGETS_MAX = 1000; // of the API

export class Experiment {
  constructor(root, experimentId) {
    this.experimentId = experimentId;
    this.path = `/experiments/${encodeURIComponent(experimentId)}`;
    this.dueAt = 0;
    this.costAt = 0;
    this.heading = element("h1", {}, experimentId);
    this.head = element("div", { className: "head" });
    root.append(this.heading, this.head);
    this.health = section(root, "Health");
    this.figures = section(root, "Figures");
    this.course = element("div", {});
    this.costs = element("div", {});
    // Two questions, one line of cards.
    for (const each of [this.course, this.costs]) each.style.display = "contents";
    this.figures.append(element("div", { className: "cards" }, this.course, this.costs));
    this.conditions = section(root, "Conditions");
    this.runs = new ExperimentRuns(section(root, "Runs"), experimentId);
  }

  close() {
    this.runs.close();
  }

  async update() {
    const now = performance.now();
    if (now >= this.dueAt) {
      this.dueAt = now + EVERY_MS;
      await told(this.head, () => this.#itself());
      await told(this.health, () => this.#health());
    }
    if (now >= this.costAt) {
      this.costAt = now + COST_EVERY_MS;
      await told(this.costs, () => this.#costs());
    }
    await this.runs.update();
  }

  async #itself() {
    const { data } = await ask(this.path);
    this.title = data.name ?? data.experiment_id;
    this.status = data.status;
    this.#name();
    const { last_seen, course, conditions, ...rest } = data;
    show(this.head, rest, () => this.#facts(data));
    show(this.course, [data.run_count, course], () => figures(data));
    show(this.conditions, [conditions, data.conditions_are_complete], () => sides(data));
  }

  async #health() {
    const { verdict, reasons } = (await ask(`${this.path}/health`)).data;
    this.verdict = verdict;
    this.#name();
    show(this.health, [verdict, reasons], () => complaints(reasons));
  }

  #name() {
    const badges = [this.status, this.verdict].filter(Boolean);
    show(this.heading, [this.title, badges], () => [this.title ?? this.experimentId, ...badges.map(badge)]);
  }

  #facts(data) {
    const known = [
      data.owner && `by ${data.owner}`,
      data.experiment_type && words(data.experiment_type),
      `began ${time(data.first_seen)}`,
      data.name && data.name !== data.experiment_id && `id ${data.experiment_id}`,
    ];
    const tags = data.tags.flatMap((tag) => [" · ", element("a", { href: link(["experiments"], { tag }) }, tag)]);
    return [
      data.hypothesis && element("p", {}, data.hypothesis),
      element("p", { className: "dim" }, known.filter(Boolean).join(" · "), ...tags),
      data.is_aborted ? element("p", {}, `Aborted: ${data.abort_reason ?? "no reason was given"}`) : null,
      data.status === "paused" ? element("p", {}, `Paused: ${data.pause_reason ?? "no reason was given"}`) : null,
      element("p", { className: "ways" }, ...this.#ways()),
    ];
  }

  #ways() {
    const found = [
      ["Compare its conditions", link(["compare"], { experiment: this.experimentId })],
      ["Events", link(["events"], { experiment: this.experimentId })],
      ["Anomalies", link(["anomalies"], { experiment: this.experimentId })],
    ];
    return found.map(([name, href]) => element("a", { href }, name));
  }

  // Budgets as a list: that one experiment has none of its own would be a failure, of which browsers tell in their console.
  async #costs() {
    const of = { experiment: this.experimentId, limit: 1 };
    const [all, today, budgets] = await Promise.all([ask("/cost", of), ask("/cost", { ...of, from: midnight() }), ask("/cost/budgets", { limit: BUDGETS_MAX })]);
    const own = budgets.data.find((each) => each.experiment_id === this.experimentId);
    const budget = own ?? budgets.data.find((each) => each.experiment_id === null) ?? null;
    show(this.costs, [all.data, today.data, budget], () => [
      figure("Cost of calls", spent(all.data[0]), unpriced(all.data[0])),
      figure("Since midnight (UTC)", spent(today.data[0]), allowed(budget)),
    ]);
  }
}

function midnight() {
  const at = new Date();
  at.setUTCHours(0, 0, 0, 0);
  return at.toISOString();
}

function spent(cost) {
  return cost ? estimate(cost.cost_usd, cost.cost_usd_interval, money) : "–";
}

function unpriced(cost) {
  if (!cost?.call_count) return "It has called no model.";
  const calls = `${number(Math.round(cost.call_count))} calls`;
  return cost.unpriced_call_count > 0 ? `${calls}, ${number(Math.round(cost.unpriced_call_count))} of no known price` : calls;
}

function allowed(budget) {
  if (budget === null) return "No budget is set.";
  return `of ${money(budget.usd_per_day)} a day${budget.experiment_id === null ? ", as for every experiment" : ""}`;
}

function figures({ run_count: count, sample_size: wanted, course }) {
  const states = Object.entries(course.runs_by_status).map(([status, runs]) => `${number(runs)} ${words(status)}`);
  const paused = course.paused_duration_ms > 0 ? `and ${duration(course.paused_duration_ms)} paused` : "";
  return [
    figure("Runs", wanted === null ? number(count) : `${number(count)} of ${number(wanted)}`, states.join(", ")),
    figure("Active", duration(course.active_duration_ms), paused),
  ];
}

function complaints(reasons) {
  if (reasons.length === 0) return [element("p", { className: "dim" }, "Nothing is wrong that is not over.")];
  const cut = reasons.length < REASONS_MAX ? null : element("p", { className: "dim" }, `The newest ${REASONS_MAX}; the anomalies of its runs are all there.`);
  const list = element("ul", { className: "lines", tabIndex: 0, ariaLabel: "What is wrong" }, ...reasons.toReversed().map(complaint));
  // Many of them must not push the runs out of sight.
  list.style.maxHeight = "12rem";
  list.style.overflowY = "auto";
  return [list, cut];
}

function complaint({ severity, run_id: runId, text, since, state }) {
  const from = [`since ${time(since)}`, state === "active" ? null : words(state)].filter(Boolean).join(" · ");
  return element("li", {}, badge(severity), runId && element("a", { href: link(["runs", runId]) }, runId), element("span", {}, text), element("span", { className: "dim" }, from));
}

function sides({ conditions, conditions_are_complete: isComplete }) {
  if (conditions.length === 0) return [element("p", { className: "hint" }, "None yet: a run is given one with its experiment.")];
  const name = "Conditions of the experiment";
  const rows = conditions.map((each) => [each.condition ?? "none", ...["run", "running", "completed", "failed"].map((what) => number(each[`${what}_count`])), time(each.last_seen)]);
  const heads = ["Condition", "Runs", "Running", "Completed", "Failed", "Last heard of"];
  const box = element("div", { className: "rows", tabIndex: 0, role: "region", ariaLabel: name }, table(name, heads, rows));
  return [box, isComplete ? null : element("p", { className: "dim" }, `The first ${number(conditions.length)}; there are more.`)];
}
