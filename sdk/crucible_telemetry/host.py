"""What host and process are doing, from psutil: CPU, memory, disks, network.

The process is this one alone: what its children use, the workers of a loader say, is part of the
host's numbers.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from crucible_schema import events as names
from crucible_telemetry.faults import guarded
from crucible_telemetry.values import AttributeValue, Number

_NS_PER_S = 1_000_000_000
_PERCENT = 100
# The kernel counts CPU time in steps of 10 ms: over less than this a utilisation is noise.
_SPAN_S_MIN = 0.1


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of a metric that the registry knows, in its unit."""

    name: str
    value: Number
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    start_ns: int = 0  # of a counter: when it was zero


Source = Callable[[], Iterable[Sample]]


def host_source() -> Source:
    """Return what samples host and process. Raises ImportError where psutil is missing."""
    return _Host(importlib.import_module("psutil")).samples


class _Host:
    """Utilisations are over the time since they were last taken."""

    def __init__(self, psutil: Any) -> None:
        self._psutil = psutil
        self._process = psutil.Process()
        self._boot_ns = int(psutil.boot_time() * _NS_PER_S)
        self._start_ns = int(self._process.create_time() * _NS_PER_S)
        self._cpu_count = os.cpu_count() or 1
        psutil.cpu_percent()
        self._process.cpu_percent()
        self._busy_since_s = time.monotonic()

    def samples(self) -> Iterator[Sample]:
        for part in (self._busy, self._memory, self._disk, self._network, self._own):
            # Containers hide some of it: what cannot be read is left out, the rest is not.
            yield from guarded(part)() or ()

    def _busy(self) -> list[Sample]:
        now_s = time.monotonic()
        if now_s - self._busy_since_s < _SPAN_S_MIN:
            return []
        self._busy_since_s = now_s
        own = self._process.cpu_percent() / self._cpu_count
        return [
            Sample("system.cpu.utilization", self._psutil.cpu_percent() / _PERCENT),
            Sample("process.cpu.utilization", min(1.0, own / _PERCENT)),
        ]

    def _memory(self) -> list[Sample]:
        memory = self._psutil.virtual_memory()
        used: dict[str, AttributeValue] = {names.SYSTEM_MEMORY_STATE: "used"}
        return [
            Sample("system.memory.usage", memory.total - memory.available, used),
            Sample("system.memory.utilization", memory.percent / _PERCENT, used),
            Sample("system.memory.limit", memory.total),
        ]

    def _disk(self) -> list[Sample]:
        disk = self._psutil.disk_io_counters()
        if disk is None:
            return []
        moved = {"read": disk.read_bytes, "write": disk.write_bytes}
        return [
            Sample("system.disk.io", size, {names.DISK_IO_DIRECTION: direction}, self._boot_ns)
            for direction, size in moved.items()
        ]

    def _network(self) -> list[Sample]:
        network = self._psutil.net_io_counters()
        if network is None:
            return []
        moved = {"receive": network.bytes_recv, "transmit": network.bytes_sent}
        return [
            Sample(
                "system.network.io", size, {names.NETWORK_IO_DIRECTION: direction}, self._boot_ns
            )
            for direction, size in moved.items()
        ]

    def _own(self) -> list[Sample]:
        process = self._process
        with process.oneshot():
            times, memory = process.cpu_times(), process.memory_info()
            return [
                Sample("process.cpu.time", times.user, {names.CPU_MODE: "user"}, self._start_ns),
                Sample(
                    "process.cpu.time", times.system, {names.CPU_MODE: "system"}, self._start_ns
                ),
                Sample("process.memory.usage", memory.rss),
                Sample("process.memory.virtual", memory.vms),
                Sample("process.thread.count", process.num_threads()),
            ]
