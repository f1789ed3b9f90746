"""Series: the dimension of points and histograms, named by a hash of what makes them one series.

A measurement's series is (run, event, metric, rank), by the registry's names; without a run, the resource stands in for it,
so that a run which is restarted or spread over processes keeps one curve. An OTLP metric's series
is what the OTLP data model says: resource, scope, metric (name, unit, kind, temporality,
monotonicity, number kind) and the point's attributes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SERIES_COLUMNS = (
    "series_id",
    "source",
    "metric",
    "original_metric",
    "run_id",
    "experiment_id",
    "event_name",
    "rank",
    "kind",
    "temporality",
    "is_monotonic",
    "number_kind",
    "unit",
    "description",
    "resource_id",
    "scope_id",
    "attributes",
)


def series_row(**values: Any) -> tuple[Any, ...]:
    """One row in the order of SERIES_COLUMNS; what is not named is null."""
    unknown = values.keys() - set(SERIES_COLUMNS)
    if unknown:
        raise KeyError(f"not a column of series: {sorted(unknown)}")
    return tuple(values.get(column) for column in SERIES_COLUMNS)


def by_series(
    series_id: np.ndarray[Any, Any], time_ns: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Row order by series and time.

    Rows that go into the (series, time) index in its own order touch each leaf page once; this is
    worth more than the sort costs (see the figures beside the index in the migration).
    """
    return np.lexsort((time_ns, series_id))
