// What detectors make of a curve: the band of what was expected, and marks on what was flagged.

import { ask } from "./ask.js";

const BANDS_MAX = 4; // more lie over one another
const BAND_ALPHA = 0.16;
const MARK_RADIUS = 4;

export class Flagged {
  constructor(runId, metric, event) {
    this.path = `/runs/${encodeURIComponent(runId)}/series/${encodeURIComponent(metric)}/band`;
    this.event = event;
    this.flags = [];
    this.bands = []; // {rank, rows}
  }

  // Takes the flags of the curve, newest first, and fetches the bands around it; true where these changed.
  // `points` are the curve's.
  async update(flags, points) {
    const mark = flags.length && `${flags.length} ${flags[0].time}`;
    if (mark === this.mark) return false;
    this.mark = mark;
    this.flags = flags;
    const bounded = flags.filter((flag) => flag.lower !== null || flag.upper !== null);
    const newest = [...new Map(bounded.toReversed().map((flag) => [flag.series_id, flag])).values()].toReversed();
    this.bands = await Promise.all(newest.slice(0, BANDS_MAX).map((flag) => this.#band(flag, points)));
    return true;
  }

  // Of one rank, by the detector that flagged it last; no rows where a series is too long for one.
  async #band({ detector, series_id: id }, points) {
    const rank = points.rankOf(id);
    try {
      return { rank, rows: (await ask(this.path, { event: this.event, rank, detector })).data };
    } catch (failure) {
      if (failure.status >= 400 && failure.status < 500) return { rank, rows: [] };
      throw failure;
    }
  }

  // `colour(rank)` is of its line.
  drawBands(plot, bySteps, colour) {
    for (const { rank, rows } of this.bands) this.#drawBand(plot, bySteps, rows, colour(rank));
  }

  #drawBand(plot, bySteps, rows, colour) {
    const { ctx, bbox } = plot;
    const at = (row) => plot.valToPos(place(row, bySteps), "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = ctx.strokeStyle = colour;
    for (const part of unbroken(rows)) {
      const high = part.map((row) => [at(row), bound(plot, row.upper, bbox.top)]);
      const low = part.map((row) => [at(row), bound(plot, row.lower, bbox.top + bbox.height)]);
      ctx.globalAlpha = BAND_ALPHA;
      ctx.beginPath();
      for (const [x, y] of [...high, ...low.reverse()]) ctx.lineTo(x, y);
      ctx.fill();
      ctx.globalAlpha = 1;
      ctx.setLineDash([4, 4]);
      ctx.beginPath();
      for (const row of part) if (typeof row.expected === "number") ctx.lineTo(at(row), plot.valToPos(row.expected, "y", true));
      ctx.stroke();
    }
    ctx.restore();
  }

  drawMarks(plot, bySteps, colours) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = 2 * devicePixelRatio;
    for (const flag of this.flags) {
      const x = plot.valToPos(place(flag, bySteps), "x", true);
      if (!(x >= bbox.left && x <= bbox.left + bbox.width) || typeof flag.value !== "number") continue;
      const y = Math.min(Math.max(plot.valToPos(flag.value, "y", true), bbox.top), bbox.top + bbox.height);
      ctx.strokeStyle = colours[flag.severity];
      ctx.beginPath();
      ctx.arc(x, y, MARK_RADIUS * devicePixelRatio, 0, 2 * Math.PI);
      ctx.stroke();
    }
    ctx.restore();
  }
}

function place({ step, time }, bySteps) {
  return bySteps ? step : Date.parse(time) / 1000;
}

function bound(plot, value, edge) {
  return typeof value === "number" ? plot.valToPos(value, "y", true) : edge;
}

// A warm-up has no bounds, and what is not finite has none either.
function unbroken(band) {
  const parts = [[]];
  for (const row of band) {
    if (typeof row.lower === "number" || typeof row.upper === "number") parts.at(-1).push(row);
    else if (parts.at(-1).length) parts.push([]);
  }
  return parts.filter((part) => part.length > 1);
}
