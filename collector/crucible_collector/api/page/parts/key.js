// Asks for an API key where the collector wants one. It is kept as a cookie that no script reads: all that
// this page knows is that one was given.

import { element } from "./dom.js";

const SESSION = "/api/v1/session";
const GIVEN = "crucible-key-given";
let dialog = null;

// Safe to call with every answer that wants a key: one dialog is open at a time.
export function askForKey() {
  if (dialog) return;
  const field = element("input", { type: "password", name: "key", required: true, autocomplete: "off", placeholder: "ct_…" });
  const problem = element("p", { className: "problem", role: "alert" });
  const form = element(
    "form",
    {},
    element("p", {}, "This collector wants an API key that may read."),
    element("label", {}, "API key ", field),
    problem,
    element("button", { type: "submit" }, "Continue"),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = await given(field.value.trim());
    if (!problem.textContent) location.reload();
  });
  dialog = element("dialog", { ariaLabel: "API key" }, form);
  dialog.addEventListener("close", () => {
    dialog.remove();
    dialog = null;
  });
  document.body.append(dialog);
  dialog.showModal();
}

// What is wrong with a key; empty where it is taken.
async function given(key) {
  try {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(SESSION, { method: "POST", headers, body: JSON.stringify({ key }) });
    if (response.ok) return remember(true);
    const answer = await response.json().catch(() => null);
    return answer?.error?.message ?? `the collector answered ${response.status}`;
  } catch {
    return "the collector does not answer";
  }
}

function remember(isGiven) {
  if (isGiven) localStorage.setItem(GIVEN, "1");
  else localStorage.removeItem(GIVEN);
  return "";
}

// A button that has the browser forget the key, where one was given.
export function offerToForget(place) {
  if (!localStorage.getItem(GIVEN)) return;
  const button = element("button", { type: "button" }, "Forget key");
  button.addEventListener("click", async () => {
    await fetch(SESSION, { method: "DELETE" });
    remember(false);
    location.reload();
  });
  place.append(button);
}
