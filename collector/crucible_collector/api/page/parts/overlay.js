// One metric of many runs in one drawing. As many colours as can be told apart go to what the lines are told apart by:
// to runs where they are few, else to their conditions.

import { element } from "./dom.js";
import { Chart, COLOURS } from "./chart.js";
import { number } from "./format.js";

// Of one answer: 200 runs of 100 points.
const POINTS_ALL = 20_000;
const POINTS_MAX = 500;
const LABELLED_MAX = 12;
export const AXES = { step: "step", time: "time", relative_time: "seconds since its start" };

export class Overlay {
  constructor(root, label) {
    this.chart = new Chart(root, label, 340);
    this.note = element("p", { className: "dim" });
    this.legend = element("ul", { className: "legend" });
    root.append(this.legend, this.note);
  }

  close() {
    this.chart.close();
  }

  recolour() {
    this.chart.recolour();
    this.#drawLegend();
  }

  // `curves` is what /curves answers; `groups` says by run id what a line is told apart by.
  draw({ data, meta }, groups, isLog) {
    const names = [...new Set(meta.lines.map((line) => groups.get(line.run_id) ?? "no condition"))];
    const isOne = new Set(meta.lines.map((line) => line.event_name)).size < 2;
    const byRun = meta.lines.length <= COLOURS;
    const lines = meta.lines.map((line, index) => {
      const group = groups.get(line.run_id) ?? "no condition";
      const label = [line.run_id, isOne ? null : line.event_name, line.rank === null ? null : `rank ${line.rank}`].filter(Boolean).join(", ");
      return { label, colour: byRun ? index + 1 : (names.indexOf(group) % COLOURS) + 1, width: byRun ? 1.5 : 1, isFaint: meta.lines.length > 40, hasPoints: false };
    });
    this.entries = byRun ? lines.map((line) => [line.colour, line.label]) : names.map((name, index) => [(index % COLOURS) + 1, name]);
    this.chart.box.classList.toggle("unlabelled", lines.length > LABELLED_MAX || !byRun);
    this.legend.hidden = byRun;
    const x = { label: AXES[meta.x], isTime: meta.x === "time" };
    this.chart.draw({ x, lines, data: aligned(data, meta), isLog, unit: "" });
    this.#drawLegend();
    this.note.textContent = remarks(meta).join(" ");
  }

  #drawLegend() {
    const items = this.entries ?? [];
    this.legend.replaceChildren(
      ...items.map(([index, label]) => {
        const mark = element("span", { className: "mark" });
        mark.style.background = `var(--line-${index})`;
        return element("li", {}, mark, label);
      }),
    );
  }
}

// How many points a line may have, so that all of them come in one answer.
export function pointsOf(lineCount) {
  return Math.max(10, Math.min(POINTS_MAX, Math.floor(POINTS_ALL / Math.max(1, lineCount))));
}

// uPlot wants one column of x for all: lines have undefined, which is drawn through, where they have no point; null is a gap.
export function aligned(points, { x, lines }) {
  const place = { step: (point) => point.step, time: (point) => Date.parse(point.time) / 1000, relative_time: (point) => point.relative_s }[x];
  const index = new Map(lines.map((line, at) => [keyOf(line), at]));
  const xs = Float64Array.from(new Set(points.map(place))).sort();
  const rows = new Map(Array.from(xs, (at, row) => [at, row]));
  const columns = lines.map(() => new Array(xs.length));
  for (const point of points) columns[index.get(keyOf(point))][rows.get(place(point))] = typeof point.value === "number" ? point.value : null;
  return [xs, ...columns];
}

function keyOf({ run_id: run, series_id: series }) {
  return `${series} ${run}`;
}

function remarks({ lines }) {
  const said = [];
  const thinned = lines.filter((line) => line.downsampled);
  const all = lines.reduce((sum, line) => sum + line.point_count, 0);
  const shown = lines.reduce((sum, line) => sum + line.shown_count, 0);
  if (thinned.length > 0) said.push(`Down-sampled: ${number(shown)} of ${number(all)} points are drawn, with the least and largest of each stretch.`);
  const odd = lines.reduce((sum, line) => sum + line.non_finite_count, 0);
  if (odd > 0) said.push(`${number(odd)} values are not finite, drawn as gaps.`);
  return said;
}
