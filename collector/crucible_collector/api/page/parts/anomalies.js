// What detectors flagged in one run: periods with their causes, and what a person makes of them.

import { ask, send } from "./ask.js";
import { element, show } from "./dom.js";
import { number, time, unit, words } from "./format.js";
import { badge } from "./runs.js";

const PERIODS_MAX = 20;
const FLAGS_MAX = 1000; // of the API
// Where the stream is not to be had, and for what changes without a word of it.
const EVERY_MS = 15_000;
export const ACTIONS = {
  active: ["acknowledged", "silenced", "resolved"],
  acknowledged: ["active", "silenced", "resolved"],
  silenced: ["active", "resolved"],
  resolved: [],
};
export const VERBS = { acknowledged: "Acknowledge", silenced: "Silence", resolved: "Resolve", active: "Reopen" };

export class Anomalies {
  constructor(runId) {
    this.runId = runId;
    this.path = `/runs/${encodeURIComponent(runId)}`;
    this.root = element("section", { className: "anomalies", ariaLabel: "Anomalies" });
    this.flags = new Map(); // by curve: see keyOf
    this.causes = new Map(); // by period
    this.dueAt = 0;
    this.asking = new Question((period, state, said) => this.#change(period, state, said));
    this.listen = () => (document.hidden ? this.#unsubscribe() : this.#subscribe());
    document.addEventListener("visibilitychange", this.listen);
    this.#subscribe();
  }

  close() {
    document.removeEventListener("visibilitychange", this.listen);
    this.#unsubscribe();
    this.asking.root.remove();
  }

  // Browsers open six connections to a host: a page that nobody looks at keeps none.
  #subscribe() {
    this.#unsubscribe();
    this.dueAt = 0;
    this.source = new EventSource(`/api/v1/anomalies/stream?${new URLSearchParams({ run: this.runId })}`);
    for (const kind of KINDS) this.source.addEventListener(kind, () => (this.dueAt = 0));
  }

  #unsubscribe() {
    this.source?.close();
    this.source = null;
  }

  // Fetches what may have changed; true where something on the curves may have.
  async update() {
    if (performance.now() < this.dueAt) return false;
    this.dueAt = performance.now() + EVERY_MS;
    if (this.source?.readyState === EventSource.CLOSED) this.#subscribe(); // refused: too many listen
    const [health, periods, flags] = await Promise.all([
      ask(`${this.path}/health`),
      ask("/anomalies/periods", { run: this.runId, limit: PERIODS_MAX }),
      ask("/anomalies", { run: this.runId, limit: FLAGS_MAX }),
    ]);
    this.flags = Map.groupBy ? Map.groupBy(flags.data, keyOf) : grouped(flags.data);
    this.#draw(health.data, periods.data, periods.meta.has_more);
    for (const period of periods.data) await this.#learnCauses(period);
    this.#draw(health.data, periods.data, periods.meta.has_more);
    return true;
  }

  // What came before a period stays as it was: asked for once.
  async #learnCauses({ period_id: id }) {
    if (this.causes.has(id)) return;
    const period = await ask(`/anomalies/periods/${id}`);
    this.causes.set(id, period.data.causes.map((cause) => cause.says));
  }

  #draw(health, periods, hasMore) {
    const causes = periods.map((period) => this.causes.get(period.period_id));
    show(this.root, [health.verdict, health.should_stop, periods, causes, hasMore], () => {
      if (periods.length === 0) return [];
      return [
        element("h2", {}, "Anomalies", verdict(health)),
        health.should_stop ? element("p", { className: "note" }, "No training recovers from this: it should be stopped.") : null,
        element("ul", { tabIndex: 0 }, ...periods.map((period, index) => this.#line(period, causes[index]))),
        hasMore ? element("p", { className: "dim" }, "There are more; the API has all.") : null,
      ];
    });
  }

  #line(period, causes) {
    const { period_id: id, state } = period;
    const buttons = ACTIONS[state].map((next) => {
      const label = `${VERBS[next]}: ${period.metric}, ${place(period)}`;
      const made = element("button", { type: "button", ariaLabel: label }, VERBS[next]);
      made.dataset.key = `${id} ${next}`;
      made.addEventListener("click", () => this.asking.open(period, next));
      return made;
    });
    const line = element(
      "li",
      {},
      element("p", { className: "what" }, badge(period.severity), element("strong", {}, name(period)), ` ${place(period)}`),
      element("p", {}, worst(period), ` (${period.detector})`),
      causes?.length ? element("p", {}, `Before it, ${causes.join("; ")}.`) : null,
      element("p", { className: "dim" }, told(period)),
      buttons.length ? element("p", { className: "actions" }, ...buttons) : null,
    );
    line.dataset.state = state;
    return line;
  }

  async #change(period, state, said) {
    await send(`/anomalies/periods/${period.period_id}/state`, { state, ...said });
    this.dueAt = 0;
    document.dispatchEvent(new Event("ask-now"));
  }
}

