"""Samples, in the background, what GPUs, host and process do, as OTLP metrics with our ids.

`configure(hardware=True)` starts it; `host` and `gpus` read the numbers. What a reader could not
guess: a request is built from the samples at hand, not by OpenTelemetry's meters, which would go on
reporting every run that there ever was; and a forked child does not sample, or each worker of a
loader would report the host again. Each process of a distributed run that configures itself does,
with its rank.

A number belongs to every run that is open (runs without heartbeats are not known to be), without
one to the process alone. A sample of host and process takes 1.1 ms of CPU: 0.01 % of a core at one
in ten seconds.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from crucible_schema import METRICS, Instrument
from crucible_schema import events as names
from crucible_telemetry import faults, heartbeat
from crucible_telemetry.encoding import Encoded
from crucible_telemetry.faults import guarded
from crucible_telemetry.gpus import NoGpuError, gpu_source
from crucible_telemetry.host import Sample, Source, host_source
from crucible_telemetry.telemetry import Telemetry
from crucible_telemetry.values import AttributeValue

THREAD_NAME = "crucible-telemetry-hardware"

# A run that is over before the first interval shall have been seen once; a utilisation needs some
# time to be one of.
_FIRST_S = 1.0
_EXTRA = "(pip install crucible-telemetry[hardware] brings it)"
_IDENTITY = (
    names.EXPERIMENT_ID,
    names.RUN_ID,
    names.CONDITION,
    names.CORRELATION_ID,
    names.RANK,
)


class Sampler:
    """Reads the sources every `interval_s` seconds, on a thread of its own, until `stop`."""

    def __init__(
        self,
        telemetry: Telemetry,
        resource: Resource,
        put: Callable[[Encoded], object],
        sources: Sequence[Source],
        interval_s: float,
    ) -> None:
        self._telemetry = telemetry
        self._resource = resource
        self._put = put
        self._sources = sources
        self._interval_s = interval_s
        self._pid = os.getpid()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._telemetry.register(self.stop)

    def stop(self, timeout_s: float) -> None:
        """Take a last sample and end, in at most `timeout_s`."""
        if os.getpid() == self._pid:
            self._stopping.set()
            self._thread.join(timeout_s)

    def _run(self) -> None:
        wait_s = min(_FIRST_S, self._interval_s)
        while not self._stopping.wait(wait_s):
            self.sample()
            wait_s = self._interval_s
        self.sample()

    @guarded
    def sample(self) -> None:
        """Read all sources and queue one request."""
        using = self._telemetry
        read = request(
            [sample for source in self._sources for sample in _read(source) or ()],
            self._owners(),
            using.clock.wall_ns(),
            self._resource,
            using.scope or InstrumentationScope("crucible_telemetry"),
        )
        if read is not None:
            self._put(read)

    def _owners(self) -> list[dict[str, AttributeValue]]:
        """Return the ids of each run that is open, or those of none."""
        runs = [
            {key: run._inherited[key] for key in _IDENTITY if key in run._inherited}
            for run in heartbeat.open_runs()
            if run._telemetry is self._telemetry
        ]
        return [self._telemetry.policy.applied(run) for run in runs] or [{}]


@guarded
def _read(source: Source) -> list[Sample]:
    return list(source())


def request(
    samples: Iterable[Sample],
    owners: Sequence[dict[str, AttributeValue]],
    time_ns: int,
    resource: Resource,
    scope: InstrumentationScope,
) -> Encoded | None:
    """Return samples of one time as an OTLP request, each once for every owner; None if none."""
    by_name: dict[str, list[NumberDataPoint]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).extend(
            NumberDataPoint({**owner, **sample.attributes}, sample.start_ns, time_ns, sample.value)
            for owner in owners
        )
    if not by_name:
        return None
    metrics = [_metric(name, points) for name, points in by_name.items()]
    whole = MetricsData(
        [ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], resource.schema_url)]
    )
    count = sum(len(points) for points in by_name.values())
    return Encoded("metrics", encode_metrics(whole).SerializeToString(), count)


def _metric(name: str, points: list[NumberDataPoint]) -> Metric:
    known = METRICS[name]
    data: Any
    if known.instrument is Instrument.GAUGE:
        data = Gauge(points)
    else:
        is_monotonic = known.instrument is Instrument.COUNTER
        data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic)
    return Metric(name, known.brief, known.unit, data)


def sampler(
    telemetry: Telemetry, resource: Resource, put: Callable[[Encoded], object], interval_s: float
) -> Sampler | None:
    """Return what samples this machine for a configuration, not started; None if nothing can be.

    What is missing, a library or a GPU, is told in one line each.
    """
    sources = _sources()
    return Sampler(telemetry, resource, put, sources, interval_s) if sources else None


def _sources() -> list[Source]:
    sources: list[Source] = []
    try:
        sources.append(host_source())
    except ImportError:
        faults.logger.warning(
            "Host and process are not sampled: psutil is not installed %s", _EXTRA
        )
    try:
        sources.append(gpu_source())
    except ImportError:
        faults.logger.warning("GPUs are not sampled: nvidia-ml-py is not installed %s", _EXTRA)
    except NoGpuError as error:
        faults.logger.info("GPUs are not sampled: %s", error)
    return sources
