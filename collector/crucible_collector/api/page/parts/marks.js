// Moments of a run that are marked on all of its curves: checkpoints, and the ends of stages.

import { ask } from "./ask.js";

const EVERY_MS = 10_000;
const MARKS_MAX = 200;
const STAGE = "crucible_pipeline.stage.stop";

export class Marks {
  constructor(runId) {
    this.runId = runId;
    this.all = []; // {step or null, time, name, isStage}
    this.dueAt = 0;
  }

  // Fetches what may be new; true where something is.
  async update() {
    if (performance.now() < this.dueAt) return false;
    this.dueAt = performance.now() + EVERY_MS;
    const [checkpoints, stages] = await Promise.all([
      ask(`/runs/${encodeURIComponent(this.runId)}/checkpoints`, { limit: MARKS_MAX }),
      ask("/events", { run: this.runId, event: STAGE, limit: MARKS_MAX }),
    ]);
    const found = [
      ...checkpoints.data.map(({ step, time, path, name }) => ({ step, time, name: name ?? path?.split("/").at(-1) ?? "checkpoint", isStage: false })),
      ...stages.data.map(({ time, step, attributes }) => ({ step, time, name: String(attributes?.["crucible.stage.name"] ?? "stage"), isStage: true })),
    ];
    if (JSON.stringify(found) === JSON.stringify(this.all)) return false;
    this.all = found;
    return true;
  }

  draw(plot, bySteps, colour) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour;
    ctx.lineWidth = devicePixelRatio;
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    let free = -Infinity; // names that would lie over one another are left out
    for (const mark of this.all) {
      const at = bySteps ? mark.step : Date.parse(mark.time) / 1000;
      const x = at === null || at === undefined ? NaN : plot.valToPos(at, "x", true);
      if (!(x >= bbox.left && x <= bbox.left + bbox.width)) continue;
      ctx.setLineDash(mark.isStage ? [] : [2 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const width = ctx.measureText(mark.name).width;
      const isLeft = x + width + 6 > bbox.left + bbox.width;
      const from = isLeft ? x - width - 4 : x + 4;
      if (from <= free) continue;
      ctx.fillText(mark.name, from, bbox.top + 11 * devicePixelRatio);
      free = from + width;
    }
    ctx.restore();
  }
}
