"""Whose a number is, by names; asked for only where it is flagged."""

from __future__ import annotations

from crucible_collector.detect.found import Watched
from crucible_collector.detect.observations import NO_SERIES, Observations


def names_of(observations: Observations, row: int) -> Watched:
    """What the number at `row` of the observations is of."""
    subject = observations.subjects[int(observations.subject[row])]
    series_id, record = int(observations.series_id[row]), int(observations.record[row])

    def label(name: str) -> str | None:
        return observations.columns.label(name, record) or None

    return Watched(
        key=int(observations.key[row]),
        series_id=None if series_id == NO_SERIES else series_id,
        metric=subject.metric,
        event_name=subject.event or None,
        experiment_id=label("experiment"),
        run_id=label("run"),
        condition=label("condition"),
        model=label("model"),
    )
