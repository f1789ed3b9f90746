// What a span is called where there is little room: what happened, and of what.

// By the first word of its name, what tells one of its kind from another.
const OF = {
  stage: ({ attributes }) => attributes?.["crucible.stage.name"],
  pipeline: ({ attributes }) => attributes?.["crucible.pipeline.name"],
  epoch: ({ epoch }) => epoch,
  batch: ({ step }) => step,
};

export function called(span) {
  const short = span.name.replace(/^crucible_[a-z]+\./, "");
  const of = OF[short.split(".")[0]]?.(span) ?? span.model;
  return of === null || of === undefined ? short : `${short} · ${of}`;
}

// Without what only tells that something has begun, of which the span that tells all of it is there as well.
export function withoutStarts(spans) {
  const ended = new Set(spans.filter((span) => span.duration_ms > 0).map((span) => span.name));
  return spans.filter((span) => !(span.event_name?.endsWith(".start") && span.duration_ms === 0 && ended.has(span.name.replace(/\.start$/, ""))));
}
