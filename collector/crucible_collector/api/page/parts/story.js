// The events of a run as they come, the newest first.

import { link } from "../address.js";
import { ask } from "./ask.js";
import { element, show } from "./dom.js";
import { duration, number, time } from "./format.js";
import { badge } from "./runs.js";

const SHOWN = 30;
const EVERY_MS = 2000; // where nothing is told

export class Story {
  constructor(runId) {
    this.runId = runId;
    this.place = element("div", {});
    this.told = element("p", { className: "dim" });
    this.root = element("section", { className: "story", hidden: true }, element("h2", {}, "Events as they come"), this.told, this.place);
    this.dueAt = 0;
    this.forget();
  }

  forget() {
    this.newest = [];
    this.heardCount = 0;
    this.isFetched = false;
  }

  // Nothing is told: the newest are asked for, now and then.
  unheard() {
    if (performance.now() >= this.dueAt) this.isFetched = false;
  }

  // Once, and again after `forget`: the rest is told.
  async update() {
    if (this.isFetched) return;
    this.isFetched = true;
    this.dueAt = performance.now() + EVERY_MS;
    try {
      const { data } = await ask("/events", { run: this.runId, limit: SHOWN });
      this.#add(data.toReversed());
    } catch (failure) {
      this.isFetched = false;
      throw failure;
    }
  }

  // In the order in which they were stored.
  take(events) {
    if (events.length === 0) return;
    this.heardCount += events.length;
    this.#add(events);
  }

  #add(events) {
    const known = new Set(this.newest.map(keyOf));
    const fresh = events.slice(-SHOWN).filter((event) => !known.has(keyOf(event)));
    this.newest = [...fresh.toReversed(), ...this.newest].sort((a, b) => (a.time < b.time ? 1 : -1)).slice(0, SHOWN);
    this.root.hidden = this.newest.length === 0;
    this.told.textContent = `The newest ${number(this.newest.length)}${this.heardCount ? `; ${number(this.heardCount)} came since this page was opened` : ""}.`;
    show(this.place, this.newest.map(keyOf), () => [element("ol", { className: "lines", tabIndex: 0, ariaLabel: "Newest events" }, ...this.newest.map(line))]);
  }
}

function keyOf(event) {
  return `${event.trace_id} ${event.span_id}`;
}

function line(event) {
  const name = event.event_name ?? event.name;
  const facts = [event.epoch !== null && `epoch ${number(event.epoch)}`, event.step !== null && `step ${number(event.step)}`, event.duration_ms > 0 && duration(event.duration_ms)];
  return element(
    "li",
    {},
    element("time", { className: "dim", dateTime: event.time }, time(event.time)),
    element("a", { href: link(["traces", event.trace_id]) }, name),
    element("span", {}, facts.filter(Boolean).join(" · ")),
    event.status === "error" ? badge("error") : null,
    event.status === "error" && event.status_message ? element("span", { className: "dim" }, event.status_message) : null,
  );
}
