// Asks the API. What is thrown has a message that a person can read.

import { askForKey } from "./key.js";

const TIMEOUT_MS = 10_000;

export function ask(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return answered(`${path}${query && "?"}${query}`);
}

export function send(path, body) {
  const headers = { "Content-Type": "application/json" };
  return answered(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export function remove(path) {
  return answered(path, { method: "DELETE" });
}

// What is beside the API (/readyz, /metrics): {isOk, text}, whatever its status.
export async function askBeside(path) {
  const response = await reached(path);
  return { isOk: response.ok, text: await response.text() };
}

// When the collector last answered anything at all; null: not yet.
export function lastAnswerAt() {
  return answeredAt;
}

let answeredAt = null;

async function answered(path, options) {
  const response = await reached(`/api/v1${path}`, options);
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  if (response.status === 401) askForKey();
  const failure = new Error(answer?.error?.message ?? `the collector answered ${response.status}`);
  failure.status = response.status;
  throw failure;
}

async function reached(path, options = {}) {
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
    answeredAt = new Date();
    return response;
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "the collector is too slow to answer" : "the collector does not answer");
  }
}
