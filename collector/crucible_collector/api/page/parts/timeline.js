// Spans as bars on one axis of time, indented as they are nested; an event without duration is a diamond.

import { element } from "./dom.js";
import { duration } from "./format.js";

// `rows` are {key, depth, name, time (RFC 3339), duration_ms, isError, group, heading, title}, where a heading stands over
// what follows; `chosen(row)` is told what is opened.
export function timeline(label, rows, chosen) {
  const starts = rows.map((row) => milliseconds(row.time));
  const first = starts.reduce((least, each) => Math.min(least, each), Infinity);
  const last = rows.reduce((most, row, index) => Math.max(most, starts[index] + row.duration_ms), -Infinity);
  const span = last - first || 1;
  const lines = rows.map((row, index) => line(row, (100 * (starts[index] - first)) / span, (100 * row.duration_ms) / span, chosen));
  const axis = element("div", { className: "axis", ariaHidden: "true" }, ...[0, 0.25, 0.5, 0.75, 1].map((share) => element("span", {}, length(share * span))));
  return element("div", { className: "timeline" }, element("div", { className: "row top" }, element("span", {}), axis), element("ol", { ariaLabel: label }, ...lines));
}

function line(row, left, width, chosen) {
  const name = element("button", { type: "button", className: "what" }, row.name);
  name.style.paddingLeft = `${0.4 + 0.9 * Math.min(row.depth, 12)}rem`;
  name.dataset.key = row.key;
  name.addEventListener("click", () => chosen(row));
  const bar = element("span", { className: row.duration_ms > 0 ? "bar-of" : "point-of" });
  // What happened last would else stand beyond the edge.
  bar.style.left = row.duration_ms > 0 ? `${Math.min(left, 99.7)}%` : `min(${left}%, calc(100% - 0.75rem))`;
  if (row.duration_ms > 0) bar.style.width = `${Math.max(0.3, Math.min(width, 100 - left))}%`;
  const took = row.duration_ms > 0 ? length(row.duration_ms) : "";
  const track = element("span", { className: "track" }, bar, element("small", {}, [row.isError ? "✕ error" : "", took].filter(Boolean).join(" ")));
  const made = element("li", { className: "row", title: row.title ?? "" }, row.heading ? element("strong", { className: "kind" }, row.heading) : null, name, track);
  made.dataset.group = row.group ?? "";
  made.dataset.error = String(Boolean(row.isError));
  return made;
}

// Since 1970, with what lies below a millisecond, of which Date knows nothing; a number holds it to about 0.2 µs.
function milliseconds(text) {
  const [, finer = ""] = /\.\d{3}(\d+)/.exec(text) ?? [];
  return Date.parse(text) + (finer ? Number(`0.${finer}`) : 0);
}

// Spans often take less than a millisecond: `duration` would say 0 ms of all of them.
function length(ms) {
  if (ms === 0 || ms >= 100) return duration(ms);
  return ms < 0.01 ? `${Number((1000 * ms).toPrecision(3))} µs` : `${Number(ms.toPrecision(3))} ms`;
}

// A span in full, as it was sent.
export function details(span) {
  const facts = [
    ["Status", [span.status, span.status_message].filter(Boolean).join(": ")],
    ["Event", span.event_name],
    ["Service", span.service_name],
    ["Span", span.span_id],
    ["Parent", span.parent_span_id],
  ].filter(([, value]) => value);
  const folded = [["Attributes", span.attributes], ["Events", span.events], ["Links", span.links], ["Resource", span.resource_attributes]];
  return element(
    "section",
    { className: "card", ariaLabel: `Span ${span.name}` },
    element("h2", {}, span.name),
    element("dl", {}, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
    ...folded.filter(([, value]) => value && Object.keys(value).length > 0).map(([name, value], index) => {
      return element("details", { open: index === 0 }, element("summary", {}, name), element("pre", {}, JSON.stringify(value, null, 2)));
    }),
  );
}
