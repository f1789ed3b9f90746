// All at once: how runs are, what was found in them, what comes in, and what it costs today.

import { link } from "../address.js";
import { ask } from "../parts/ask.js";
import { element, show } from "../parts/dom.js";
import { estimate } from "../parts/estimate.js";
import { money, number, time } from "../parts/format.js";
import { Ingest } from "../parts/ingest.js";
import { figure, section, told } from "../parts/places.js";
import { badge } from "../parts/runs.js";

const COUNTED_MAX = 1000; // of the API, each
const PERIODS_MAX = 8;
const STATUSES = ["running", "completed", "failed", "stalled"];
const OTHERS = "pending,cancelled,early_stopped";
const SELDOM_MS = 15_000;

export class View {
  title = "Overview";
  wish = { kinds: "run,anomaly" };

  constructor(root) {
    root.append(element("h1", {}, "Overview"));
    this.figures = element("div", { className: "cards" });
    root.append(this.figures);
    this.periods = section(root, "Recent anomalies");
    this.arriving = section(root, "Ingest");
    this.sampling = section(root, "Sampling in force");
    this.costs = section(root, "Cost today");
    this.ingest = new Ingest();
    this.seldomAt = 0;
  }

  heard() {
    this.isNew = true;
  }

  unheard() {
    this.isNew = true;
  }

  async update() {
    const isDue = performance.now() >= this.seldomAt;
    if (this.isNew || isDue) {
      this.isNew = false;
      await told(this.figures, () => this.#runs());
      await told(this.periods, () => this.#anomalies());
    }
    await told(this.arriving, () => this.#ingest());
    if (!isDue) return;
    await told(this.sampling, () => this.#sampling());
    await told(this.costs, () => this.#cost());
    this.seldomAt = performance.now() + SELDOM_MS;
  }

  // One question a status: those that run or have failed are all counted, however many newer ones have ended well.
  async #runs() {
    const of = (query) => ask("/runs", { ...query, limit: COUNTED_MAX, fields: "run_id,anomaly_severity" });
    const answers = await Promise.all([...STATUSES, OTHERS].map((status) => of({ status })));
    const counts = answers.map(({ data, meta }) => `${number(data.length)}${meta.has_more ? " or more" : ""}`);
    const suspect = answers.flatMap(({ data }) => data).filter((run) => run.anomaly_severity === "critical").length;
    const isCut = answers.some(({ meta }) => meta.has_more);
    show(this.figures, [counts, suspect], () => [
      ...STATUSES.map((status, index) => figure(WORDS[status], counts[index])),
      ...(counts.at(-1) === "0" ? [] : [figure("Other", counts.at(-1), "pending, cancelled or stopped early")]),
      figure("Critical", `${number(suspect)}${isCut ? " or more" : ""}`, "runs with a critical anomaly that is not over"),
    ]);
  }

  async #anomalies() {
    const { data, meta } = await ask("/anomalies/periods", { limit: PERIODS_MAX });
    show(this.periods, [data, meta.has_more], () => {
      if (data.length === 0) return [element("p", { className: "hint" }, "Nothing was flagged.")];
      const all = element("a", { href: link(["anomalies"]) }, meta.has_more ? "All of them" : "With their series");
      return [element("ul", { className: "lines" }, ...data.map(line)), element("p", {}, all)];
    });
  }

  async #ingest() {
    const { rate, received, lost, lag } = await this.ingest.update();
    show(this.arriving, [rate, received, lost, lag], () => [
      element(
        "div",
        { className: "cards" },
        figure("Records a second", rate === null ? "…" : number(rate), "received, over the last 10 s"),
        figure("Received", number(received), "since the ledger began"),
        figure("Unaccounted for", number(lost), lost === 0 ? "every record is accounted for" : "in flight, or lost"),
        ...(lag === null ? [] : [figure("Lag", `${number(lag)} s`, "from receipt to the database")]),
      ),
    ]);
  }

  async #sampling() {
    const { data } = await ask("/sampling");
    const rules = data.settings.rules;
    show(this.sampling, data, () => {
      const said = rules.length === 0 ? "Everything is kept." : `${number(rules.length)} ${rules.length === 1 ? "rule" : "rules"}: ${rules.map((rule) => rule.name ?? rule.strategy).join(", ")}.`;
      return [element("p", {}, said, " ", element("a", { href: link(["sampling"]) }, "What they see and keep"))];
    });
  }

  async #cost() {
    const midnight = new Date();
    midnight.setUTCHours(0, 0, 0, 0);
    const { data } = await ask("/cost", { from: midnight.toISOString(), limit: 1 });
    show(this.costs, data, () => {
      const [cost] = data;
      if (!cost || (!cost.call_count && !cost.cost_usd)) return [element("p", { className: "hint" }, "No priced calls since midnight (UTC).")];
      const unpriced = cost.unpriced_call_count > 0 ? `${number(Math.round(cost.unpriced_call_count))} calls have no known price.` : "";
      const figures = element(
        "div",
        { className: "cards" },
        figure("Since midnight (UTC)", estimate(cost.cost_usd, cost.cost_usd_interval, money), unpriced),
        figure("Calls", number(Math.round(cost.call_count))),
        figure("Tokens in", estimate(cost.input_tokens, cost.input_tokens_interval)),
        figure("Tokens out", estimate(cost.output_tokens, cost.output_tokens_interval)),
      );
      return [figures, element("p", {}, element("a", { href: link(["inference"]) }, "By model"))];
    });
  }
}

const WORDS = { running: "Running", completed: "Completed", failed: "Failed", stalled: "Stalled" };

function line(period) {
  const of = period.run_id ?? period.experiment_id;
  const place = period.run_id ? link(["runs", period.run_id]) : link(["anomalies"]);
  return element(
    "li",
    {},
    badge(period.severity),
    element("a", { href: place }, `${period.metric}${period.rank === null ? "" : `, rank ${period.rank}`}`),
    element("span", { className: "dim" }, [period.detector, of, time(period.started_at), period.state].filter(Boolean).join(" · ")),
  );
}
