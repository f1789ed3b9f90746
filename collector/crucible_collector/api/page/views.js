// The views, in the order of the navigation. Each is a module in `views/`, fetched when it is first opened, with a class
// `View`:
//
//   constructor(root, address)  builds into `root`, which is empty; `address` as `address()` gives it
//   title                       for the window, once known
//   wish                        what of /live it wants to hear, as {kinds, run}; absent: everything of runs and anomalies
//   async update()              asks what is due and draws it; called after something was heard, and every few seconds
//   heard(messages)             optional: what was told, {kind, data} each; null: something was missed, ask all anew
//   unheard()                   optional: nothing can be heard at present; what would be told is to be asked for
//   readdress(address)          optional: takes another address of the same first segment; false where it must be built anew
//   recolour()                  optional: light has become dark, or the other way round
//   close()                     optional: gives back what it holds

export const VIEWS = [
  { segment: "", name: "Overview", load: () => import("./views/overview.js") },
  { segment: "experiments", name: "Experiments", load: () => import("./views/experiments.js") },
  { segment: "compare", name: "Compare", load: () => import("./views/compare.js") },
  { segment: "anomalies", name: "Anomalies", load: () => import("./views/anomalies.js") },
  { segment: "events", name: "Events", load: () => import("./views/events.js") },
  { segment: "inference", name: "Inference", load: () => import("./views/inference.js") },
  { segment: "sampling", name: "Sampling", load: () => import("./views/sampling.js") },
  { segment: "collector", name: "Collector", load: () => import("./views/collector.js") },
  // Reached from others, by a link.
  { segment: "runs", load: () => import("./views/run.js") },
  { segment: "traces", load: () => import("./views/trace.js") },
  { segment: "correlations", load: () => import("./views/correlation.js") },
];

// Where the list of runs stands beside the view.
export const BESIDE_RUNS = new Set(["", "runs"]);

export function viewOf({ segments: [first = ""] }) {
  return VIEWS.find((view) => view.segment === first) ?? null;
}
