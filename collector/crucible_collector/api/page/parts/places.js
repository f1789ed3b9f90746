// What the views need of every part of a page: headings, hints, and one question's failure told in its place.

import { element } from "./dom.js";

export function section(root, title) {
  const body = element("div", {});
  root.append(element("section", { className: "part", ariaLabel: title }, element("h2", {}, title), body));
  return body;
}

// Runs `ask`; where it fails, says so in `place` and lets the rest of the view go on. That the collector does not answer at
// all is not told here, but by the page.
export async function told(place, ask) {
  try {
    await ask();
    place.querySelector(":scope > .failure")?.remove();
  } catch (failure) {
    if (!failure.status) throw failure;
    const said = place.querySelector(":scope > .failure") ?? element("p", { className: "failure", role: "alert" });
    said.textContent = failure.message;
    place.append(said);
    delete place.dataset.signature;
  }
}

export function figure(label, value, note = "") {
  return element("div", { className: "card" }, element("p", { className: "dim" }, label), element("p", { className: "figure" }, value), element("p", { className: "dim" }, note));
}
