// Calls of models: how fast, how often wrong, how many tokens, at what cost, and whether that is what was promised.

import { address, change, link } from "../address.js";
import { ask } from "../parts/ask.js";
import { Chart, colour } from "../parts/chart.js";
import { element, show, table } from "../parts/dom.js";
import { estimate } from "../parts/estimate.js";
import { duration, money, number, time } from "../parts/format.js";
import { figure, section, told } from "../parts/places.js";
import { badge } from "../parts/runs.js";

const EVERY_MS = 10_000;
// What the SDK sends of a call; other clients' calls are found by their tokens.
const CALLS = ["crucible_deployment.inference.stop", "crucible_deployment.inference.exception"];
const MODELS_MAX = 500;
const PERIODS = { "1h": ["Last hour", 3_600_000, "1m"], "24h": ["Last day", 86_400_000, "1h"], "7d": ["Last 7 days", 7 * 86_400_000, "1h"], "30d": ["Last 30 days", 30 * 86_400_000, "1d"] };

export class View {
  title = "Inference";
  wish = null;

  constructor(root) {
    root.append(element("h1", {}, "Inference"));
    this.period = element("select", {}, ...Object.entries(PERIODS).map(([value, [label]]) => element("option", { value }, label)));
    const form = element("form", { className: "filters", ariaLabel: "Period" }, element("label", {}, "Period", this.period));
    this.period.addEventListener("change", () => {
      change({ period: this.period.value });
      this.#soon();
    });
    root.append(form);
    this.models = section(root, "Models");
    this.one = section(root, "Model");
    this.drawings = element("div", { className: "curves" });
    this.one.after(this.drawings);
    this.throughput = this.#chart("Calls and errors");
    this.latency = this.#chart("Latency");
    this.sla = section(root, "Service levels");
    this.readdress();
  }

  close() {
    this.throughput.close();
    this.latency.close();
  }

  recolour() {
    this.throughput.recolour();
    this.latency.recolour();
  }

  readdress() {
    const { query } = address();
    this.period.value = PERIODS[query.get("period")] ? query.get("period") : "24h";
    this.model = query.get("model");
    this.#soon();
    return true;
  }

