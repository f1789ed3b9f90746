// How the curves of a run are drawn: over steps or time, straight or logarithmic, smoothed or not, a line a rank, a node or one
// of all. It is in the address.

import { address, change } from "../address.js";
import { element } from "./dom.js";

const SPLITS = { "": "a rank", node: "a node (mean of its ranks)", all: "of all ranks (mean)" };
const SMOOTHING_MAX = 0.99;

export class Drawing {
  // `changed()` is told after each choice.
  constructor(root, changed) {
    this.byTime = element("select", { name: "x" }, element("option", { value: "" }, "step"), element("option", { value: "time" }, "time"));
    this.by = element("select", { name: "lines" }, ...Object.entries(SPLITS).map(([value, label]) => element("option", { value }, label)));
    this.log = element("input", { type: "checkbox", name: "log" });
    this.smooth = element("input", { type: "range", name: "smoothing", min: "0", max: String(SMOOTHING_MAX), step: "0.01" });
    this.told = element("span", {});
    const labels = [["Over", this.byTime], ["A line", this.by], ["Logarithmic", this.log], ["Smoothing", this.smooth, this.told]];
    this.root = element("form", { className: "filters drawing", ariaLabel: "How curves are drawn" }, ...labels.map((each) => element("label", {}, ...each)));
    this.root.addEventListener("submit", (event) => event.preventDefault());
    this.root.addEventListener("input", () => {
      change({ x: this.byTime.value, lines: this.by.value, log: this.log.checked ? "1" : null, smoothing: this.smoothing || null });
      this.#tell();
      changed();
    });
    root.append(this.root);
    this.read();
    this.offerSplit(false);
  }

  // Takes what the address says.
  read() {
    const { query } = address();
    this.byTime.value = query.get("x") === "time" ? "time" : "";
    this.by.value = query.get("lines") in SPLITS ? query.get("lines") : "";
    this.log.checked = query.get("log") === "1";
    this.smooth.value = String(Number(query.get("smoothing")) || 0);
    this.#tell();
  }

  get isByTime() {
    return this.byTime.value === "time";
  }

  // "": a line a rank; "node" or "all": the mean of ranks.
  get split() {
    return this.by.value;
  }

  // There is nothing to choose where there is one rank.
  offerSplit(isOffered) {
    this.by.parentElement.hidden = !isOffered && this.split === "";
  }

  get isLog() {
    return this.log.checked;
  }

  // 0 (as measured) to 0.99.
  get smoothing() {
    return Number(this.smooth.value);
  }

  #tell() {
    this.told.textContent = this.smoothing === 0 ? "none" : this.smoothing.toFixed(2);
  }
}
