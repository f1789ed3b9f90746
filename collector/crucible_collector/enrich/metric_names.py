"""What OTLP metrics are called: by the registry where another producer's name means one of its numbers.

Only whole names of other producers' conventions count (`megatron.training.loss` is `loss`): an OTLP
metric that is called `cost` may be anything. Where the units differ, numbers are converted; buckets
cannot be, so such a histogram keeps the name that it has.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import crucible_schema
from crucible_collector.batch import F64, I64, Bool, Metrics
from crucible_collector.decode import distinct, text_hash
from crucible_collector.enrich.columns import text_of


class Meaning(NamedTuple):
    """A metric's own name and unit: `sent` is the name where it is another, else None."""

    name: str
    sent: str | None = None
    unit: str | None = None  # None: as sent
    scale: float = 1.0


@dataclass(slots=True)
class MetricNames:
    """The distinct metric names of a window, and which of them each point has."""

    meanings: list[Meaning]
    code: I64  # (rows) index into meanings

    def of(self, row: int) -> Meaning:
        return self.meanings[int(self.code[row])]

    def scales(self) -> F64 | None:
        """What each point's number is to be multiplied by; None where all are in their units."""
        scales = np.array([each.scale for each in self.meanings])
        return None if (scales == 1).all() else scales[self.code]


def metric_names(metrics: Metrics, is_number: Bool) -> MetricNames:
    """Name the metric of each point; `is_number` tells gauges and sums from distributions."""
    words = text_hash(metrics.buffer, metrics.metric_name) << np.uint64(1)
    rows, code = distinct(words | is_number.astype(np.uint64))
    found = [
        _meaning(text_of(metrics, metrics.metric_name, row) or "", bool(is_number[row]))
        for row in rows.tolist()
    ]
    return MetricNames(found, code)


def _meaning(sent: str, is_number: bool) -> Meaning:
    alias = crucible_schema.ATTRIBUTE_ALIASES.get(sent)
    unit = _units().get(alias.key) if alias is not None else None
    if alias is None or unit is None or not (is_number or alias.unit_scale == 1):
        return Meaning(sent)
    return Meaning(
        crucible_schema.canonical_measurement("", sent),
        sent,
        None if alias.unit_scale == 1 else unit,
        alias.unit_scale,
    )


@functools.cache
def _units() -> dict[str, str]:
    """Unit of each measurement of the registry, by its key."""
    return {each.key: each.unit for each in crucible_schema.MEASUREMENTS.values()}
