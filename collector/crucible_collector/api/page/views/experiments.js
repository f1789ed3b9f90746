// Experiments: the list of all, or one with what is known of it and its runs.

import { link } from "../address.js";
import { ask } from "../parts/ask.js";
import { element } from "../parts/dom.js";
import { Experiment } from "../parts/experiment.js";
import { Filters } from "../parts/filters.js";
import { number, time } from "../parts/format.js";
import { told } from "../parts/places.js";
import { Rows } from "../parts/rows.js";
import { badge } from "../parts/runs.js";

const LIST_MAX = 1000; // of the API
const EVERY_MS = 5000;

// It has no `readdress`: what a view writes into the address itself is not told as a change of it, so that whatever is told
// is a link, as one to the list without the filters that are in force.
export class View {
  wish = { kinds: "run" };

  constructor(root, { segments: [, experimentId = null] }) {
    this.title = experimentId ?? "Experiments";
    this.shown = experimentId === null ? new List(root) : new Experiment(root, experimentId);
  }

  async update() {
    await this.shown.update();
    this.title = this.shown.title ?? this.title;
  }

  close() {
    this.shown.close();
  }
}

class List {
  constructor(root) {
    this.dueAt = 0;
    root.append(element("h1", {}, "Experiments"));
    const fields = [
      { name: "text", label: "Text", placeholder: "name, hypothesis…" },
      { name: "tag", label: "Tag" },
      { name: "owner", label: "Owner" },
      { name: "status", label: "Status", options: ["running", "paused", "stopped", "archived"] },
    ];
    this.filters = new Filters(root, "Filters of experiments", fields, () => this.#soon());
    this.place = element("div", {});
    root.append(this.place);
    const caption = "Experiments";
    const empty = "No experiment is stored that is like this. One begins with crucible.experiment(…) in a training script.";
    this.rows = new Rows(this.place, { caption, columns: COLUMNS, empty });
    this.rows.box.style.whiteSpace = "nowrap"; // heads would break within their words on a narrow screen
  }

  close() {
    this.rows.close();
  }

  async update() {
    if (performance.now() < this.dueAt) return;
    this.dueAt = performance.now() + EVERY_MS;
    await told(this.place, async () => {
      const { data, meta } = await ask("/experiments", { ...this.filters.values, limit: LIST_MAX });
      this.#show(data, meta.has_more);
    });
  }

  // Rows that are drawn anew lose the focus, which somebody at a keyboard would have to look for again.
  #show(experiments, hasMore) {
    const text = JSON.stringify(experiments);
    if (text === this.text) return;
    this.text = text;
    this.rows.show(experiments, hasMore ? `The newest ${number(LIST_MAX)}; a filter may help.` : "");
  }

  // By the page, which asks one thing after the other: no answer to older filters comes last.
  #soon() {
    this.dueAt = 0;
    document.dispatchEvent(new Event("ask-now"));
  }
}

const COLUMNS = [
  {
    name: "name",
    label: "Experiment",
    value: (row) => row.name ?? row.experiment_id,
    cell: (row) => element("a", { href: link(["experiments", row.experiment_id]), title: row.experiment_id }, row.name ?? row.experiment_id),
  },
  { name: "status", label: "Status", value: (row) => row.status, cell: (row) => badge(row.status) },
  { name: "runs", label: "Runs", value: (row) => row.run_count, cell: (row) => number(row.run_count), isNumber: true },
  { name: "hypothesis", label: "Hypothesis", value: (row) => row.hypothesis },
  { name: "tags", label: "Tags", value: (row) => row.tags.join(", ") || null, cell: tags },
  { name: "owner", label: "Owner", value: (row) => row.owner },
  { name: "last_seen", label: "Last heard of", value: (row) => row.last_seen, cell: (row) => time(row.last_seen) },
  { name: "first_seen", label: "Began", value: (row) => row.first_seen, cell: (row) => time(row.first_seen), isHidden: true },
  { name: "type", label: "Type", value: (row) => row.experiment_type, isHidden: true },
  { name: "id", label: "Id", value: (row) => row.experiment_id, isHidden: true },
];

function tags(row) {
  if (row.tags.length === 0) return null;
  const links = row.tags.map((tag) => element("a", { href: link(["experiments"], { tag }) }, tag));
  return element("span", {}, ...links.flatMap((each, index) => (index === 0 ? [each] : [", ", each])));
}
