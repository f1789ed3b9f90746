"""Metrics that are asked for at scrape time: the delivery ledger, and how sampling and detection are doing.

What is counted as it happens is in `metrics`. These have owners of their own: the database, which may
be away (its numbers are absent then, the rest is not), the sampler and the detectors' engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crucible_collector.errors import DatabaseAwayError, QueryTooSlowError
from crucible_collector.pipeline.detection import DetectionInForce
from crucible_collector.pipeline.sampling import SamplingInForce
from crucible_collector.sample.rulings import RuleUse
from crucible_collector.store.read import Reads


class LedgerMetrics(Collector):
    """The delivery ledger as a metric, read at scrape time; absent while the database is."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "crucible_ledger_records",
            "The delivery ledger in the database, over all journals: received = stored + sampled + filtered + rejected + duplicate.",
            labels=("signal", "outcome", "reason"),
        )
        try:
            rows = [json.loads(row) for row in self._reads.json_rows("ledger_totals")]
        except (DatabaseAwayError, QueryTooSlowError):
            return
        for row in rows:
            family.add_metric((row["signal"], row["outcome"], row["reason"]), row["count"])
        yield family


class SamplingMetrics(Collector):
    """What each sampling rule does in this collector; rules are few, and so are the labels."""

    def __init__(self, sampling: SamplingInForce) -> None:
        self._sampling = sampling

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "crucible_sampling_version",
            "Version of the sampling rules that this collector works by; 0: nobody ever made any, and all is kept.",
            value=self._sampling.now.version,
        )
        yield CounterMetricFamily(
            "crucible_sampling_forgotten_traces",
            "Traces, kept or notable, that the sampler forgot to stay within bounds; what comes of them later is decided anew.",
            value=self._sampling.forgotten_trace_count,
        )
        found = self._sampling.use
        for name, about, value in _COUNTERS:
            counter = CounterMetricFamily(name, about, labels=_LABELS)
            for each in found:
                counter.add_metric(_labels(each), value(each))
            yield counter
        for name, about, level in _GAUGES:
            gauge = GaugeMetricFamily(name, about, labels=_LABELS)
            for each in found:
                now = level(each)
                if now is not None:
                    gauge.add_metric(_labels(each), now)
            yield gauge


class DetectionMetrics(Collector):
    """How this collector's detectors are doing, all together."""

    def __init__(self, detection: DetectionInForce) -> None:
        self._detection = detection

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "crucible_detection_version",
            "Version of the detection settings that this collector works by; 0: nobody ever made any, and the registry says what is watched.",
            value=self._detection.now.version,
        )
        use = self._detection.use
        for name, about, count in (
            (
                "crucible_detection_values",
                "Numbers that detectors were given, since this collector started.",
                use.value_count,
            ),
            (
                "crucible_detection_late_values",
                "Numbers of these that were not newer than the newest of their series, and so left out.",
                use.late_count,
            ),
            (
                "crucible_detection_evicted_series",
                "Series that detectors forgot to stay within bounds; what comes of them later begins anew.",
                use.evicted_count,
            ),
            (
                "crucible_detection_unstored_episodes",
                "Beginnings, ends and continuations of periods beyond what one window stores.",
                use.unstored_count,
            ),
        ):
            yield CounterMetricFamily(name, about, value=count)
        yield GaugeMetricFamily(
            "crucible_detection_series", "Series that are watched now.", value=use.series_count
        )
        yield GaugeMetricFamily(
            "crucible_detection_memory_bytes",
            "Memory that is remembered of them in.",
            value=use.memory_bytes,
        )


_LABELS = ("rule", "signal")
_COUNTERS: tuple[tuple[str, str, Callable[[RuleUse], float]], ...] = (
    (
        "crucible_sampling_seen_records",
        "Records that a sampling rule was about, since this collector started.",
        lambda each: each.seen_count,
    ),
    (
        "crucible_sampling_kept_records",
        "Records of these that were kept.",
        lambda each: each.kept_count,
    ),
    (
        "crucible_sampling_evicted_strata",
        "Strata that a sampling rule forgot to stay within bounds.",
        lambda each: each.use.evicted_count,
    ),
)
_GAUGES: tuple[tuple[str, str, Callable[[RuleUse], float | None]], ...] = (
    (
        "crucible_sampling_weight_mean",
        "How many records one that was kept stands for, on average since the start.",
        lambda each: each.weight_mean,
    ),
    (
        "crucible_sampling_budget_per_s",
        "Rows a second that a sampling rule may keep; absent for rules without a budget.",
        lambda each: each.use.budget_per_s,
    ),
    (
        "crucible_sampling_spent_per_s",
        "Rows a second that it was about to keep lately.",
        lambda each: each.use.spent_per_s,
    ),
    (
        "crucible_sampling_strata",
        "Strata that a sampling rule tells apart now.",
        lambda each: each.use.stratum_count,
    ),
)


def _labels(each: RuleUse) -> tuple[str, str]:
    return each.rule, each.signal.label
