// The points of one metric as measured by one event: of each line (a rank's) the few that draw it, and what was told since.

import { ask } from "./ask.js";

const POINTS_A_LINE = 1500; // about one a pixel
const LINES_MAX = 64; // of them only some are drawn
// What the stream adds is kept whole, up to this many times what a line was asked for; then it is asked for anew.
const GROWN_MAX = 3;
const HEARD_MAX = 10_000; // of a line, for what is told while an answer is made
const LATE_MS = 1000; // what the run has and the stream has not told by then is asked for

export class Points {
  constructor(runId, metric, event) {
    this.runId = runId;
    this.metric = metric;
    this.event = event;
    this.clear();
  }

  clear() {
    this.lines = new Map(); // by series id: {rank, points: [{x, value}] in order, stands: points that there are, newest: ms}
    this.finer = null; // the same lines between two places, with more points
    this.isFetched = false;
    this.lateSince = null;
    this.isRankLeftOut = false;
    this.onlyRank = this.onlySeries = null; // what is drawn where not all can be
  }

  get shown() {
    return [...this.lines.values()].reduce((sum, line) => sum + line.points.length, 0);
  }

  get stands() {
    return [...this.lines.values()].reduce((sum, line) => sum + line.stands, 0);
  }

  get isThinned() {
    return this.stands > this.shown;
  }

  // Fetches where something is missing that the stream did not tell; true where something changed. `latest` is the run's newest.
  async update(latest, isByTime) {
    const bySteps = !isByTime && latest.step !== null;
    const isOther = bySteps !== this.bySteps;
    if (this.isFetched && !isOther && !this.#isLate(latest) && !this.#isGrown()) return false;
    this.bySteps = bySteps;
    this.lateSince = null;
    this.mark = markOf(latest);
    if (!this.isRankLeftOut) [this.onlyRank, this.onlySeries] = [latest.rank, latest.series_id];
    const asked = performance.now();
    const found = await this.#ask({});
    if (this.bySteps !== bySteps) return false; // asked for otherwise meanwhile
    this.#keepHeard(found, asked);
    this.lines = found;
    this.isFetched = true;
    if (isOther) this.finer = null;
    return true;
  }

  // The lines between two places in as many points as all of them had; true where they became finer.
  async zoom(from, to) {
    if (!this.isThinned) return false;
    const range = this.bySteps
      ? { from_step: Math.floor(from), to_step: Math.ceil(to) + 1 }
      : { from: new Date(from * 1000).toISOString(), to: new Date(Math.ceil(to * 1000) + 1).toISOString() };
    this.wanted = range;
    const lines = await this.#ask(range);
    if (this.wanted !== range) return false;
    this.finer = { from, to, lines };
    return true;
  }

  whole() {
    this.wanted = null;
    const was = this.finer !== null;
    this.finer = null;
    return was;
  }

  // What the stream told: {series_id, rank, points: [{step, time, value}]}; true where it can be drawn.
  take({ series_id: id, rank, points }) {
    if (!this.isFetched) return false;
    if (!this.lines.has(id)) {
      if (this.lines.size >= LINES_MAX || this.isRankLeftOut) return false; // of what is not drawn
      this.lines.set(id, { rank, points: [], stands: 0, newest: -Infinity, heard: [] });
    }
    const line = this.lines.get(id);
    for (const told of points) {
      const point = { x: placeOf(told, this.bySteps), value: told.value };
      line.newest = Math.max(line.newest, Date.parse(told.time));
      // Of a thinned line nobody knows which earlier points are counted already; what came late is there when the run has ended.
      const isEarlier = line.stands > line.points.length && point.x <= line.points.at(-1).x;
      if (point.x === null || isEarlier || !put(line.points, point)) continue;
      line.stands += 1;
      line.heard.push({ told, at: performance.now() });
    }
    if (line.heard.length > HEARD_MAX) line.heard.splice(0, line.heard.length - HEARD_MAX / 2);
    return true;
  }

  get ranks() {
    return [...this.lines.values()].map((line) => line.rank);
  }

  // Columns as uPlot has them, over steps or time in seconds, with the label of each line and its rank; `odd` are the points that
  // are not finite. `split` and `nodes` say which ranks are one line.
  columns(split, nodes) {
    const entries = [...this.lines].sort(([, a], [, b]) => a.rank - b.rank).map(([id, line]) => ({ rank: line.rank, points: this.#refined(id, line.points) }));
    const odd = entries.flatMap(({ points }) => points.filter((point) => typeof point.value === "string")).sort((a, b) => a.x - b.x);
    const isSplit = split === "" || entries.length < 2;
    const lines = isSplit ? entries.map(({ rank, points }) => ({ rank, points, label: rank === null ? null : nodes.label(rank) })) : nodes.together(entries, split);
    return { bySteps: this.bySteps, labels: lines.map((line) => line.label), ranks: lines.map((line) => line.rank), data: aligned(lines.map((line) => line.points)), odd };
  }

  rankOf(seriesId) {
    return this.lines.get(seriesId)?.rank;
  }

  #refined(id, points) {
    const finer = this.finer?.lines.get(id)?.points;
    if (!finer?.length) return points;
    const [first, last] = [finer[0].x, finer.at(-1).x];
    return [...points.filter((point) => point.x < first), ...finer, ...points.filter((point) => point.x > last)];
  }

  #isLate(latest) {
    const newest = this.lines.get(latest.series_id)?.newest ?? -Infinity;
    const mark = markOf(latest);
    const isNew = mark !== this.mark && Date.parse(latest.time) > newest;
    if (!isNew) {
      this.mark = mark;
      this.lateSince = null;
      return false;
    }
    this.lateSince ??= performance.now();
    if (performance.now() - this.lateSince < LATE_MS) return false;
    this.mark = mark;
    return true;
  }

  #isGrown() {
    return [...this.lines.values()].some((line) => line.points.length > GROWN_MAX * POINTS_A_LINE);
  }

  // What was told while the answer was made may lie behind what it has.
  #keepHeard(found, asked) {
    for (const [id, line] of this.lines) {
      const into = found.get(id);
      if (!into) continue;
      const last = into.points.at(-1)?.x ?? -Infinity;
      for (const { told } of line.heard.filter((each) => each.at >= asked - LATE_MS)) {
        const point = { x: placeOf(told, this.bySteps), value: told.value };
        if (point.x !== null && point.x > last && put(into.points, point)) into.stands += 1;
      }
      into.newest = Math.max(into.newest, line.newest);
    }
  }

