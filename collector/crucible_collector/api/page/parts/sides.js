// What /compare answers, drawn: every unit a dot, a box over the middle half, and the mean with its interval.

import { element } from "./dom.js";
import { number } from "./format.js";
import { badge } from "./runs.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 640;
const ROW = 56;
const LEFT = 150;
const RIGHT = 24;

export function sides(metric) {
  const numbers = metric.groups.flatMap((group) => [...group.values.map((each) => each.value), group.mean.lower, group.mean.upper]).filter(Number.isFinite);
  if (numbers.length === 0) return element("p", { className: "hint" }, "No numbers to draw.");
  const [least, most] = numbers.reduce(([low, high], each) => [Math.min(low, each), Math.max(high, each)], [Infinity, -Infinity]);
  const at = (value) => LEFT + ((value - least) / (most - least || 1)) * (WIDTH - LEFT - RIGHT);
  const height = ROW * metric.groups.length + 24;
  const label = metric.groups.map((group) => `${group.name}: mean ${number(group.mean.value)}, ${group.unit_count} units`).join("; ");
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label, class: "sides" });
  metric.groups.forEach((group, index) => drawn.append(...row(group, index, at)));
  for (const [value, anchor] of [[least, "start"], [most, "end"]]) {
    drawn.append(svg("text", { x: at(value), y: height - 6, "text-anchor": anchor, class: "tick" }, number(value)));
  }
  return drawn;
}

function row(group, index, at) {
  const y = ROW * index + ROW / 2;
  const values = group.values.map((each) => each.value).filter(Number.isFinite).sort((a, b) => a - b);
  const colour = `side-${(index % 8) + 1}`;
  const parts = [svg("text", { x: LEFT - 12, y: y + 4, "text-anchor": "end" }, shortened(group.name), svg("title", {}, group.name))];
  if (values.length >= 4) parts.push(...box(values, y, at, colour));
  parts.push(...values.map((value, each) => svg("circle", { cx: at(value), cy: y + jitter(each), r: 3, class: `dot ${colour}` }, svg("title", {}, number(value)))));
  const { lower, upper, value } = group.mean;
  if (Number.isFinite(lower) && Number.isFinite(upper)) parts.push(svg("line", { x1: at(lower), x2: at(upper), y1: y + 20, y2: y + 20, class: `interval ${colour}` }));
  if (Number.isFinite(value)) parts.push(svg("rect", { x: at(value) - 3, y: y + 17, width: 6, height: 6, class: `mean ${colour}` }));
  return parts;
}

function box(values, y, at, colour) {
  const [first, middle, third] = [0.25, 0.5, 0.75].map((share) => quantile(values, share));
  return [
    svg("line", { x1: at(values[0]), x2: at(values.at(-1)), y1: y, y2: y, class: `whisker ${colour}` }),
    svg("rect", { x: at(first), y: y - 11, width: Math.max(1, at(third) - at(first)), height: 22, class: `box ${colour}` }),
    svg("line", { x1: at(middle), x2: at(middle), y1: y - 11, y2: y + 11, class: `median ${colour}` }),
  ];
}

// Linear between ranks, as numpy's.
function quantile(sorted, share) {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

// Dots of the same value must not hide each other; the same each time it is drawn.
function jitter(index) {
  return ((index * 7) % 13) - 6;
}

function shortened(name) {
  return name.length > 22 ? `${name.slice(0, 21)}…` : name;
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

export function verdicts(metric) {
  if (metric.not_comparable) return element("p", { className: "hint" }, metric.not_comparable);
  return element("ul", { className: "lines" }, ...metric.comparisons.map(verdict));
}

function verdict(pair) {
  const figures = [
    pair.test,
    pair.p_adjusted === null ? null : `p = ${number(pair.p_adjusted)} (corrected)`,
    interval("difference", pair.difference),
    interval("Hedges' g", pair.hedges_g),
  ];
  return element("li", {}, badge(pair.conclusion), element("span", {}, pair.verdict), element("span", { className: "dim" }, figures.filter(Boolean).join(" · ")));
}

function interval(name, found) {
  if (!found || found.value === null || found.value === undefined) return null;
  return `${name} ${number(found.value)} (${number(found.lower)} to ${number(found.upper)})`;
}
