// The series around a period of anomalies: as much before and after it as it is long, and why it may have come.

import { ask } from "./ask.js";
import { Chart, colour } from "./chart.js";
import { element } from "./dom.js";
import { number } from "./format.js";

const STEPS_MIN = 50; // around a period of one value
const SECONDS_MIN = 60;
const POINTS_MAX = 1000;

export class Around {
  constructor(period) {
    this.period = period;
    this.root = element("div", { className: "around" });
    this.chart = new Chart(this.root, `${period.metric} around the anomaly`, 180);
    this.note = element("p", { className: "dim" });
    this.root.append(this.note);
  }

  close() {
    this.chart.close();
  }

  recolour() {
    this.chart.recolour();
  }

  async update() {
    const { run_id: run, metric, event_name: event, rank, period_id: id } = this.period;
    const [series, period] = await Promise.all([
      ask(`/runs/${encodeURIComponent(run)}/series/${encodeURIComponent(metric)}`, { event, rank, points_max: POINTS_MAX, ...range(this.period) }),
      ask(`/anomalies/periods/${id}`),
    ]);
    this.#draw(series.data);
    const causes = period.data.causes.map((cause) => cause.says);
    const cut = series.meta?.downsampled ? " Down-sampled, with the least and largest of each stretch." : "";
    this.note.textContent = `${number(series.data.length)} points around it.${cut}${causes.length > 0 ? ` Before it, ${causes.join("; ")}.` : ""}`;
  }

  #draw(points) {
    const bySteps = this.period.first_step !== null;
    const at = (point) => (bySteps ? point.step : Date.parse(point.time) / 1000);
    const sorted = points.toSorted((a, b) => at(a) - at(b));
    const data = [sorted.map(at), sorted.map((point) => (typeof point.value === "number" ? point.value : null))];
    const x = { label: bySteps ? "step" : "time", isTime: !bySteps };
    const lines = [{ label: this.period.metric, colour: 1 }];
    this.chart.draw({ x, lines, data, hooks: { drawClear: [(plot) => this.#mark(plot, bySteps)] } });
  }

  // The period itself, as a band over the whole height.
  #mark(plot, bySteps) {
    const { first_step: first, last_step: last, started_at: start, last_flag_at: end } = this.period;
    const [from, to] = bySteps ? [first, last ?? first] : [Date.parse(start) / 1000, Date.parse(end) / 1000];
    const { ctx, bbox } = plot;
    const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
    ctx.save();
    ctx.globalAlpha = 0.2;
    ctx.fillStyle = colour("--bad");
    ctx.fillRect(left - 1, bbox.top, Math.max(2, right - left + 2), bbox.height);
    ctx.restore();
  }
}

function range({ first_step: first, last_step: last, started_at: start, last_flag_at: end }) {
  if (first !== null) {
    const wide = Math.max(STEPS_MIN, (last ?? first) - first);
    return { from_step: Math.max(0, first - wide), to_step: (last ?? first) + wide + 1 };
  }
  const wide = Math.max(1000 * SECONDS_MIN, Date.parse(end) - Date.parse(start));
  return { from: new Date(Date.parse(start) - wide).toISOString(), to: new Date(Date.parse(end) + wide).toISOString() };
}
