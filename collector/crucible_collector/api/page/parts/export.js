// Takes what is being looked at away as a Parquet file, and tells how far it is.

import { ask, remove, send } from "./ask.js";
import { element } from "./dom.js";
import { number } from "./format.js";

const EVERY_MS = 700;
const TAKEN = ["experiment", "run", "event", "status", "from", "to"]; // what an export can be narrowed by, of a view's filters

export class Export {
  constructor(root, filters) {
    this.filters = filters;
    this.button = element("button", { type: "button" }, "Export");
    this.told = element("span", { className: "dim", role: "status" });
    this.button.addEventListener("click", () => this.#start());
    root.append(this.button, this.told);
  }

  close() {
    clearTimeout(this.waiting);
    this.isClosed = true;
  }

  async #start() {
    const given = Object.entries(this.filters()).filter(([, value]) => value !== null);
    const taken = Object.fromEntries(given.filter(([name]) => TAKEN.includes(name)));
    const left = given.map(([name]) => name).filter((name) => !TAKEN.includes(name));
    this.remark = left.length > 0 ? ` An export is not narrowed by ${left.join(", ")}.` : "";
    this.button.disabled = true;
    try {
      const { data } = await send("/exports", { of: "events", format: "parquet", ...taken });
      this.#follow(data);
    } catch (failure) {
      this.#end(failure.message);
    }
  }

  async #follow(job) {
    if (this.isClosed) return;
    if (job.state === "completed") return this.#end(...files(job), this.remark);
    if (["failed", "cancelled"].includes(job.state)) return this.#end(`The export ${job.state}${job.error ? `: ${job.error}` : "."}`);
    this.#tell(job);
    this.waiting = setTimeout(async () => {
      try {
        this.#follow((await ask(`/exports/${job.job_id}`)).data);
      } catch (failure) {
        this.#end(failure.message);
      }
    }, EVERY_MS);
  }

  #tell({ job_id: id, progress }) {
    const bar = element("progress", { max: 1, value: progress ?? 0, ariaLabel: "Export" });
    const cancel = element("button", { type: "button" }, "Cancel");
    cancel.addEventListener("click", () => remove(`/exports/${id}`).catch(() => {})); // the next look tells what became of it
    this.told.replaceChildren(bar, ` ${Math.round(100 * (progress ?? 0))} % `, cancel);
  }

  #end(...said) {
    this.button.disabled = false;
    this.told.replaceChildren(...said);
  }
}

function files({ job_id: id, report }) {
  const links = report.files.map((file) => {
    const href = `/api/v1/exports/${id}/files/${encodeURIComponent(file.name)}`;
    return element("a", { href, download: file.name }, `${file.name} (${number(file.row_count)} rows)`);
  });
  return links.length > 0 ? links.flatMap((each) => [each, " "]) : ["There was nothing to take away."];
}
