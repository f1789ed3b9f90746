// One drawing of lines over one axis, in the page's colours, as wide as its place.

import uPlot from "../vendor/uPlot.esm.js";
import { element } from "./dom.js";
import { number } from "./format.js";

const HEIGHT = 240;
export const COLOURS = 8; // --line-1 to --line-8

export class Chart {
  // `label` is what screen readers are told; `height` in CSS pixels.
  constructor(root, label, height = HEIGHT) {
    this.height = height;
    this.box = element("div", { className: "plot", role: "img", ariaLabel: label });
    this.resized = new ResizeObserver(() => this.#resize());
    this.resized.observe(this.box);
    root.append(this.box);
  }

  close() {
    this.resized.disconnect();
    this.plot?.destroy();
  }

  // `data` as uPlot has it: the columns x, and one a line (null: a gap). `lines` are {label, colour: 1 to 8 or the name of a
  // property, width, dash, hasPoints, isFaint, value}. `x` is {label, isTime}, `isLog` is of y; `hooks` are uPlot's.
  draw({ x, lines, data, isLog = false, hooks = {}, unit = "" }) {
    this.last = { x, lines, data, isLog, hooks, unit };
    const shape = JSON.stringify([x, lines, isLog, unit]);
    if (this.plot && shape === this.shape) {
      this.plot.setData(data, !this.#isZoomed());
      return;
    }
    this.shape = shape;
    this.plot?.destroy();
    this.plot = new uPlot(this.#options(this.last), data, this.box);
  }

  recolour() {
    this.shape = null;
    if (this.last) this.draw(this.last);
  }

  #resize() {
    if (this.plot && this.box.clientWidth) this.plot.setSize({ width: this.box.clientWidth, height: this.height });
  }

  #isZoomed() {
    const { min, max } = this.plot.scales.x;
    const xs = this.plot.data[0];
    return xs.length > 1 && (min > xs[0] || max < xs.at(-1));
  }

  #options({ x, lines, isLog, hooks, unit }) {
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const told = (value) => (value === null || value === undefined ? "–" : `${number(value)} ${unit}`.trim());
    return {
      width: this.box.clientWidth || 400,
      height: this.height,
      scales: { x: { time: Boolean(x.isTime) }, y: isLog ? { distr: 3 } : {} },
      axes: [
        { ...axis, size: x.isTime ? 50 : 34 }, // a date stands below the first time
        { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick))) },
      ],
      cursor: { drag: { x: true, y: false } },
      series: [{ label: x.label, ...(x.isTime ? {} : { value: (_, at) => number(at) }) }, ...lines.map((line) => series(line, told))],
      hooks,
    };
  }
}

export function colour(name) {
  const property = typeof name === "number" ? `--line-${((name - 1) % COLOURS) + 1}` : name;
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

function series({ label, colour: name, width = 1.5, dash, hasPoints, isFaint }, told) {
  const stroke = colour(name);
  const points = hasPoints === undefined ? {} : { points: { show: hasPoints } };
  return { label, stroke: isFaint ? `${stroke}55` : stroke, width, dash, value: (_, y) => told(y), ...points };
}
