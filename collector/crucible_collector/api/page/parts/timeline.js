// Spans as bars on one axis of time, indented as they are nested; an event without duration is a diamond.

import { element } from "./dom.js";
import { duration } from "./format.js";

// `rows` are {key, depth, name, time (RFC 3339), duration_ms, isError, group, title}; `chosen(row)` is told what is opened.
export function timeline(label, rows, chosen) {
  const starts = rows.map((row) => Date.parse(row.time));
  const first = starts.reduce((least, each) => Math.min(least, each), Infinity);
  const last = rows.reduce((most, row, index) => Math.max(most, starts[index] + row.duration_ms), -Infinity);
  const span = last - first || 1;
  const lines = rows.map((row, index) => line(row, (100 * (starts[index] - first)) / span, (100 * row.duration_ms) / span, chosen));
  const axis = element("div", { className: "axis", ariaHidden: "true" }, ...[0, 0.25, 0.5, 0.75, 1].map((share) => element("span", {}, duration(share * span))));
  return element("div", { className: "timeline" }, element("div", { className: "row top" }, element("span", {}), axis), element("ol", { ariaLabel: label }, ...lines));
}

function line(row, left, width, chosen) {
  const name = element("button", { type: "button", className: "what" }, row.name);
  name.style.paddingLeft = `${0.4 + 0.9 * Math.min(row.depth, 12)}rem`;
  name.dataset.key = row.key;
  name.addEventListener("click", () => chosen(row));
  const bar = element("span", { className: row.duration_ms > 0 ? "bar-of" : "point-of" });
  bar.style.left = `${Math.min(left, 99.6)}%`;
  if (row.duration_ms > 0) bar.style.width = `${Math.max(0.3, Math.min(width, 100 - left))}%`;
  const took = row.duration_ms > 0 ? duration(row.duration_ms) : "";
  const track = element("span", { className: "track" }, bar, element("small", {}, [row.isError ? "✕ error" : "", took].filter(Boolean).join(" ")));
  const made = element("li", { className: "row", title: row.title ?? "" }, name, track);
  made.dataset.group = row.group ?? "";
  made.dataset.error = String(Boolean(row.isError));
  return made;
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
