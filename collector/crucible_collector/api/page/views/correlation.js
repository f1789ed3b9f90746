// The story of one correlation id: pipeline, stages, training, deployment and inference on one axis of time.

import { link } from "../address.js";
import { ask } from "../parts/ask.js";
import { element, show } from "../parts/dom.js";
import { number } from "../parts/format.js";
import { found } from "../parts/found.js";
import { called, withoutStarts } from "../parts/naming.js";
import { told } from "../parts/places.js";
import { badge } from "../parts/runs.js";
import { details, timeline } from "../parts/timeline.js";

const ROWS_MAX = 1000; // of the API
const SAME_MAX = 20; // of one name: a training has thousands of batches
const LINKS_MAX = 8;
const EVERY_MS = 5000;

export class View {
  wish = { kinds: "event" };

  constructor(root, { segments: [, id = ""] }) {
    this.id = id;
    this.title = `Story ${id.slice(0, 12)}`;
    this.place = element("div", {});
    this.opened = element("div", {});
    root.append(element("h1", {}, `The story of ${id}`), this.place, this.opened);
    this.dueAt = 0;
    this.before = []; // the answers before the last one, which alone is asked anew: what is new comes at the end
    this.cursor = null; // of the last one
  }

  readdress({ segments: [, id] }) {
    return id === this.id;
  }

  async update() {
    if (performance.now() < this.dueAt) return;
    this.dueAt = performance.now() + EVERY_MS;
    await told(this.place, () => this.#draw());
  }

  async #draw() {
    const { cursor } = this;
    const answer = await found(ask(`/correlations/${encodeURIComponent(this.id)}`, { limit: ROWS_MAX, cursor }));
    if (cursor !== this.cursor) return; // more was asked for meanwhile
    if (answer === null) return show(this.place, "nothing", () => [nothing()]);
    const records = [...this.before, ...answer.data];
    const events = records.filter((record) => record.type === "event").map((record) => record.event);
    const shown = byKind(fewer(withoutStarts(events)));
    const notes = remarks(records, events, shown, answer.meta);
    show(this.place, [shown.map((event) => [event.span_id, event.duration_ms]), notes], () => [
      element("p", { className: "ways" }, ...kinds(events), ...links("runs", "Run", events.map((event) => event.run_id)), ...links("traces", "Trace", events.map((event) => event.trace_id))),
      timeline("Events of the story", shown.map(row), (each) => this.opened.replaceChildren(details(each.span))),
      element("p", { className: "dim" }, notes),
      answer.meta.has_more ? this.#more(records, answer.meta.next_cursor) : null,
    ]);
  }

  #more(records, cursor) {
    const button = element("button", { type: "button" }, "More of the story");
    button.dataset.key = "more";
    button.addEventListener("click", () => {
      this.before = records;
      this.cursor = cursor;
      this.dueAt = 0;
      button.disabled = true;
      document.dispatchEvent(new Event("ask-now"));
    });
    return button;
  }
}

function remarks(records, events, shown, meta) {
  const logs = records.length - events.length;
  return [
    meta.has_more ? `The first ${number(records.length)} records.` : `${number(records.length)} records.`,
    shown.length < withoutStarts(events).length ? `Of a name that comes often only the first ${SAME_MAX} are drawn.` : "",
    logs > 0 ? `${number(logs)} of them are log records, which are not drawn.` : "",
  ]
    .filter(Boolean)
    .join(" ");
}

function fewer(events) {
  const seen = new Map();
  return events.filter((event) => {
    seen.set(event.name, (seen.get(event.name) ?? 0) + 1);
    return seen.get(event.name) <= SAME_MAX;
  });
}

// Kinds in the order in which each began.
function byKind(events) {
  const groups = new Map();
  for (const event of events) groups.set(kindOf(event), [...(groups.get(kindOf(event)) ?? []), event]);
  return [...groups.values()].flat();
}

function row(event, index, events) {
  const depth = event.parent_span_id === null ? 0 : 1;
  const kind = kindOf(event);
  const heading = index === 0 || kindOf(events[index - 1]) !== kind ? kind : null;
  return { key: `${event.trace_id} ${event.span_id}`, depth, name: called(event), time: event.time, duration_ms: event.duration_ms, isError: event.status === "error", group: kind, heading, title: event.event_name ?? event.name, span: event };
}

function kindOf({ event_name: event, name }) {
  return (event ?? name).split(".")[0].replace(/^crucible_/, "");
}

function kinds(events) {
  return [...new Set(events.map(kindOf))].map((kind) => badge(kind));
}

function links(place, what, ids) {
  const all = [...new Set(ids.filter(Boolean))];
  const made = all.slice(0, LINKS_MAX).map((id) => element("a", { href: link([place, id]) }, `${what} ${id.length > 12 ? id.slice(0, 8) : id}`));
  const rest = all.length - made.length;
  return rest > 0 ? [...made, element("span", { className: "dim" }, `and ${number(rest)} more ${place}`)] : made;
}

function nothing() {
  const events = element("a", { href: link(["events"], { columns: "time,event,run,trace,correlation" }) }, "Events");
  return element("p", { className: "hint" }, "Nothing is stored under this correlation id, not yet or no longer. ", events, " tell theirs.");
}
