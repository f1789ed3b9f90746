// How the collector itself is: its parts, what became of every record, what it could not take, and what works in the background.

import { ask, askBeside } from "../parts/ask.js";
import { element, show, table } from "../parts/dom.js";
import { bytes, number, time, words } from "../parts/format.js";
import { read, total } from "../parts/metrics_text.js";
import { figure, section, told } from "../parts/places.js";
import { badge } from "../parts/runs.js";

const EVERY_MS = 3000;
const EXAMINED_EVERY_MS = 20_000;
const JOBS = [
  ["Exports", "/exports", "job_id"],
  ["Archives", "/archives", "archive_id"],
  ["Scans for anomalies", "/anomalies/scan", "scan_id"],
  ["Costs computed anew", "/cost/recompute", "job_id"],
];
const JOBS_MAX = 5;
// What nobody wants to see grow, by the name of its counter.
const TROUBLES = {
  crucible_dropped_dead_letters_total: "Records that the database refused for good and that no file had room for",
  crucible_reversed_spans_total: "Spans that ended before they began (stored with a duration of 0)",
};

export class View {
  title = "Collector";
  wish = null;

  constructor(root) {
    root.append(element("h1", {}, "Collector"));
    this.parts = section(root, "Parts");
    this.doctor = section(root, "What the doctor says");
    this.figures = section(root, "Journal and database");
    this.ledger = section(root, "What became of every record");
    this.jobs = section(root, "Jobs");
    this.dueAt = 0;
    this.examinedAt = 0;
  }

  async update() {
    if (performance.now() < this.dueAt) return;
    this.dueAt = performance.now() + EVERY_MS;
    await told(this.parts, () => this.#parts());
    await told(this.figures, () => this.#metrics());
    if (performance.now() >= this.examinedAt) {
      this.examinedAt = performance.now() + EXAMINED_EVERY_MS;
      await told(this.doctor, () => this.#doctor());
    }
    await told(this.ledger, () => this.#ledger());
    await told(this.jobs, () => this.#jobs());
  }

  // Where a part is not ready it is a 503, which has the parts in its error.
  async #parts() {
    const answer = JSON.parse((await askBeside("/readyz")).text);
    const data = answer.data ?? answer.error.details;
    show(this.parts, data, () => {
      const lines = Object.entries(data).map(([name, part]) => {
        return element("li", {}, badge(part.is_ready ? "healthy" : "critical"), element("strong", {}, name), element("span", { className: "dim" }, part.detail ?? ""));
      });
      return [element("ul", { className: "lines" }, ...lines)];
    });
  }

  async #doctor() {
    const { data } = await ask("/doctor");
    const troubles = data.filter(({ level }) => level === "wrong" || level === "warning");
    const rest = data.filter((finding) => !troubles.includes(finding));
    show(this.doctor, data, () => [
      troubles.length === 0 ? element("p", {}, badge("healthy"), ` ${number(rest.length)} things were looked at; nothing is wrong.`) : element("ul", { className: "lines" }, ...troubles.map(finding)),
      element("details", {}, element("summary", {}, "What is well"), element("ul", { className: "lines" }, ...rest.map(finding))),
    ]);
  }

  async #metrics() {
    const { isOk, text } = await askBeside("/metrics");
    const samples = read(isOk ? text : "");
    const value = (name) => samples.find((sample) => sample.name === name)?.value ?? null;
    const shown = [value("crucible_lag_seconds"), value("crucible_journal_disk_bytes"), value("crucible_bytes_in_flight"), total(samples, "crucible_requests_total")];
    const troubles = Object.entries(TROUBLES).map(([name, text]) => [text, total(samples, name)]).filter(([, count]) => count > 0);
    const refused = samples.filter((sample) => sample.name === "crucible_requests_total" && sample.labels.outcome !== "ok");
    show(this.figures, [shown, troubles, refused], () => [
      element(
        "div",
        { className: "cards" },
        figure("Lag", shown[0] === null ? "–" : `${number(Number(shown[0].toPrecision(3)))} s`, "since the receipt of what is newest in the database"),
        figure("Journal", bytes(shown[1]), "on disk"),
        figure("In flight", bytes(shown[2]), "of requests being taken"),
        figure("Requests", number(shown[3]), "since the start"),
      ),
      element("ul", { className: "lines" }, ...troubles.map(([text, count]) => element("li", {}, badge("warning"), `${text}: ${number(count)}`)), ...refused.map(refusal)),
      troubles.length + refused.length === 0 ? element("p", { className: "dim" }, "No errors since the start.") : null,
    ]);
  }

  async #ledger() {
    const { data } = await ask("/ledger");
    show(this.ledger, data, () => {
      if (data.length === 0) return [element("p", { className: "hint" }, "Nothing has been received yet.")];
      const rows = data.map((line) => [line.signal, ...COUNTS.map(([name]) => number(line[name])), line.unaccounted_count === 0 ? "nothing" : number(line.unaccounted_count)]);
      const reasons = data.flatMap((line) => Object.entries(line.rejected_by_reason).map(([reason, count]) => `${number(count)} ${words(line.signal)} rejected: ${words(reason)}`));
      const heads = ["Signal", ...COUNTS.map(([, label]) => label), "Unaccounted for"];
      return [table("Received = stored + sampled out + filtered + duplicate + rejected", heads, rows), ...reasons.map((reason) => element("p", { className: "dim" }, reason))];
    });
  }

  async #jobs() {
    const found = await Promise.all(JOBS.map(([, path]) => ask(path, { limit: JOBS_MAX }).then((answer) => answer.data, ifAbsent)));
    show(this.jobs, found, () => {
      const lines = JOBS.flatMap(([label, , id], index) => found[index].map((job) => [label, job[id], job]));
      if (lines.length === 0) return [element("p", { className: "hint" }, "None has been asked for.")];
      const rows = lines.map(([label, id, job]) => [label, String(id), badge(job.state ?? job.status ?? "–"), time(job.created_at), job.error ?? ""]);
      return [table("The newest of each kind", ["Job", "Id", "State", "Asked for", "Error"], rows)];
    });
  }
}

const COUNTS = [
  ["received_count", "Received"],
  ["stored_count", "Stored"],
  ["sampled_count", "Sampled out"],
  ["filtered_count", "Filtered"],
  ["duplicate_count", "Duplicate"],
  ["rejected_count", "Rejected"],
];

// A process may not have this kind of job.
function ifAbsent(failure) {
  if (failure.status === 404 || failure.status === 405) return [];
  throw failure;
}

const LEVELS = { wrong: "critical", warning: "warning", ok: "healthy", skipped: "skipped" };

function finding({ check, level, says, remedy }) {
  return element("li", {}, badge(LEVELS[level] ?? level), element("strong", {}, check), element("span", {}, says), remedy ? element("span", { className: "dim" }, `→ ${remedy}`) : null);
}

function refusal({ labels, value }) {
  return element("li", {}, badge("warning"), `Requests answered ${words(labels.outcome ?? "")} over ${labels.transport ?? "?"}: ${number(value)}`);
}
