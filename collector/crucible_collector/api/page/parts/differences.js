// In which settings runs differ.

import { link } from "../address.js";
import { element } from "./dom.js";

const COLUMNS_MAX = 12;

// A table of the keys whose values are not the same in all runs; `runs` as /runs has them.
export function differences(runs) {
  const flat = runs.map((run) => flattened(run.config ?? {}));
  const keys = [...new Set(flat.flatMap((each) => [...each.keys()]))].sort();
  const differing = keys.filter((key) => new Set(flat.map((each) => each.get(key))).size > 1);
  const same = keys.length - differing.length;
  if (differing.length === 0) return [element("p", { className: "hint" }, keys.length === 0 ? "No run tells its configuration." : "All of their settings are the same.")];
  const heads = ["Setting", ...runs.slice(0, COLUMNS_MAX).map((run) => run.run_id)];
  const rows = differing.map((key) => [key, ...flat.slice(0, COLUMNS_MAX).map((each) => each.get(key) ?? "–")]);
  const notes = [same > 0 ? `${same} more settings are the same in all.` : "", runs.length > COLUMNS_MAX ? `The first ${COLUMNS_MAX} of ${runs.length} runs.` : ""];
  return [drawn(heads, rows, runs), element("p", { className: "dim" }, notes.filter(Boolean).join(" "))];
}

function drawn(heads, rows, runs) {
  const head = heads.map((name, index) => element("th", { scope: "col" }, index === 0 ? name : element("a", { href: link(["runs", runs[index - 1].run_id]) }, name)));
  const lines = rows.map(([key, ...values]) => element("tr", {}, element("th", { scope: "row" }, key), ...values.map((value) => element("td", {}, value))));
  const made = element("table", {}, element("caption", {}, "Settings that differ"), element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines));
  return element("div", { className: "wide", tabIndex: 0, role: "region", ariaLabel: "Settings that differ" }, made);
}

// {a: {b: 1}} is a.b: 1; lists are one value.
function flattened(value, path = "", into = new Map()) {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    for (const [name, each] of Object.entries(value)) flattened(each, path ? `${path}.${name}` : name, into);
  } else {
    into.set(path, typeof value === "string" ? value : JSON.stringify(value));
  }
  return into;
}
