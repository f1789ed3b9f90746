// A number that may be an estimate from sampled data, as a person reads it.

import { element } from "./dom.js";
import { number } from "./format.js";

// `interval` is [low, high] of 95 %; both the same, or none, where nothing was estimated. `show` writes a number.
export function estimate(value, interval, show = number) {
  if (!interval || value === null || value === undefined || interval[0] === interval[1]) return show(value);
  const [low, high] = interval;
  const title = "Estimated from sampled data; in brackets, the 95 % interval.";
  return element("span", { className: "estimate", title }, `≈ ${show(value)} `, element("small", {}, `(${range(low, high, show)})`));
}

// Of few rows an end may be open.
function range(low, high, show) {
  if (high === null || high === "Infinity") return `${show(low)} or more`;
  return `${show(low)} to ${show(high)}`;
}
