// How much comes in, from the ledger, as often as it is looked at.

import { ask, askBeside } from "./ask.js";

const OVER_MS = 10_000;
const EVERY_MS = 1000;

export class Ingest {
  constructor() {
    this.seen = []; // [at, received], the oldest first
    this.last = null;
  }

  // {rate: records a second or null until known, received, lost, lag: seconds, or null where it is not to be had}
  async update() {
    const now = performance.now();
    if (this.last && now - this.seen.at(-1)[0] < EVERY_MS) return this.last;
    const { data } = await ask("/ledger");
    const received = sum(data, "received_count");
    this.seen.push([now, received]);
    while (this.seen.length > 2 && now - this.seen[1][0] > OVER_MS) this.seen.shift();
    const [at, before] = this.seen[0];
    const rate = now - at < EVERY_MS ? null : Math.round((1000 * (received - before)) / (now - at));
    this.last = { rate, received, lost: sum(data, "unaccounted_count"), lag: await lag() };
    return this.last;
  }
}

function sum(lines, name) {
  return lines.reduce((total, line) => total + (line[name] ?? 0), 0);
}

// A process that only answers questions has none; a key that may only read may not see the metrics.
async function lag() {
  const { isOk, text } = await askBeside("/metrics");
  const found = isOk && /^crucible_lag_seconds (\S+)$/m.exec(text);
  return found ? Number(Number(found[1]).toPrecision(2)) : null;
}
