"""The measurements of spans that are series, as rows: one point each, and the series they begin.

Whether a span is sampled away makes no difference: its points are stored.
"""

from __future__ import annotations

import pyarrow as pa

from crucible_collector.batch import I64, Signal, Spans
from crucible_collector.decode import distinct
from crucible_collector.enrich.columns import numbers, slot_int, slot_text, text_of, times
from crucible_collector.enrich.events import EventNames
from crucible_collector.enrich.measurements import MeasuredSpans, measure, unit_of
from crucible_collector.enrich.series import series_row
from crucible_collector.enrich.window import Collected, Identified, table
from crucible_collector.rows import Table


def points_of(
    identified: Identified, spans: Spans, events: EventNames, time_ns: I64, collected: Collected
) -> Table | None:
    """The measurements that the registry calls series, one point each, in (series, time) order."""
    measured = measure(identified, spans, events, time_ns)
    if measured is None or not len(measured.points):
        return None
    _new_series(identified, spans, measured, collected)
    row = measured.points.row
    time, rest = times(time_ns[row])
    step, has_step = slot_int(spans, "crucible.step")
    columns = {
        "series_id": pa.array(measured.series_id),
        "time": time,
        "time_ns_rest": rest,
        "step": numbers(step[row], has_step[row], pa.int64()),
        "value": pa.array(measured.points.value),
    }
    made = table("points", Signal.TRACES, identified, columns, row)
    if made is not None:
        made.principal = False
    return made


def _new_series(
    identified: Identified, spans: Spans, measured: MeasuredSpans, collected: Collected
) -> None:
    """Rows for the series that are not known yet."""
    ids, points = measured.series_id, measured.points
    first, _ = distinct(ids)
    known, into = collected.known.series, collected.series.rows
    new = [
        index
        for index in first.tolist()
        if int(ids[index]) not in known and int(ids[index]) not in into
    ]
    if not new:
        return
    run = slot_text(spans, "crucible.run.id")
    experiment = slot_text(spans, "crucible.experiment.id")
    rank, has_rank = slot_int(spans, "crucible.rank")
    resource = identified.resource
    for index in new:
        span = int(points.row[index])
        reading = points.readings[points.code[index]]
        into[int(ids[index])] = series_row(
            series_id=int(ids[index]),
            source="event",
            metric=reading.metric,
            original_metric=reading.sent,
            run_id=text_of(spans, run, span),
            experiment_id=text_of(spans, experiment, span),
            event_name=reading.event,
            rank=int(rank[span]) if has_rank[span] else None,
            kind="measurement",
            number_kind="double",
            unit=unit_of(reading.event, reading.metric),
            resource_id=int(resource[span]),
        )
