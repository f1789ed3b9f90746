// On which machine each rank of a run is, as the starts of its processes tell, and lines of several ranks as one.

import { ask } from "./ask.js";

const EVERY_MS = 15_000;
const STARTS_MAX = 1000;
const START = "crucible_train.training.start";

export class Nodes {
  constructor(runId) {
    this.runId = runId;
    this.byRank = new Map();
    this.dueAt = 0;
  }

  // Fetches what may be new; true where something is. A rank that starts again may be elsewhere: the newest counts.
  async update() {
    if (performance.now() < this.dueAt) return false;
    this.dueAt = performance.now() + EVERY_MS;
    const { data } = await ask("/events", { run: this.runId, event: START, limit: STARTS_MAX, fields: "attributes,resource_attributes" });
    const found = new Map();
    for (const { attributes, resource_attributes: resource } of data) {
      const rank = attributes?.["crucible.rank"];
      const node = resource?.["host.name"];
      if (typeof rank === "number" && typeof node === "string" && !found.has(rank)) found.set(rank, node);
    }
    const isNew = JSON.stringify([...found]) !== JSON.stringify([...this.byRank]);
    this.byRank = found;
    return isNew;
  }

  // What a line of `rank` is called.
  label(rank) {
    const node = this.byRank.get(rank);
    return node === undefined ? `rank ${rank}` : `rank ${rank} · ${node}`;
  }

  // `lines` are {rank, points: [{x, value}]}; a line a node or one of all, as {label, points}.
  together(lines, split) {
    const groups = new Map();
    for (const line of lines) {
      const name = split === "all" ? "all ranks" : (this.byRank.get(line.rank) ?? "unknown node");
      groups.set(name, [...(groups.get(name) ?? []), line.points]);
    }
    return [...groups].map(([name, each]) => ({ label: `${name} (mean of ${each.length})`, points: mean(each) }));
  }
}

// At every x at which any of them has a point, the mean of what the lines have there, drawn straight between their points. A value
// that is not finite makes the mean a gap.
export function mean(lines) {
  if (lines.length === 1) return lines[0];
  const xs = [...new Set(lines.flatMap((points) => points.map((point) => point.x)))].sort((a, b) => a - b);
  const places = lines.map(() => 0);
  return xs.map((x) => {
    const there = lines.map((points, index) => {
      while (places[index] < points.length && points[places[index]].x < x) places[index] += 1;
      return at(points, places[index], x);
    });
    const known = there.filter((value) => value !== undefined);
    return { x, value: known.every((value) => typeof value === "number") ? known.reduce((sum, value) => sum + value, 0) / known.length : null };
  });
}

// Undefined before a line begins and after it ends.
function at(points, place, x) {
  const after = points[place];
  if (after === undefined) return undefined;
  if (after.x === x) return after.value;
  const before = points[place - 1];
  if (before === undefined) return undefined;
  if (typeof before.value !== "number" || typeof after.value !== "number") return null;
  return before.value + ((x - before.x) / (after.x - before.x)) * (after.value - before.value);
}
