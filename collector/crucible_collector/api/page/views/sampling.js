// Sampling: the rules in force, what each saw and kept, and what others would have done to what is stored.

import { ask, send } from "../parts/ask.js";
import { element, show, table } from "../parts/dom.js";
import { bytes, number, time, words } from "../parts/format.js";
import { section, told } from "../parts/places.js";
import { badge } from "../parts/runs.js";

const EVERY_MS = 10_000;
const DAY_MS = 86_400_000;
const KEEP_TENTH = [{ name: "tenth", strategy: "uniform", probability: 0.1 }];

export class View {
  title = "Sampling";
  wish = null;

  constructor(root) {
    root.append(element("h1", {}, "Sampling"));
    this.rules = section(root, "In force");
    this.ledger = section(root, "What each rule saw and kept");
    this.trial = section(root, "What other rules would do");
    this.history = section(root, "History");
    this.#buildTrial();
    this.dueAt = 0;
  }

  async update() {
    if (performance.now() < this.dueAt) return;
    this.dueAt = performance.now() + EVERY_MS;
    await told(this.rules, () => this.#rules());
    await told(this.ledger, () => this.#ledger());
    await told(this.history, () => this.#history());
  }

  async #rules() {
    const { data } = await ask("/sampling");
    show(this.rules, data, () => {
      const { rules, decision_wait_s: wait } = data.settings;
      if (rules.length === 0) return [element("p", { className: "hint" }, "No rule: everything is kept.")];
      const since = data.changed_at ? `Version ${number(data.version)}, since ${time(data.changed_at)}${data.changed_by ? ` by ${data.changed_by}` : ""}${data.reason ? `: ${data.reason}` : ""}.` : "From the collector's settings.";
      return [element("p", { className: "dim" }, `${since} Decisions wait ${number(wait)} s where a strategy needs it.`), element("ol", { className: "lines" }, ...rules.map(rule))];
    });
  }

  async #ledger() {
    const { data, meta } = await ask("/sampling/ledger");
    show(this.ledger, data, () => {
      if (data.length === 0) return [element("p", { className: "hint" }, "No rule has decided about anything yet.")];
      const rows = data.map((line) => [line.rule, line.signal, line.stratum || "–", number(line.seen_count), number(line.kept_count), share(line), number(line.weight_mean)]);
      const more = meta.has_more ? element("p", { className: "dim" }, "There are more; the API has all.") : null;
      return [table("Since the beginning", ["Rule", "Signal", "Stratum", "Saw", "Kept", "Share kept", "One kept stands for"], rows), more];
    });
  }

  async #history() {
    const { data } = await ask("/sampling/history");
    show(this.history, data, () => {
      if (data.length === 0) return [element("p", { className: "hint" }, "It has not been changed while running.")];
      return [table("Versions, the newest first", ["Version", "When", "Who", "Why"], data.map((each) => [number(each.version), time(each.changed_at), each.changed_by ?? "", each.reason ?? ""]))];
    });
  }

  #buildTrial() {
    const text = element("textarea", { rows: 8, spellcheck: false, value: JSON.stringify(KEEP_TENTH, null, 2), ariaLabel: "Rules, as JSON" });
    const button = element("button", { type: "submit" }, "Simulate");
    const said = element("div", { ariaLive: "polite" });
    const form = element("form", { className: "trial" }, element("p", { className: "dim" }, "Rules as the settings have them, tried on the events of the last day that are stored. Nothing changes."), text, button);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      said.replaceChildren(element("p", { className: "dim" }, "trying…"));
      said.replaceChildren(await simulated(text.value));
      button.disabled = false;
    });
    this.trial.append(form, said);
  }
}

async function simulated(text) {
  try {
    const to = new Date();
    const from = new Date(to - DAY_MS);
    const { data } = await send("/sampling/simulate", { from: from.toISOString(), to: to.toISOString(), rules: JSON.parse(text) });
    return result(data);
  } catch (failure) {
    return element("p", { className: "failure", role: "alert" }, failure.message);
  }
}

const EVENTS_MAX = 12;

function result({ from_time: from, until_time: until, is_complete: isComplete, stopped_because: why, rules, totals, events }) {
  const tried = `Tried on what was stored from ${time(from)} to ${time(until)}.${isComplete ? "" : ` It was stopped: ${words(why ?? "it took too long")}.`}`;
  const kept = [...rules, ...totals.filter(({ seen_count: count }) => count > 0)].map((each) => [
    each.rule ?? "all",
    words(each.signal),
    number(each.seen_count),
    number(each.kept_count),
    each.seen_count > 0 ? `${number(Number(((100 * each.kept_count) / each.seen_count).toPrecision(3)))} %` : "–",
    `${bytes(each.seen_bytes)} → ${bytes(each.kept_bytes)}`,
    `${number(each.seen_per_s_max)} → ${number(each.kept_per_s_max)}`,
  ]);
  const answers = events.slice(0, EVENTS_MAX).flatMap((each) => each.aggregates.filter(({ stored }) => stored !== null && stored !== 0).map((one) => [each.event ?? "all events", words(one.name), ...off(one)]));
  return element(
    "div",
    {},
    element("p", { className: "dim" }, tried),
    table("What would be kept", ["Rule", "Signal", "Saw", "Keeps", "Share", "Bytes", "Most a second"], kept),
    element("div", { className: "wide", tabIndex: 0, role: "region", ariaLabel: "How far off answers would be" }, table("How far off answers would be", ["Event", "Number", "As stored", "As estimated", "Off by", "95 % interval"], answers)),
    events.length > EVENTS_MAX ? element("p", { className: "dim" }, `Of ${number(events.length - EVENTS_MAX)} more kinds of events the API tells.`) : null,
  );
}

function off({ stored, estimate, relative_error: error, low, high, covers }) {
  const short = (value) => (typeof value === "number" ? number(Number(value.toPrecision(4))) : "–");
  const interval = high === null ? `${short(low)} or more` : `${short(low)} to ${short(high)}`;
  return [short(stored), short(estimate), typeof error === "number" ? `${number(Number((100 * error).toPrecision(2)))} %` : "–", covers ? interval : element("span", {}, interval, " ", badge("misses"))];
}

function rule({ name, strategy, ...settings }) {
  const given = Object.entries(settings).filter(([, value]) => !isEmpty(value) && value !== false);
  const facts = given.map(([key, value]) => `${key.replaceAll("_", " ")} ${Array.isArray(value) ? value.join(", ") : plain(value)}`);
  return element("li", {}, element("strong", {}, name ?? strategy), badge(strategy), element("span", {}, facts.join(" · ")));
}

function isEmpty(value) {
  return value === null || (typeof value === "object" && Object.keys(value).length === 0);
}

function share({ kept_share: kept }) {
  return kept === null ? "–" : `${number(100 * kept)} %`;
}

function plain(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "number" ? number(value) : typeof value === "string" ? value : JSON.stringify(value);
}
