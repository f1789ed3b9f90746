// The points of one metric as measured by one event: fetched, kept, and put into columns to draw.

import { ask } from "./ask.js";

const PAGE = 10_000;
// Two of these and the browser's memory is what gives way, not the collector.
export const POINTS_MAX = 200_000;
// A rank whose points were committed a little later than another's is still seen.
const OVERLAP_MS = 10_000;

export class Points {
  constructor(runId, metric, event) {
    this.path = `/runs/${encodeURIComponent(runId)}/series/${encodeURIComponent(metric)}`;
    this.event = event;
    this.clear();
  }

  clear() {
    this.all = []; // as the API has them, oldest first
    this.isCut = false;
  }

  // Fetches what is new (everything at first); true where something changed.
  async update() {
    const last = this.all.at(-1);
    const from = last && new Date(Date.parse(last.time) - OVERLAP_MS).toISOString();
    const fresh = await this.#since(from);
    if (!last) {
      this.all = fresh;
      return fresh.length > 0;
    }
    let kept = this.all.length;
    while (kept > 0 && Date.parse(this.all[kept - 1].time) >= Date.parse(from)) kept -= 1;
    const isSame = fresh.length === this.all.length - kept;
    if (isSame) return false;
    this.all = [...this.all.slice(0, kept), ...fresh];
    return true;
  }

  async #since(from) {
    const found = [];
    let cursor = null;
    do {
      const answer = await ask(this.path, { event: this.event, from, limit: PAGE, cursor });
      for (const point of answer.data) found.push(point);
      cursor = answer.meta.next_cursor;
      this.isCut = cursor !== null && this.all.length + found.length >= POINTS_MAX;
    } while (cursor !== null && !this.isCut);
    return found;
  }

  // The curve over steps where every point has one and nobody wants it over time, else over time (in seconds).
  columns(isByTime = false) {
    const bySteps = !isByTime && this.all.every((point) => point.step !== null);
    const at = bySteps ? (point) => point.step : (point) => Date.parse(point.time) / 1000;
    const ranks = [...new Set(this.all.map((point) => point.rank))].sort((a, b) => a - b);
    const lines = ranks.map((rank) => {
      const mine = this.all.filter((point) => point.rank === rank);
      return mine.map((point) => ({ x: at(point), value: point.value })).sort((a, b) => a.x - b.x);
    });
    return { bySteps, ranks, data: aligned(lines), odd: this.#notFinite(at) };
  }

  #notFinite(at) {
    return this.all
      .filter((point) => typeof point.value === "string")
      .map((point) => ({ x: at(point), value: point.value }));
  }
}

// One column of x and one a line. A line without a point at some x has undefined there, which is
// drawn through; null (not finite, or not recorded) is a gap. Every point has a row of its own, also
// where a line has several at the same x: nothing is thinned out.
export function aligned(lines) {
  const next = lines.map(() => 0);
  const columns = [[], ...lines.map(() => [])];
  for (;;) {
    const x = Math.min(...lines.map((line, i) => line[next[i]]?.x ?? Infinity));
    if (x === Infinity) return columns;
    columns[0].push(x);
    lines.forEach((line, i) => {
      const here = line[next[i]];
      const isHere = here !== undefined && here.x === x;
      columns[i + 1].push(isHere ? (typeof here.value === "number" ? here.value : null) : undefined);
      if (isHere) next[i] += 1;
    });
  }
}
