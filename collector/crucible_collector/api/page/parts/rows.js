// A table of any number of rows, of which only those in sight are in the document: sorted by a click on a head, with
// columns that a person chooses. Both are kept in the address.

import { address, change } from "../address.js";
import { element } from "./dom.js";

const HEIGHT = 32; // of a row, in CSS pixels: see parts.css
const AROUND = 12;

export class Rows {
  // A column is {name, label, value(row), cell(row), isNumber, isHidden}: `value` sorts, `cell` (else the value) is shown, as
  // text or as an element; one that is hidden shows once it is chosen.
  // `sort` is what stands first, as "name" or "-name"; without it rows stay in the order in which they come.
  constructor(root, { caption, columns, sort = null, empty = "There are none." }) {
    this.columns = columns;
    this.empty = empty;
    this.rows = [];
    const { query } = address();
    this.sort = query.get("sort") ?? sort;
    this.chosen = query.get("columns")?.split(",") ?? columns.filter((column) => !column.isHidden).map((column) => column.name);
    this.head = element("tr", {});
    this.body = element("tbody", {});
    this.table = element("table", {}, element("caption", {}, caption), element("thead", {}, this.head), this.body);
    this.box = element("div", { className: "rows", tabIndex: 0, role: "region", ariaLabel: caption }, this.table);
    this.count = element("p", { className: "dim" });
    this.box.addEventListener("scroll", () => this.#draw());
    this.resized = new ResizeObserver(() => this.#draw());
    this.resized.observe(this.box);
    this.root = element("div", { className: "table" }, this.#chooser(), this.box, this.count);
    root.append(this.root);
    this.#drawHead();
  }

  close() {
    this.resized.disconnect();
  }

  // `note` is told under the table, as where there are more.
  show(rows, note = "") {
    this.rows = rows;
    this.note = note;
    this.#order();
  }

  get shown() {
    return this.columns.filter((column) => this.chosen.includes(column.name));
  }

  #order() {
    const name = this.sort?.replace(/^-/, "");
    const column = this.columns.find((each) => each.name === name);
    this.ordered = column ? sorted(this.rows, column, this.sort.startsWith("-")) : this.rows;
    this.count.textContent = [this.rows.length === 0 ? this.empty : "", this.note].filter(Boolean).join(" ");
    this.table.setAttribute("aria-rowcount", String(this.rows.length + 1));
    this.drawn = null;
    this.#draw();
  }

  #draw() {
    const all = this.ordered ?? [];
    const first = Math.max(0, Math.floor(this.box.scrollTop / HEIGHT) - AROUND);
    const last = Math.min(all.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / HEIGHT) + AROUND);
    const mark = `${first} ${last}`;
    if (mark === this.drawn) return;
    this.drawn = mark;
    const lines = all.slice(first, last).map((row, index) => this.#line(row, first + index));
    this.body.replaceChildren(...space(first, this.shown.length), ...lines, ...space(all.length - last, this.shown.length));
  }

  #line(row, index) {
    const cells = this.shown.map((column) => {
      const content = column.cell ? column.cell(row) : column.value(row);
      const text = content === null || content === undefined ? "–" : content;
      return element("td", { className: column.isNumber ? "number" : "", title: typeof text === "string" ? text : null }, text);
    });
    const line = element("tr", {}, ...cells);
    line.setAttribute("aria-rowindex", String(index + 2));
    return line;
  }

  #drawHead() {
    this.head.replaceChildren(
      ...this.shown.map((column) => {
        const isSorted = this.sort?.replace(/^-/, "") === column.name;
        const order = this.sort?.startsWith("-") ? "descending" : "ascending";
        const button = element("button", { type: "button" }, column.label, isSorted ? (order === "ascending" ? " ▲" : " ▼") : "");
        button.addEventListener("click", () => this.#sortBy(column.name));
        return element("th", { scope: "col", ariaSort: isSorted ? order : "none", className: column.isNumber ? "number" : "" }, button);
      }),
    );
  }

  #sortBy(name) {
    this.sort = this.sort === `-${name}` ? name : `-${name}`;
    change({ sort: this.sort });
    const at = this.shown.findIndex((column) => column.name === name);
    this.#drawHead();
    this.head.children[at].firstChild.focus();
    this.#order();
  }

  #chooser() {
    const boxes = this.columns.map((column) => {
      const box = element("input", { type: "checkbox", checked: this.chosen.includes(column.name) });
      box.addEventListener("change", () => this.#choose(column.name, box.checked));
      return element("label", {}, box, ` ${column.label}`);
    });
    return element("details", { className: "chooser" }, element("summary", {}, "Columns"), ...boxes);
  }

  #choose(name, isChosen) {
    const names = new Set(this.chosen);
    if (isChosen) names.add(name);
    else names.delete(name);
    this.chosen = this.columns.map((column) => column.name).filter((each) => names.has(each));
    change({ columns: this.chosen.join(",") });
    this.#drawHead();
    this.#order();
  }
}

// What is not there comes last, whichever way the rest is sorted.
function sorted(rows, { value }, isDescending) {
  const sign = isDescending ? -1 : 1;
  const keyed = rows.map((row) => [value(row), row]);
  const isThere = ([key]) => key !== null && key !== undefined;
  const there = keyed.filter(isThere).sort(([a], [b]) => sign * compared(a, b));
  return [...there, ...keyed.filter((each) => !isThere(each))].map(([, row]) => row);
}

function compared(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function space(count, columns) {
  if (count === 0) return [];
  const cell = element("td", { colSpan: columns });
  cell.style.height = `${count * HEIGHT}px`;
  return [element("tr", { ariaHidden: "true" }, cell)];
}