  #soon() {
    this.dueAt = 0;
    document.dispatchEvent(new Event("ask-now"));
  }

  #chart(label) {
    const place = element("section", { className: "curve", ariaLabel: label }, element("h2", {}, label));
    this.drawings.append(place);
    return new Chart(place, label, 200);
  }

  async update() {
    if (performance.now() < this.dueAt) return;
    this.dueAt = performance.now() + EVERY_MS;
    const [, ms, interval] = PERIODS[this.period.value];
    const from = new Date(Date.now() - ms).toISOString();
    await told(this.models, () => this.#list(from));
    this.one.parentElement.hidden = this.drawings.hidden = this.sla.parentElement.hidden = !this.model;
    if (!this.model) return;
    await told(this.one, () => this.#figures(from));
    await told(this.one, () => this.#draw(from, interval));
    await told(this.sla, () => this.#levels(from));
  }

  // A training, an attack or an explanation names a model, too, and is no call.
  async #list(from) {
    const of = (event) => ask("/models", { from, event, limit: MODELS_MAX }).then(({ data }) => data);
    const [all, costs, ...ended] = await Promise.all([of(null), ask("/cost", { from, group_by: "model" }), ...CALLS.map(of)]);
    const byModel = new Map(costs.data.map((cost) => [cost.model, cost]));
    this.own = together(ended.flat());
    const models = all.map((each) => this.own.get(each.model) ?? each).filter((each) => this.own.has(each.model) || byModel.has(each.model));
    this.model ??= models[0]?.model ?? null;
    show(this.models, [models, costs.data, this.model], () => {
      if (models.length === 0) return [element("p", { className: "hint" }, "No model was called in this time. An inference of the SDK is a call, as is a span that tells tokens.")];
      const heads = ["Model", "Calls", "Errors", "Tokens in", "Tokens out", "Cost", "Last"];
      return [table("Calls by model", heads, models.map((each) => this.#line(each, byModel.get(each.model))))];
    });
  }

  // The events that are calls of the model; none: whatever names it.
  get #events() {
    return this.own.has(this.model) ? CALLS : [];
  }

  #line(each, cost) {
    const { query } = address();
    const href = link(["inference"], { model: each.model, period: query.get("period") });
    const name = element("a", { href, ariaCurrent: each.model === this.model ? "true" : null }, each.model);
    return [
      name,
      estimate(each.count, each.count_interval, whole),
      estimate(each.error_count, each.error_count_interval, whole),
      cost ? estimate(cost.input_tokens, cost.input_tokens_interval, whole) : "–",
      cost ? estimate(cost.output_tokens, cost.output_tokens_interval, whole) : "–",
      cost ? estimate(cost.cost_usd, cost.cost_usd_interval, money) : "–",
      time(each.last_time),
    ];
  }

  async #figures(from) {
    const { data } = await ask(`/models/${encodeURIComponent(this.model)}/statistics`, { from, event: this.#events.join(",") || null });
    const heading = this.one.previousElementSibling;
    heading.textContent = this.model;
    const { latency_ms: latency, time_to_first_token_ms: first, cost_usd: cost } = data;
    show(this.one, [this.model, data.count, data.error_count, latency, first, cost], () => [
      element(
        "div",
        { className: "cards" },
        figure("Calls", estimate(data.count, data.count_interval, whole), `${number(data.throughput_per_s === null ? null : Number(data.throughput_per_s.toPrecision(3)))} a second`),
        figure("Errors", estimate(share(data.error_rate), data.error_rate_interval?.map(share), percent)),
        ...PERCENTILES.map(([label, name]) => figure(label, estimate(latency?.[name], latency?.[`${name}_interval`], duration), "latency")),
        figure("Time to first token", first ? estimate(first.median, first.median_interval, duration) : "–", first ? `median; p95 ${duration(first.p95)}` : "none was measured"),
        figure("Cost", estimate(cost.total, cost.total_interval, money), data.cost_per_1k_usd === null ? "" : `${money(data.cost_per_1k_usd)} for 1,000 calls`),
      ),
      versions(data.versions),
      data.interval_reliable ? null : element("p", { className: "dim" }, "The sample is too small for its intervals to be relied on."),
    ]);
  }

  async #draw(from, interval) {
    const summed = (event) => ask("/events/aggregate", { from, interval, event, model: this.model, limit: 1000 }).then(({ data }) => data);
    const [first, second = []] = await Promise.all((this.#events.length ? this.#events : [null]).map(summed));
    const buckets = byTime(first, second);
    // From end to end of the period, also where nothing was called.
    const column = (name) => [null, ...buckets.map((each) => (typeof each[name] === "number" ? each[name] : null)), null];
    const xs = [Date.parse(from) / 1000, ...buckets.map((each) => Date.parse(each.time) / 1000), Date.now() / 1000].sort((a, b) => a - b);
    const x = { label: "time", isTime: true };
    const of = (label, lineColour) => ({ label, colour: lineColour, hasPoints: true });
    this.intervals = buckets.map((each) => ({ x: Date.parse(each.time) / 1000, interval: each.count_interval }));
    this.throughput.draw({ x, data: [xs, column("count"), column("error_count")], lines: [of("calls", 2), of("errors", "--bad")], hooks: { draw: [(plot) => errorBars(plot, this.intervals, colour(2))] } });
    // By the minute there are no percentiles.
    const [names, lines] = buckets.some((each) => typeof each.p50_ms === "number") ? [["p50_ms", "p95_ms", "p99_ms"], [of("median", 3), of("p95", 1), of("p99", 4)]] : [["duration_mean_ms"], [of("mean", 3)]];
    this.latency.draw({ x, data: [xs, ...names.map(column)], lines, unit: "ms" });
  }

  async #levels(from) {
    const { data } = await ask("/reliability", { from, model: this.model });
    show(this.sla, data, () => {
      const [found] = data;
      if (!found) return [element("p", { className: "hint" }, "No request said whether it succeeded.")];
      const rows = found.sla.map((each) => [percent(share(each.target)), badge(each.verdict === "met" ? "healthy" : each.verdict), each.explanation, percent(share(Math.max(0, each.error_budget_left ?? 0)))]);
      return [
        element("p", {}, "Success: ", estimate(share(found.success_rate), found.success_rate_interval?.map(share), percent), ` of ${whole(found.request_count)} requests.`),
        table("Against usual targets", ["Target", "Verdict", "Why", "Error budget left"], rows),
      ];
    });
  }
}

// Rows of /models of several events as one a model. The ends of intervals add up to one that is too wide, never too narrow.
function together(rows) {
  const found = new Map();
  for (const row of rows) {
    const before = found.get(row.model);
    found.set(row.model, before ? { ...row, ...sums(before, row), last_time: before.last_time > row.last_time ? before.last_time : row.last_time } : row);
  }
  return found;
}

function sums(one, other) {
  const interval = (name) => (one[name] && other[name] ? [0, 1].map((end) => one[name][end] + other[name][end]) : null);
  return {
    count: one.count + other.count,
    count_interval: interval("count_interval"),
    error_count: one.error_count + other.error_count,
    error_count_interval: interval("error_count_interval"),
  };
}

// Buckets of calls that ended well, with the counts of those that failed; latencies are of the former.
function byTime(ended, failed) {
  const found = new Map(ended.map((each) => [each.time, each]));
  for (const each of failed) {
    const beside = found.get(each.time);
    found.set(each.time, beside ? { ...beside, ...sums(beside, each) } : { time: each.time, ...sums(each, NOTHING) });
  }
  return [...found.values()].sort((a, b) => (a.time < b.time ? -1 : 1));
}

// From end to end of each interval that has a width, within the drawing.
function errorBars(plot, intervals, stroke) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = devicePixelRatio;
  const half = 4 * devicePixelRatio;
  for (const { x, interval } of intervals) {
    if (!interval || interval[0] === interval[1]) continue;
    const at = plot.valToPos(x, "x", true);
    const [low, high] = interval.map((y) => (typeof y === "number" ? plot.valToPos(y, "y", true) : bbox.top));
    ctx.beginPath();
    ctx.moveTo(at, low);
    ctx.lineTo(at, high);
    for (const end of [low, high]) {
      ctx.moveTo(at - half, end);
      ctx.lineTo(at + half, end);
    }
    ctx.stroke();
  }
  ctx.restore();
}

const NOTHING = { count: 0, count_interval: [0, 0], error_count: 0, error_count_interval: [0, 0] };

const PERCENTILES = [["Median", "median"], ["p95", "p95"], ["p99", "p99"]];

function versions(all) {
  if (!all || all.length < 2) return null;
  const rows = all.map(({ version, provider, statistics: each }) => [version ?? "–", provider ?? "–", estimate(each.count, each.count_interval, whole), percent(share(each.error_rate)), duration(each.latency_ms?.median), duration(each.latency_ms?.p95), money(each.cost_usd?.total)]);
  return table("By version", ["Version", "Provider", "Calls", "Errors", "Median", "p95", "Cost"], rows);
}

function share(rate) {
  return rate === null || rate === undefined ? null : 100 * rate;
}

function percent(value) {
  return value === null || value === undefined ? "–" : `${number(Number(value.toPrecision(value > 90 ? 5 : 3)))} %`;
}

function whole(value) {
  return value === null || value === undefined ? "–" : number(Math.round(value));
}
