// The story of one correlation id: pipeline, stages, training, deployment and inference on one axis of time.

import { link } from "../address.js";
import { ask } from "../parts/ask.js";
import { element, show } from "../parts/dom.js";
import { number } from "../parts/format.js";
import { told } from "../parts/places.js";
import { badge } from "../parts/runs.js";
import { details, timeline } from "../parts/timeline.js";

const ROWS_MAX = 1000; // of the API
const SAME_MAX = 20; // of one name: a training has thousands of batches
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
    const { data, meta } = await ask(`/correlations/${encodeURIComponent(this.id)}`, { limit: ROWS_MAX });
    const events = data.filter((row) => row.type === "event").map((row) => row.event);
    const logs = data.length - events.length;
    const shown = fewer(events);
    const notes = [
      `${number(data.length)} records${meta.has_more ? ", the first of more" : ""}.`,
      shown.length < events.length ? `Of a name that comes often only the first ${SAME_MAX} are drawn.` : "",
      logs > 0 ? `${number(logs)} of them are log records, which are not drawn.` : "",
    ];
    show(this.place, [events.map((event) => [event.span_id, event.duration_ms]), notes], () => [
      element("p", { className: "ways" }, ...kinds(events), ...traces(events)),
      timeline("Events of the story", shown.map(row), (each) => this.opened.replaceChildren(details(each.span))),
      element("p", { className: "dim" }, notes.filter(Boolean).join(" ")),
    ]);
  }
}

function fewer(events) {
  const seen = new Map();
  return events.filter((event) => {
    seen.set(event.name, (seen.get(event.name) ?? 0) + 1);
    return seen.get(event.name) <= SAME_MAX;
  });
}

function row(event) {
  const depth = event.parent_span_id === null ? 0 : 1;
  return { key: `${event.trace_id} ${event.span_id}`, depth, name: event.name, time: event.time, duration_ms: event.duration_ms, isError: event.status === "error", group: kindOf(event), title: event.event_name ?? event.name, span: event };
}

function kindOf({ event_name: event, name }) {
  return (event ?? name).split(".")[0].replace(/^crucible_/, "");
}

function kinds(events) {
  return [...new Set(events.map(kindOf))].map((kind) => badge(kind));
}

function traces(events) {
  const ids = [...new Set(events.map((event) => event.trace_id))].slice(0, 8);
  return ids.map((id) => element("a", { href: link(["traces", id]) }, `Trace ${id.slice(0, 8)}`));
}
