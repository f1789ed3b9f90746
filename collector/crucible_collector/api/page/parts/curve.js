// One chart: a metric as measured by one event, a line a rank. It fetches only while it is in view; what the stream tells
// is drawn as it comes.

import uPlot from "../vendor/uPlot.esm.js";
import { element } from "./dom.js";
import { Flagged } from "./flagged.js";
import { number, unit } from "./format.js";
import { Points } from "./points.js";
import { smoothed } from "./smoothing.js";
import { Zoom } from "./zoom.js";

const HEIGHT = 240;
const LINES_MAX = 8; // as many colours as can be told apart
// A long curve is drawn less often, so that drawing takes at most a tenth of the browser's time.
const REST = 9;
const PALE = "66"; // of 255: seen, and not in the way

export class Curve {
  // `drawing` says how, `marks` what is marked beside the numbers, and `nodes` where ranks are.
  constructor(runId, { metric, event_name: event, unit: code }, drawing, marks, nodes) {
    this.drawing = drawing;
    this.nodes = nodes;
    this.marks = marks;
    this.points = new Points(runId, metric, event);
    this.flagged = new Flagged(runId, metric, event);
    this.metric = metric;
    this.restUntil = 0;
    this.isDirty = false;
    this.isInView = false;
    this.plot = null;
    this.box = element("div", { className: "plot" });
    this.zoom = new Zoom(this.box, `${metric}, drawn`, (from, to) => this.#zoomed(from, to));
    this.note = element("p", { className: "note" });
    this.root = element(
      "section",
      { className: "curve", role: "group", ariaLabel: metric },
      element("h2", {}, metric, element("small", {}, ` ${unit(code)}`)),
      element("p", { className: "origin" }, event ?? ""),
      this.box,
      this.note,
    );
  }

  // `latest` is the newest point as the run tells it; `flags` are what detectors found of it.
  async update(latest, flags) {
    if (!this.isInView) return;
    this.updating ??= this.#update(latest, flags).finally(() => (this.updating = null));
    await this.updating;
  }

  async #update(latest, flags) {
    const isNew = await this.points.update(latest, this.drawing.isByTime);
    const hasFlags = await this.flagged.update(flags, this.points);
    if (isNew || hasFlags) this.isDirty = true;
    this.#drawSoon();
  }

  // Points that the stream told.
  take(told) {
    if (this.points.take(told)) this.isDirty = true;
    this.#drawSoon();
  }

  #drawSoon() {
    if (!this.isDirty || !this.isInView || !this.points.isFetched) return;
    const start = performance.now();
    clearTimeout(this.due);
    if (start < this.restUntil) {
      this.due = setTimeout(() => this.#drawSoon(), this.restUntil - start);
      return;
    }
    this.draw();
    this.restUntil = performance.now() + REST * (performance.now() - start);
  }

