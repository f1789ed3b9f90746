// Builds elements. Children are elements or text; text is always text, whatever a run is called.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name in made) made[name] = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...there(children));
  return made;
}

// null stands for a child that is not there; the DOM would write the word.
function there(children) {
  return children.filter((child) => child !== null && child !== undefined);
}

// Replaces the children only where what they show has changed: selections and scrolling survive.
export function show(parent, signature, build) {
  const text = JSON.stringify(signature);
  if (parent.dataset.signature === text) return;
  parent.dataset.signature = text;
  const focused = parent.contains(document.activeElement) && document.activeElement.dataset.key;
  parent.replaceChildren(...there(build()));
  if (focused === undefined || focused === false) return;
  [...parent.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused)?.focus();
}

export function table(caption, heads, rows) {
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))))),
  );
}
