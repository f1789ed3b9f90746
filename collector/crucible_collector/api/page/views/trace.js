// One trace as a waterfall.

import { link } from "../address.js";
import { ask } from "../parts/ask.js";
import { element, show } from "../parts/dom.js";
import { number } from "../parts/format.js";
import { found } from "../parts/found.js";
import { called, withoutStarts } from "../parts/naming.js";
import { told } from "../parts/places.js";
import { details, timeline } from "../parts/timeline.js";

const SPANS_MAX = 1000; // the API gives more, of which nobody finds anything in one list
const EVERY_MS = 5000;

export class View {
  wish = { kinds: "event" };

  constructor(root, { segments: [, traceId = ""] }) {
    this.traceId = traceId;
    this.title = `Trace ${traceId.slice(0, 8)}`;
    this.ways = element("p", { className: "ways" });
    this.place = element("div", {});
    this.opened = element("div", {});
    root.append(element("h1", {}, `Trace ${traceId}`), this.ways, this.place, this.opened);
    this.dueAt = 0;
  }

  readdress({ segments: [, traceId] }) {
    return traceId === this.traceId;
  }

  async update() {
    if (performance.now() < this.dueAt) return;
    this.dueAt = performance.now() + EVERY_MS;
    await told(this.place, () => this.#draw());
  }

  async #draw() {
    const answer = await found(ask(`/traces/${encodeURIComponent(this.traceId)}`, { limit: SPANS_MAX }));
    if (answer === null) return show(this.place, "nothing", () => [nothing()]);
    const { data, meta } = answer;
    const note = meta.has_more ? `The first ${number(SPANS_MAX)} spans; the API has all.` : `${number(data.length)} spans.`;
    show(this.place, [data.map((span) => [span.span_id, span.duration_ms, span.status]), note], () => {
      return [timeline("Spans of the trace", rows(withoutStarts(data)), (row) => this.opened.replaceChildren(details(row.span))), element("p", { className: "dim" }, note)];
    });
    const [run] = data.map((span) => span.run_id).filter(Boolean);
    const [correlation] = data.map((span) => span.correlation_id).filter(Boolean);
    show(this.ways, [run, correlation], () => [
      run ? element("a", { href: link(["runs", run]) }, `Run ${run}`) : null,
      correlation ? element("a", { href: link(["correlations", correlation]) }, "The whole story") : null,
      element("a", { href: link(["events"], { trace: this.traceId }) }, "As events"),
    ]);
  }
}

function nothing() {
  const events = element("a", { href: link(["events"]) }, "Events");
  return element("p", { className: "hint" }, "No span of this trace is stored, not yet or no longer, or sampling left it out. ", events, " lists what is.");
}

// In the order of the answer, which is that of the tree; what it does not tell is counted along the parents.
function rows(spans) {
  const depths = new Map();
  return spans.map((span) => {
    const depth = span.depth ?? (depths.has(span.parent_span_id) ? depths.get(span.parent_span_id) + 1 : 0);
    depths.set(span.span_id, depth);
    return { key: span.span_id, depth, name: called(span), time: span.time, duration_ms: span.duration_ms, isError: span.status === "error", group: span.event_name?.split(".")[0], title: span.name, span };
  });
}