  async #zoomed(from, to) {
    try {
      const hasChanged = from === null ? this.points.whole() : await this.points.zoom(from, to);
      if (hasChanged) this.draw();
    } catch {
      // The page says that the collector does not answer; what is drawn stays as fine as it was.
    }
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.due);
    this.zoom.close();
    this.plot?.destroy();
  }

  // From the start again: what came late may lie anywhere.
  forget() {
    this.points.clear();
    this.restUntil = 0;
  }

  draw() {
    if (this.isClosed) return; // while an answer was on its way
    const { isLog, smoothing, split } = this.drawing;
    const { bySteps, labels, ranks, data, odd } = this.points.columns(split, this.nodes);
    this.isDirty = false;
    this.bySteps = bySteps;
    const shape = JSON.stringify([bySteps, labels, isLog, smoothing > 0]);
    this.odd = odd;
    const lines = this.#lines(data.slice(0, LINES_MAX + 1), isLog, smoothing);
    if (this.plot === null || this.shape !== shape) {
      this.plot?.destroy();
      this.shape = shape;
      this.plot = new uPlot(this.#options(bySteps, labels, ranks), lines, this.box);
      this.zoom.follow(this.plot);
    } else {
      this.zoom.keep(() => this.plot.setData(lines, false));
    }
    this.root.dataset.lines = lines.length - 1;
    this.root.dataset.points = this.points.shown;
    this.root.dataset.stands = this.points.stands;
    this.root.dataset.drawn = data[0].length;
    this.root.dataset.newest = data[0].at(-1) ?? "";
    this.root.dataset.flags = this.flagged.flags.length;
    this.root.dataset.band = this.flagged.bands.reduce((sum, band) => sum + band.rows.length, 0);
    this.note.textContent = this.#remarks(bySteps, ranks, odd).join(" ");
  }

  // As measured, and smoothed beside it. A logarithm has no place for 0 and less: there a line is a gap, and it is said.
  #lines([xs, ...columns], isLog, smoothing) {
    const all = smoothing > 0 ? [...columns, ...columns.map((column) => smoothed(column, smoothing))] : columns;
    this.hidden = isLog ? columns.flat().filter((y) => y <= 0 && y !== null).length : 0;
    return [xs, ...(isLog ? all.map((column) => column.map((y) => (y <= 0 ? null : y))) : all)];
  }

  // As the drawing says now, at once.
  redraw() {
    if (this.plot) this.draw();
  }

  resize() {
    if (this.plot && this.box.clientWidth) this.plot.setSize({ width: this.box.clientWidth, height: HEIGHT });
  }

  recolour() {
    this.shape = null;
    if (this.plot) this.draw();
  }

  #remarks(bySteps, ranks, odd) {
    const remarks = [];
    const count = this.flagged.flags.length;
    if (count > 0) remarks.push(count === 1 ? "1 value is flagged." : `${number(count)} values are flagged.`);
    if (odd.length > 0) {
      const kinds = [...new Set(odd.map((each) => each.value))].join(", ");
      const where = bySteps ? `step ${number(odd[0].x)}` : new Date(odd[0].x * 1000).toLocaleTimeString();
      const [are, gaps] = odd.length === 1 ? ["value is", "a gap"] : ["values are", "gaps"];
      remarks.push(`${number(odd.length)} ${are} not finite (${kinds}), drawn as ${gaps}; the first at ${where}.`);
    }
    if (this.drawing.smoothing > 0) remarks.push(`Smoothed by ${this.drawing.smoothing.toFixed(2)}; as measured in pale.`);
    if (this.hidden > 0) remarks.push(`${number(this.hidden)} values of 0 or less have no place on a logarithmic scale.`);
    if (this.points.isThinned) {
      const zoom = this.points.finer ? "finer where it is zoomed." : "zoom in to see more.";
      remarks.push(`Down-sampled: ${number(this.points.shown)} of ${number(this.points.stands)} points are drawn, with the least and the largest of each stretch; ${zoom}`);
    }
    if (ranks.length > LINES_MAX) remarks.push(`Only ${LINES_MAX} of ${ranks.length} lines are drawn; the API has all.`);
    if (this.drawing.split && this.points.isThinned) remarks.push("Means are of the lines as they are drawn.");
    if (this.points.isRankLeftOut) remarks.push(`Of more than 200 ranks only ${this.points.onlyRank === null ? "one line" : `rank ${this.points.onlyRank}`} is drawn; the API has all.`);
    return remarks;
  }

  #options(bySteps, labels, ranks) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const severities = { info: colour("--dim"), warning: colour("--warn"), critical: colour("--bad") };
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    return {
      width: this.box.clientWidth || 400,
      height: HEIGHT,
      scales: { x: { time: !bySteps }, y: this.drawing.isLog ? { distr: 3 } : {} },
      axes: [
        { ...axis, size: bySteps ? 34 : 50, ...(bySteps ? { incrs: WHOLE_STEPS } : {}) },
        { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))) },
      ],
      cursor: { drag: { x: true, y: false } },
      series: [
        bySteps ? { label: "step", value: (_, x) => number(x) } : { label: "time" },
        ...this.#series(labels.slice(0, LINES_MAX), colour),
      ],
      hooks: {
        drawClear: [
          (plot) => this.flagged.drawBands(plot, this.bySteps, (rank) => colour(ranks.length > 1 && ranks.includes(rank) ? `--line-${ranks.indexOf(rank) + 1}` : "--dim")),
          (plot) => this.marks.draw(plot, this.bySteps, colour("--dim")),
        ],
        draw: [(plot) => this.#markGaps(plot, colour("--bad")), (plot) => this.flagged.drawMarks(plot, this.bySteps, severities)],
      },
    };
  }

  #series(labels, colour) {
    const isSmoothed = this.drawing.smoothing > 0;
    const line = (label, index, suffix, isPale) => ({
      label: (label ?? this.metric) + suffix,
      stroke: colour(`--line-${index + 1}`) + (isPale ? PALE : ""),
      width: isPale ? 1 : 1.5,
      value: (_, y) => number(y),
      ...(isPale || suffix ? { points: { show: false } } : {}),
    });
    const measured = labels.map((label, index) => line(label, index, "", isSmoothed));
    return isSmoothed ? [...measured, ...labels.map((label, index) => line(label, index, " smoothed", false))] : measured;
  }

  // A gap of one point in a thousand is invisible; a mark at the foot of the chart is not.
  #markGaps(plot, colour) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = colour;
    const size = 4 * devicePixelRatio;
    for (const { x } of this.odd) {
      const left = plot.valToPos(x, "x", true);
      if (left < bbox.left || left > bbox.left + bbox.width) continue;
      ctx.fillRect(left - size / 2, bbox.top + bbox.height - size, size, size);
    }
    ctx.restore();
  }
}

// Steps are whole: no tick in between.
const WHOLE_STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();
