// A form whose fields are in the address: whoever is sent the address sees what is chosen.

import { address, change } from "../address.js";
import { element } from "./dom.js";

export class Filters {
  // A field is {name, label, options}: with options (values, or [value, label]) one is chosen, without any text is written.
  // `changed(values)` is told all that is given, by name.
  constructor(root, label, fields, changed) {
    this.fields = fields;
    const { query } = address();
    this.inputs = new Map(fields.map((field) => [field.name, input(field, query.get(field.name) ?? "")]));
    const labels = fields.map((field) => element("label", {}, field.label, this.inputs.get(field.name)));
    this.root = element("form", { className: "filters", ariaLabel: label, role: "search" }, ...labels);
    const tell = () => {
      change(this.values);
      changed(this.values);
    };
    this.root.addEventListener("change", tell);
    this.root.addEventListener("submit", (event) => event.preventDefault());
    root.append(this.root);
  }

  get values() {
    return Object.fromEntries([...this.inputs].map(([name, each]) => [name, each.value.trim() || null]));
  }

  // Other values to choose from, as what there is has become known. What is chosen stays.
  offer(name, options) {
    const select = this.inputs.get(name);
    const { value } = select;
    if (select.dataset.offered === JSON.stringify(options)) return;
    select.dataset.offered = JSON.stringify(options);
    select.replaceChildren(...choices(options, value));
    select.value = value;
  }
}

function input({ options, placeholder = "" }, value) {
  if (!options) return element("input", { type: "search", value, placeholder, autocomplete: "off", spellcheck: false });
  const select = element("select", {}, ...choices(options, value));
  select.value = value;
  return select;
}

// Also what an address names and nobody knows (any more): else it would be hidden that it is asked for.
function choices(options, value) {
  const pairs = [["", "any"], ...options.map((option) => [option, option].flat().slice(0, 2)).map((pair, index) => (Array.isArray(options[index]) ? options[index] : pair))];
  if (value && !pairs.some(([each]) => each === value)) pairs.push([value, value]);
  return pairs.map(([each, label]) => element("option", { value: each }, label));
}