  async #ask(range) {
    const asked = { run: this.runId.replace(/[\\,]/g, "\\$&"), metric: this.metric, event: this.event, x: this.bySteps ? "step" : "time", points: POINTS_A_LINE, fields: `series_id,${this.bySteps ? "step" : "time"},value`, ...range };
    const { data, meta } = await this.#fewEnough(asked);
    const lines = new Map(meta.lines.map((line) => [line.series_id, { rank: line.rank, points: [], stands: line.point_count, newest: -Infinity, heard: [] }]));
    for (const told of data) lines.get(told.series_id).points.push({ x: placeOf(told, this.bySteps), value: told.value });
    return lines;
  }

  // Lines that nothing but attributes of OTLP tells apart: the first points of the one that was heard of last.
  async #ofSeries() {
    const { data } = await ask(`/series/${this.onlySeries}/points`, { limit: OF_SERIES });
    const points = data.filter((point) => !this.bySteps || typeof point.step === "number");
    const line = { series_id: this.onlySeries, rank: null, point_count: points.length };
    return { data: points.map((point) => ({ ...point, series_id: this.onlySeries })), meta: { lines: [line] } };
  }

  // Of very many ranks an answer has no room: one stands for them, and it is said.
  async #fewEnough(asked) {
    if (!this.isRankLeftOut) {
      try {
        return await ask("/curves", asked);
      } catch (failure) {
        if (failure.status !== 422) throw failure;
        this.isRankLeftOut = true;
      }
    }
    return this.onlyRank === null ? this.#ofSeries() : ask("/curves", { ...asked, rank: this.onlyRank });
  }
}

const OF_SERIES = 10_000; // of the API

function markOf({ time, series_id: id, value }) {
  return `${time} ${id} ${value}`;
}

function placeOf({ step, time }, bySteps) {
  return bySteps ? step : Date.parse(time) / 1000;
}

// In its order; false where it is there already.
function put(points, point) {
  let place = points.length;
  while (place > 0 && points[place - 1].x > point.x) place -= 1;
  for (let before = place - 1; before >= 0 && points[before].x === point.x; before -= 1) {
    if (Object.is(points[before].value, point.value)) return false;
  }
  points.splice(place, 0, point);
  return true;
}

// One column of x and one a line. A line without a point at some x has undefined there, which is
// drawn through; null (not finite, or not recorded) is a gap. Every point has a row of its own, also
// where a line has several at the same x.
export function aligned(lines) {
  const next = lines.map(() => 0);
  const columns = [[], ...lines.map(() => [])];
  for (;;) {
    let x = Infinity;
    for (let i = 0; i < lines.length; i += 1) x = Math.min(x, lines[i][next[i]]?.x ?? Infinity);
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