const KINDS = ["opened", "continued", "escalated", "acknowledged", "silenced", "reopened", "resolved", "gap"];

// Of the curve that a flag lies on.
export function keyOf({ metric, event_name: event }) {
  return JSON.stringify([metric, event]);
}

function grouped(flags) {
  const found = new Map();
  for (const flag of flags) found.set(keyOf(flag), [...(found.get(keyOf(flag)) ?? []), flag]);
  return found;
}

function verdict({ verdict: word }) {
  const made = badge(word);
  made.title = "Health of the run";
  return made;
}

export function name({ metric, rank }) {
  return rank === null ? metric : `${metric}, rank ${rank}`;
}

export function place({ first_step: first, last_step: last, started_at: start }) {
  if (first === null) return `since ${time(start)}`;
  return last === null || last === first ? `at step ${number(first)}` : `steps ${number(first)} to ${number(last)}`;
}

export function worst(period) {
  const { peak_value: peak, peak_expected: expected, peak_lower: lower, peak_upper: upper, flag_count: count } = period;
  if (peak === null) return "nothing came where something was due";
  if (period.detector === "plateau") return `had not got better for long${expected === null ? "" : `: a mean of ${number(expected)}`}`;
  const value = [number(peak), unit(period.unit)].filter(Boolean).join(" ");
  const was = count === 1 ? value : `${number(count)} values, at worst ${value}`;
  const bounds = [
    [lower, "at least"],
    [upper, "at most"],
  ].filter(([bound]) => bound !== null);
  const within = bounds.length === 2 ? `${number(lower)} to ${number(upper)}` : bounds.map(([bound, word]) => `${word} ${number(bound)}`).join();
  if (expected === null) return within ? `${was}; expected ${within}` : was;
  return `${was}; expected ${number(expected)}${within && ` (${within})`}`;
}

export function told({ state, state_at: at, state_by: by, state_reason: reason }) {
  const who = [state, at && state !== "active" ? time(at) : null, by && `by ${by}`].filter(Boolean).join(" ");
  return reason ? `${who}: ${reason}` : who;
}

// Asks who and why before a state is changed.
export class Question {
  constructor(answered) {
    this.who = field("Who", "username");
    this.why = field("Why");
    this.title = element("h3", { id: "question" });
    this.failure = element("p", { className: "note", role: "alert" });
    this.submit = element("button", { type: "submit" });
    const cancel = element("button", { type: "button" }, "Cancel");
    const form = element("form", {}, this.title, this.who.label, this.why.label, this.failure, this.submit, cancel);
    this.root = element("dialog", {}, form);
    this.root.setAttribute("aria-labelledby", "question");
    cancel.addEventListener("click", () => this.root.close());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#answer(answered);
    });
    document.body.append(this.root);
  }

  open(period, state) {
    this.about = [period, state];
    this.title.textContent = `${VERBS[state]}: ${name(period)} ${place(period)}`;
    this.submit.textContent = VERBS[state];
    this.failure.textContent = "";
    this.why.input.value = "";
    this.who.input.value ||= remembered();
    this.root.showModal();
  }

  async #answer(answered) {
    const said = { by: this.who.input.value, reason: this.why.input.value };
    this.submit.disabled = true;
    try {
      await answered(...this.about, said);
      remember(said.by);
      this.root.close();
    } catch (failure) {
      this.failure.textContent = failure.message;
    } finally {
      this.submit.disabled = false;
    }
  }
}

function field(text, autocomplete = "off") {
  const input = element("input", { type: "text", required: true, maxLength: 200, autocomplete, pattern: ".*\\S.*" });
  return { input, label: element("label", {}, text, input) };
}

// A browser may forbid it: then who is asked again.
function remembered() {
  try {
    return localStorage.getItem("who") ?? "";
  } catch {
    return "";
  }
}

function remember(who) {
  try {
    localStorage.setItem("who", who);
  } catch {
    // see above
  }
}
