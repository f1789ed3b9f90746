// Prometheus' text format, as far as /metrics uses it, version 0.0.4.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

// A list of {name, labels, value}.
export function read(text) {
  const matches = text.split("\n").map((line) => LINE.exec(line)).filter(Boolean);
  return matches.map(([, name, labels = "", value]) => ({ name, labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key, each]) => [key, unescaped(each)])), value: Number(value) }));
}

function unescaped(text) {
  return text.replace(/\\(.)/g, (_, each) => (each === "n" ? "\n" : each));
}

// Over all labels; null where there is no such metric.
export function total(samples, name) {
  const found = samples.filter((sample) => sample.name === name);
  return found.length === 0 ? null : found.reduce((sum, sample) => sum + sample.value, 0);
}
