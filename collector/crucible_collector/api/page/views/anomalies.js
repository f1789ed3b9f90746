// Periods of anomalies, with the series around each, and what people make of them.

import { link } from "../address.js";
import { ACTIONS, Question, VERBS, name, place, told as said, worst } from "../parts/anomalies.js";
import { ask, send } from "../parts/ask.js";
import { element, show } from "../parts/dom.js";
import { Filters } from "../parts/filters.js";
import { number } from "../parts/format.js";
import { told } from "../parts/places.js";
import { badge } from "../parts/runs.js";
import { Around } from "../parts/around.js";

const PERIODS_MAX = 100;
const EVERY_MS = 5000;
const FIELDS = [
  { name: "state", label: "State", options: ["active", "acknowledged", "silenced", "resolved"] },
  { name: "severity", label: "Severity", options: ["info", "warning", "critical"] },
  { name: "experiment", label: "Experiment" },
  { name: "run", label: "Run" },
  { name: "metric", label: "Metric" },
  { name: "detector", label: "Detector" },
];

export class View {
  title = "Anomalies";
  wish = { kinds: "anomaly" };

  constructor(root) {
    root.append(element("h1", {}, "Anomalies"));
    this.filters = new Filters(root, "Filters of anomalies", FIELDS, () => this.#soon());
    this.place = element("div", { className: "anomalies" });
    root.append(this.place);
    this.question = new Question((period, state, given) => this.#change(period, state, given));
    this.around = new Map(); // by period: those that are open
    this.dueAt = 0;
  }

  close() {
    this.question.root.remove();
    for (const each of this.around.values()) each.close();
  }

  recolour() {
    for (const each of this.around.values()) each.recolour();
  }

  readdress() {
    return false;
  }

  heard() {
    this.dueAt = 0;
  }

  async update() {
    if (performance.now() < this.dueAt) return;
    this.dueAt = performance.now() + EVERY_MS;
    await told(this.place, () => this.#draw());
  }

  #soon() {
    this.dueAt = 0;
    document.dispatchEvent(new Event("ask-now"));
  }

  async #draw() {
    const { data, meta } = await ask("/anomalies/periods", { ...this.filters.values, limit: PERIODS_MAX });
    show(this.place, [data, meta.has_more], () => {
      if (data.length === 0) return [element("p", { className: "hint" }, "Nothing that was flagged is like this. Every number that a run sends is watched.")];
      const more = meta.has_more ? element("p", { className: "dim" }, `The newest ${number(PERIODS_MAX)}; a filter shows others.`) : null;
      return [element("ul", {}, ...data.map((period) => this.#line(period))), more];
    });
  }

  #line(period) {
    const { period_id: id, state, run_id: run } = period;
    const graph = element("button", { type: "button", ariaExpanded: String(this.around.has(id)) }, "Series");
    graph.dataset.key = `${id} series`;
    const line = element(
      "li",
      {},
      element("p", { className: "what" }, badge(period.severity), badge(state), element("strong", {}, name(period)), ` ${place(period)} `, run ? element("a", { href: link(["runs", run]) }, run) : ""),
      element("p", {}, worst(period), ` (${period.detector})`),
      element("p", { className: "dim" }, said(period)),
      element("p", { className: "actions" }, ...ACTIONS[state].map((next) => this.#button(period, next)), run ? graph : null),
    );
    line.dataset.state = state;
    graph.addEventListener("click", () => this.#toggle(period, line, graph));
    const open = this.around.get(id);
    if (open) line.append(open.root);
    return line;
  }

  #toggle(period, line, graph) {
    const id = period.period_id;
    const open = this.around.get(id);
    graph.setAttribute("aria-expanded", String(!open));
    if (open) {
      open.close();
      open.root.remove();
      this.around.delete(id);
      return;
    }
    const made = new Around(period);
    this.around.set(id, made);
    line.append(made.root);
    told(made.root, () => made.update());
  }

  #button(period, next) {
    const made = element("button", { type: "button", ariaLabel: `${VERBS[next]}: ${name(period)}, ${place(period)}` }, VERBS[next]);
    made.dataset.key = `${period.period_id} ${next}`;
    made.addEventListener("click", () => this.question.open(period, next));
    return made;
  }

  async #change(period, state, given) {
    await send(`/anomalies/periods/${period.period_id}/state`, { state, ...given });
    this.#soon();
  }
}
