// One run: what it is, its newest numbers, its curves, its events.

import { link } from "../address.js";
import { Anomalies, keyOf } from "../parts/anomalies.js";
import { ask } from "../parts/ask.js";
import { Curve } from "../parts/curve.js";
import { element, show, table } from "../parts/dom.js";
import { Drawing } from "../parts/drawing.js";
import { estimate as estimated } from "../parts/estimate.js";
import { duration, money, number, time, unit, words } from "../parts/format.js";
import { Marks } from "../parts/marks.js";
import { Nodes } from "../parts/nodes.js";
import { badge } from "../parts/runs.js";
import { Story } from "../parts/story.js";

const COUNTS_EVERY_MS = 5000;
// Counting reads all of a run: however long that takes, the database rests longer.
const COUNTS_REST = 20;
const OVER = new Set(["completed", "failed", "cancelled", "early_stopped"]);

export class View {
  constructor(root, { segments: [, runId = ""] }) {
    this.runId = this.title = runId;
    this.wish = { kinds: "run,points,anomaly,event", run: runId.replace(/[\\,]/g, "\\$&") };
    this.marks = new Marks(runId);
    this.nodes = new Nodes(runId);
    this.path = `/runs/${encodeURIComponent(runId)}`;
    this.curves = new Map();
    this.newest = []; // of each metric, as the run told last
    this.countAt = 0;
    this.head = element("div", { className: "head" });
    this.latest = element("div", { className: "latest" });
    this.plots = element("div", { className: "curves" });
    this.events = element("div", { className: "events" });
    this.anomalies = new Anomalies(runId);
    this.story = new Story(runId);
    const form = element("div", {});
    this.drawing = new Drawing(form, () => this.#redraw());
    root.replaceChildren(this.head, this.anomalies.root, form, this.plots, this.latest, this.events, this.story.root);
    this.inView = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "200px" });
    this.resized = new ResizeObserver(() => this.curves.forEach((curve) => curve.resize()));
    this.resized.observe(this.plots);
  }

  // The same run drawn otherwise, as when one goes back.
  readdress({ segments: [, runId] }) {
    if (runId !== this.runId) return false;
    this.drawing.read();
    this.#redraw();
    return true;
  }

  // Over time instead of steps there are other points to ask for.
  #redraw() {
    this.curves.forEach((curve) => curve.redraw());
    document.dispatchEvent(new Event("ask-now"));
  }

  // Points are drawn as they are told, and events listed; all else is asked.
  heard(messages) {
    if (messages === null) {
      this.curves.forEach((curve) => curve.forget());
      this.story.forget();
      return;
    }
    for (const { kind, data } of messages) if (kind === "points") this.curves.get(keyOf(data))?.take(data);
    this.story.take(messages.filter((each) => each.kind === "event").map((each) => each.data));
  }

  unheard() {
    this.story.unheard();
  }

  close() {
    this.anomalies.close();
    this.curves.forEach((curve) => curve.close());
    this.inView.disconnect();
    this.resized.disconnect();
  }

  recolour() {
    this.curves.forEach((curve) => curve.recolour());
  }

  async update() {
    let run;
    try {
      run = (await ask(this.path)).data;
    } catch (failure) {
      if (failure.status !== 404) throw failure;
      show(this.head, "missing", () => [element("h1", {}, this.runId), element("p", { className: "hint" }, "There is no such run yet.")]);
      return;
    }
    run.latest.sort((a, b) => isLoss(b) - isLoss(a)); // stable: the rest stays in order of names
    this.#drawHead(run);
    this.#drawLatest(run);
    if (this.wasOver === false && OVER.has(run.status)) this.curves.forEach((curve) => curve.forget());
    this.wasOver = OVER.has(run.status);
    this.newest = run.latest;
    run.latest.forEach((latest) => this.#curve(latest)); // so that those in view begin to fetch
    const [, isMarked, isMoved] = await Promise.all([this.anomalies.update(), this.marks.update(), this.nodes.update()]);
    if (isMarked || isMoved) this.curves.forEach((curve) => curve.redraw());
    for (const latest of run.latest) await this.#updated(latest);
    this.drawing.offerSplit([...this.curves.values()].some((curve) => curve.points.ranks.length > 1));
    await this.story.update();
    await this.#count(run);
  }

  #curve(latest) {
    const key = keyOf(latest);
    if (!this.curves.has(key)) {
      const curve = new Curve(this.runId, latest, this.drawing, this.marks, this.nodes);
      this.curves.set(key, curve);
      this.plots.append(curve.root);
      this.inView.observe(curve.root);
    }
    return this.curves.get(key);
  }

  #updated(latest) {
    return this.#curve(latest).update(latest, this.anomalies.flags.get(keyOf(latest)) ?? []);
  }

  // Whoever scrolls to a curve does not wait until the run is asked for again.
  #seen(entries) {
    for (const entry of entries) {
      const curve = [...this.curves.values()].find((each) => each.root === entry.target);
      if (curve) curve.isInView = entry.isIntersecting;
    }
    const seen = this.newest.filter((latest) => this.#curve(latest).isInView);
    Promise.all(seen.map((latest) => this.#updated(latest))).catch(() => document.dispatchEvent(new Event("ask-now")));
  }

  #drawHead(run) {
    const { latest, last_seen, last_received_at, ...shown } = run;
    show(this.head, [shown, this.cost], () => [
      element("h1", {}, run.run_id, badge(run.status)),
      element("p", { className: "ways" }, ...ways(run)),
      facts([
        ["Experiment", run.experiment_id],
        ["Condition", run.condition],
        ["Model", [run.model_name, run.model_version].filter(Boolean).join(" ")],
        ["Data set", run.dataset_name],
        ["Service", run.service_name],
        ["Started", run.started_at && time(run.started_at)],
        ["Last heard of", run.stalled_at && last_received_at && time(last_received_at)],
        ["Took", run.duration_ms !== null && duration(run.duration_ms)],
        ["Epoch", run.last_epoch !== null && number(run.last_epoch)],
        ["Step", run.last_step !== null && number(run.last_step)],
        ["Cost", this.cost?.cost_usd ? estimated(this.cost.cost_usd, this.cost.cost_usd_interval, money) : null],
      ]),
      ...[["Configuration", run.config], ["Summary", run.summary]].map(([name, value]) => folded(name, value)),
    ]);
  }

  #drawLatest(run) {
    show(this.latest, run.latest, () => {
      if (run.latest.length === 0) return [element("p", { className: "hint" }, "No measurements yet.")];
      const rows = run.latest.map((each) => [
        each.metric,
        each.event_name ?? "–",
        each.step === null ? "–" : number(each.step),
        [each.value_int ?? number(each.value), unit(each.unit)].filter(Boolean).join(" "),
      ]);
      const remark = run.latest_is_complete ? [] : [element("p", { className: "note" }, "There are more; the API has all.")];
      return [table("Latest numbers", ["Metric", "Event", "Step", "Value"], rows), ...remark];
    });
  }

  async #count(run) {
    const start = performance.now();
    if (start < this.countAt) return;
    const { data: counts, meta } = await ask("/events/counts", { run: run.run_id });
    this.cost = (await ask("/cost", { run: run.run_id, limit: 1 })).data[0];
    const spent = performance.now() - start;
    this.countAt = performance.now() + Math.max(COUNTS_EVERY_MS, COUNTS_REST * spent);
    show(this.events, counts, () => {
      const rows = counts.map((each) => [each.event_name, estimate(each, "count"), estimate(each, "error_count"), time(each.last_time)]);
      const remark = meta.has_more ? [element("p", { className: "note" }, "There are more; the API has all.")] : [];
      return counts.length === 0 ? [] : [table("Events", ["Event", "Count", "Errors", "Last"], rows), ...remark];
    });
  }
}

// Where else there is to see of it.
function ways(run) {
  const found = [
    ["Events", link(["events"], { run: run.run_id })],
    ["Compare", run.experiment_id && link(["compare"], { experiment: run.experiment_id })],
    ["Experiment", run.experiment_id && link(["experiments", run.experiment_id])],
    ["Trace", run.trace_id && link(["traces", run.trace_id])],
    ["Story", run.correlation_id && link(["correlations", run.correlation_id])],
  ];
  return found.filter(([, href]) => href).map(([name, href]) => element("a", { href }, name));
}

// What most people look for stands first.
function isLoss(latest) {
  return /(^|[_/.])loss$/.test(latest.metric);
}

function estimate(count, name) {
  const [low, high] = count[`${name}_interval`];
  return low === high ? number(count[name]) : `≈ ${number(Math.round(count[name]))} (${number(low)} to ${number(high)})`;
}

function facts(pairs) {
  const there = pairs.filter(([, value]) => value);
  return element("dl", {}, ...there.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function folded(name, value) {
  if (value === null || (typeof value === "object" && Object.keys(value).length === 0)) return null;
  return element("details", {}, element("summary", {}, words(name)), element("pre", {}, JSON.stringify(value, null, 2)));
}
