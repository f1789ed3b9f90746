// Events: searched, with chosen columns, told as they come, and taken away as a file.

import { link } from "../address.js";
import { ask } from "../parts/ask.js";
import { element } from "../parts/dom.js";
import { Export } from "../parts/export.js";
import { Filters } from "../parts/filters.js";
import { duration, money, moment, number } from "../parts/format.js";
import { told } from "../parts/places.js";
import { Rows } from "../parts/rows.js";
import { badge } from "../parts/runs.js";

const PAGE = 500;
const KEPT_MAX = 20_000;
const EVERY_MS = 1000; // a page of events is much to ask for as often as something is told
const EMPTY = "No event is stored that is like this. Ask for less above; where there is none at all, the overview says how to begin.";
const FIELDS = [
  { name: "experiment", label: "Experiment" },
  { name: "run", label: "Run" },
  { name: "event", label: "Event", placeholder: "crucible_train.epoch.stop" },
  { name: "correlation", label: "Correlation" },
  { name: "trace", label: "Trace" },
  { name: "status", label: "Status", options: ["ok", "error", "unset"] },
  { name: "from", label: "From", placeholder: "2026-01-31T12:00Z" },
  { name: "to", label: "To" },
];

export class View {
  title = "Events";
  wish = { kinds: "event" };

  constructor(root) {
    root.append(element("h1", {}, "Events"));
    this.filters = new Filters(root, "Filters of events", FIELDS, () => this.#anew());
    this.dueAt = 0;
    this.actions = element("p", { className: "ways" });
    this.place = element("div", {});
    root.append(this.actions, this.place);
    this.rows = new Rows(this.place, { caption: "Events", columns: COLUMNS, empty: "" });
    this.failed = element("div", {});
    this.place.append(this.failed);
    this.older = button("Older", () => this.#older());
    this.pause = button("Pause", () => this.#pause());
    this.export = new Export(this.actions, () => this.filters.values);
    this.actions.prepend(this.pause, this.older);
    this.#anew();
  }

  close() {
    this.rows.close();
    this.export.close();
  }

  readdress() {
    return false;
  }

  heard() {
    this.isNew = true;
  }

  unheard() {
    this.isNew = true;
  }

  async update() {
    const isDue = this.isNew && !this.isPaused && performance.now() >= this.dueAt;
    if (!isDue && !this.isAsked) return;
    this.isNew = this.isAsked = false;
    this.dueAt = performance.now() + EVERY_MS;
    try {
      await told(this.place, () => this.#newest());
    } catch (failure) {
      this.isAsked = true; // nothing may be told that would have it asked again
      throw failure;
    }
  }

  // A person asks for it: also where what comes by itself is paused.
  #anew() {
    this.search = {}; // an answer to the one before is not for this one
    this.all = [];
    this.cursor = null;
    this.isAsked = true;
    this.failed.replaceChildren();
    this.rows.empty = "";
    this.rows.show([]);
    this.older.disabled = true;
    document.dispatchEvent(new Event("ask-now"));
  }

  #pause() {
    this.isPaused = !this.isPaused;
    this.pause.textContent = this.isPaused ? "Go on" : "Pause";
    this.isNew = true;
  }

  // What is there already stays: the newest are put before it.
  async #newest() {
    const { search } = this;
    const { data, meta } = await ask("/events", { ...this.filters.values, limit: PAGE });
    if (search !== this.search) return;
    const known = new Set(this.all.map(keyOf));
    const isBegin = this.all.length === 0;
    const fresh = data.filter((event) => !known.has(keyOf(event)));
    const isWhole = isBegin || fresh.length < data.length;
    this.all = isWhole ? [...fresh, ...this.all].slice(0, KEPT_MAX) : data;
    if (isBegin || !isWhole) this.cursor = meta.next_cursor;
    this.#show();
  }

  async #older() {
    const { search } = this;
    this.older.disabled = true; // a second click would ask for the same
    this.failed.replaceChildren();
    try {
      const { data, meta } = await ask("/events", { ...this.filters.values, limit: PAGE, cursor: this.cursor });
      if (search !== this.search) return;
      this.all.push(...data);
      this.cursor = meta.next_cursor;
      this.#show();
    } catch (failure) {
      if (search !== this.search) return;
      this.failed.replaceChildren(element("p", { className: "failure", role: "alert" }, failure.message));
      this.older.disabled = false;
    }
  }

  #show() {
    this.rows.empty = EMPTY;
    this.older.disabled = this.cursor === null || this.all.length >= KEPT_MAX;
    const isSampled = this.all.some((event) => event.sample_probability < 1);
    const notes = [`${number(this.all.length)} events${this.cursor === null ? "" : ", and older ones"}.`, isSampled ? "They are a sample: each stands for 1 / probability." : ""];
    this.rows.show(this.all, notes.join(" "));
  }
}

function keyOf(event) {
  return `${event.trace_id} ${event.span_id}`;
}

function button(text, act) {
  const made = element("button", { type: "button" }, text);
  made.addEventListener("click", act);
  return made;
}

const to = (place, id, text = id) => (id ? element("a", { href: link([place, id]) }, text) : "–");

const COLUMNS = [
  { name: "time", label: "Time", value: (event) => event.time, cell: (event) => moment(event.time) },
  { name: "event", label: "Event", value: (event) => event.event_name ?? event.name },
  { name: "status", label: "Status", value: (event) => event.status, cell: (event) => (event.status === "error" ? badge("failed") : event.status) },
  { name: "duration", label: "Took", value: (event) => event.duration_ms, cell: (event) => (event.duration_ms ? duration(event.duration_ms) : "–"), isNumber: true },
  { name: "run", label: "Run", value: (event) => event.run_id, cell: (event) => to("runs", event.run_id) },
  { name: "step", label: "Step", value: (event) => event.step, cell: (event) => number(event.step), isNumber: true },
  { name: "trace", label: "Trace", value: (event) => event.trace_id, cell: (event) => to("traces", event.trace_id, event.trace_id?.slice(0, 8)) },
  { name: "correlation", label: "Correlation", value: (event) => event.correlation_id, cell: (event) => to("correlations", event.correlation_id), isHidden: true },
  { name: "experiment", label: "Experiment", value: (event) => event.experiment_id, cell: (event) => to("experiments", event.experiment_id), isHidden: true },
  { name: "condition", label: "Condition", value: (event) => event.condition, isHidden: true },
  { name: "model", label: "Model", value: (event) => event.model, isHidden: true },
  { name: "cost", label: "Cost", value: (event) => event.cost_usd, cell: (event) => money(event.cost_usd), isNumber: true, isHidden: true },
  { name: "message", label: "Message", value: (event) => event.status_message },
  { name: "attributes", label: "Attributes", value: (event) => JSON.stringify(event.attributes), isHidden: true },
  { name: "probability", label: "Probability", value: (event) => event.sample_probability, isNumber: true, isHidden: true },
];
