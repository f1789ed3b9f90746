// What a span is called where there is little room: what happened, and of what.

const OF = ["crucible.stage.name", "crucible.pipeline.name", "crucible.attack.type", "crucible.explanation.method", "crucible.checkpoint.path", "crucible.deployment.action"];

export function called(span) {
  const { name, attributes = {}, model, epoch, step } = span;
  const short = name.replace(/^crucible_[a-z]+\./, "");
  const of = OF.map((key) => attributes[key]).find((value) => typeof value === "string") ?? numbered(short, epoch, step) ?? model;
  return of ? `${short} · ${of}` : short;
}

function numbered(short, epoch, step) {
  if (short.startsWith("epoch") && epoch !== null && epoch !== undefined) return String(epoch);
  if (short.startsWith("batch") && step !== null && step !== undefined) return String(step);
  return null;
}

// Without what only tells that something has begun, of which the span that tells all of it is there as well.
export function withoutStarts(spans) {
  const ended = new Set(spans.filter((span) => span.duration_ms > 0).map((span) => span.name));
  return spans.filter((span) => !(span.event_name?.endsWith(".start") && span.duration_ms === 0 && ended.has(span.name.replace(/\.start$/, ""))));
}
