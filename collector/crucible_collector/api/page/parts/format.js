// How numbers and times look to a person.

export function number(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value; // NaN, Infinity, -Infinity
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size >= 1e-4 && size < 1e6 ? String(Number(value.toPrecision(5))) : value.toExponential(3);
}

export function time(text) {
  if (!text) return "–";
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  return today ? at.toLocaleTimeString() : at.toLocaleString();
}

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  const s = ms / 1000;
  if (s < 1) return `${Math.round(ms)} ms`;
  if (s < 60) return `${s.toFixed(1)} s`;
  const parts = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60, Math.floor(s) % 60];
  const first = parts.findIndex((part) => part > 0);
  return parts
    .map((part, index) => `${part} ${["d", "h", "min", "s"][index]}`)
    .slice(first, first + 2)
    .join(" ");
}

// UCUM as a person writes it: "1" is no unit, and braces hold plain words.
export function unit(text) {
  return text === null || text === "1" ? "" : text.replace(/[{}]/g, "");
}

export function words(status) {
  return status.replaceAll("_", " ");
}

// US dollars: as many digits as are left of little, else cents.
export function money(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  const digits = Math.abs(value) >= 1 || value === 0 ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : { maximumSignificantDigits: 3 };
  return `$${value.toLocaleString("en", digits)}`;
}

// To the millisecond, for what lies close together.
export function moment(text) {
  if (!text) return "–";
  const at = new Date(text);
  const clock = `${at.toLocaleTimeString("en-GB")}.${String(at.getMilliseconds()).padStart(3, "0")}`;
  return at.toDateString() === new Date().toDateString() ? clock : `${at.toISOString().slice(0, 10)} ${clock}`;
}

export function bytes(value) {
  if (value === null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = value < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  return `${number(Number((value / 1000 ** power).toPrecision(3)))} ${units[power]}`;
}
