"""Terms of the variances of sums over kept rows, such that the terms of any rows can be added up.

The variance of a sum of x/p (Horvitz & Thompson 1952), p being the chance of a whole trace, is a sum over
pairs of rows of one trace: (x_a/p_a)(x_b/p_b)(1 - max(p_a, p_b)). A term belongs to a cluster of rows that
questions take or leave together: those of a trace, a roll-up's key and a minute (for durations an hour and
a bucket). Only a period that begins or ends within one cuts it: whoever asks takes the terms of the whole
minute then, and counts pairs anew for durations.
Its pairs are each row of the cluster with every row of its trace and event (of its trace, in the `trace`
terms). So

- over whole traces of one event (of all events) the sum of terms is the variance estimated,
- over parts of traces it holds pairs with rows that are left out: the interval is too wide, not too narrow,
- and sums of x over one event take `*_variance`, those over several events `*_trace_variance`.

Pairs with rows of earlier windows are counted twice in the later one, by what is remembered of each trace.
The term of a cluster is on its first row. Rows with p = 1 have no part in any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from crucible_collector.batch import F64, I32, I64, Bool
from crucible_collector.candidates import U64
from crucible_collector.kernels import Int, kernel
from crucible_collector.mixing import SEED, mixed
from crucible_collector.sample.memory import Generations, packed_keys
from crucible_collector.sample.strategy import State

MEASURES = ("count", "error", "duration", "input_token", "output_token", "cost")
# Larger ones are in no sum of a roll-up either (their squares must stay finite).
FINITE_MAX = 1e100

# Uncertain traces, and events of one, that are remembered for sure: some minutes of 200 a second. All
# tables together take 29 MB, where so many are there.
GROUPS_MAX = 65_536
_MINUTES_PER_HOUR = 60


@dataclass(slots=True)
class KeptRows:
    """Rows of spans that are written, in columns."""

    trace: U64  # key of the trace
    key: U64  # hash of the roll-up's key: experiment, run, event, model, status
    event: U64  # hash of the event
    minute: I64  # of the start, since any hour's beginning
    bucket: I64  # logarithmic bucket of the duration
    probability: F64
    is_error: Bool
    values: Mapping[str, F64]  # of MEASURES, from duration on; NaN is no value, and so is a gap

    def __len__(self) -> int:
        return len(self.trace)

    def at(self, rows: I64) -> KeptRows:
        """Some of the rows."""
        return KeptRows(
            self.trace[rows],
            self.key[rows],
            self.event[rows],
            self.minute[rows],
            self.bucket[rows],
            self.probability[rows],
            self.is_error[rows],
            {name: value[rows] for name, value in self.values.items()},
        )

    def estimates(self) -> F64:
        """x/p of each measure, (rows, measures)."""
        found = np.zeros((len(self), len(MEASURES)))
        found[:, 0] = 1
        found[:, 1] = self.is_error
        for name, value in self.values.items():
            is_finite = np.abs(value) <= FINITE_MAX  # False for NaN
            found[:, MEASURES.index(name)] = np.where(is_finite, value, 0.0)
        found /= self.probability[:, np.newaxis]
        return found


@dataclass(slots=True)
class _Groups:
    """Rows that have a key in common."""

    key: U64  # of each group
    of: I64  # group of each row
    first: I64  # row of each group
    is_new: Bool = field(default_factory=lambda: np.zeros(0, np.bool_))
    before: F64 = field(default_factory=lambda: np.zeros((0, 0)))  # (groups, measures): sums of x/p


class Variances:
    """What is remembered of uncertain traces; one thread calls it, window by window."""

    def __init__(self) -> None:
        self._of_event = Generations(GROUPS_MAX, len(MEASURES))
        self._of_trace = Generations(GROUPS_MAX, len(MEASURES))

    @property
    def evicted_count(self) -> int:
        """Traces, and events of one, that were forgotten to stay within bounds."""
        return self._of_event.evicted_count + self._of_trace.evicted_count

    def terms(self, kept: KeptRows) -> dict[str, F64]:
        """The columns of variance terms, one value a row, 0 on all but the first row of each cluster.

        A column that is 0 everywhere is left out; nothing where everything is certain. 0.4 µs a row.
        """
        uncertain = np.flatnonzero(kept.probability < 1)
        if not len(uncertain):
            return {}
        columns = self._terms(kept.at(uncertain))
        found = {}
        for name, column in columns.items():
            if column.any():
                found[name] = np.zeros(len(kept))
                found[name][uncertain] = column
        return found

    def state(self) -> State:
        """What is remembered, as arrays that `restore` takes back."""
        parts = {"event": self._of_event.state(), "trace": self._of_trace.state()}
        return {f"{part}/{name}": each for part in parts for name, each in parts[part].items()}

    def restore(self, state: State) -> None:
        """Go on from `state`. Raises ValueError where it is of another version."""
        for part, memory in (("event", self._of_event), ("trace", self._of_trace)):
            prefix = f"{part}/"
            memory.restore(
                {
                    name.removeprefix(prefix): each
                    for name, each in state.items()
                    if name.startswith(prefix)
                }
            )

    def _terms(self, kept: KeptRows) -> dict[str, F64]:
        """Those of rows that are all uncertain."""
        estimates = kept.estimates()
        traces = _remembered(_grouped(kept.trace), self._of_trace)
        events = _remembered(_grouped(packed_keys(kept.trace, kept.event)), self._of_event)
        minute = kept.minute.view(np.uint64)
        cluster = _grouped(packed_keys(kept.trace, kept.key, minute))
        hour, bucket = (kept.minute // _MINUTES_PER_HOUR), kept.bucket.astype(np.int64)
        latency = _grouped(
            packed_keys(kept.trace, kept.key, hour.view(np.uint64), bucket.view(np.uint64))
        )
        order = _order(kept.probability, traces)
        of_event, total_of_event = _sums(estimates, kept, events, cluster, order)
        of_trace, total_of_trace = _sums(estimates, kept, traces, cluster, order)
        of_bucket, _ = _sums(estimates[:, :1], kept, events, latency, order)
        self._of_event.put(events.key, total_of_event.view(np.int64))
        self._of_trace.put(traces.key, total_of_trace.view(np.int64))
        columns = {
            "uncertain_event_traces": _shares(events, cluster),
            "uncertain_traces": _shares(traces, cluster),
            "latency_variance": of_bucket[:, 0],
            "error_variance": of_trace[:, MEASURES.index("error")],
        }
        for place, name in enumerate(MEASURES):
            if name != "error":
                columns[f"{name}_variance"] = of_event[:, place]
                columns[f"{name}_trace_variance"] = of_trace[:, place]
        return columns


def _grouped(key: U64) -> _Groups:
    slots = np.zeros(1 << len(key).bit_length() + 1, np.int32)
    of, first = np.empty(len(key), np.int64), np.empty(len(key), np.int64)
    count = _group(key, SEED, slots, of, first)
    return _Groups(key[first[:count]], of, first[:count])


def _remembered(groups: _Groups, memory: Generations) -> _Groups:
    found, is_known = memory.get(groups.key)
    groups.before, groups.is_new = found.view(np.float64), ~is_known
    return groups


def _order(probability: F64, traces: _Groups) -> I64:
    """Rows with the largest probability first, as far as it matters: where a trace has several."""
    if (probability == probability[traces.first][traces.of]).all():
        return np.arange(len(probability))
    return np.argsort(-probability)


def _shares(groups: _Groups, cluster: _Groups) -> F64:
    """1 for each group that was not counted before, in equal parts on its clusters' first rows."""
    share = np.zeros(len(groups.of))
    of = groups.of[cluster.first]
    clusters = np.bincount(of, minlength=len(groups.key))
    share[cluster.first] = np.where(groups.is_new[of], 1 / clusters[of], 0.0)
    return share


def _sums(
    estimates: F64, kept: KeptRows, groups: _Groups, cluster: _Groups, order: I64
) -> tuple[F64, F64]:
    """The terms, (rows, measures), pairs being those of a group; and each group's sums of x/p."""
    estimates = np.ascontiguousarray(estimates)
    shape = len(groups.key), estimates.shape[1]
    total, terms = np.zeros(shape), np.zeros_like(estimates)
    _total(groups.of, estimates, total)
    _pairs(
        order,
        groups.of,
        cluster.first[cluster.of],
        estimates,
        kept.probability,
        groups.before,
        total,
        np.zeros(shape),
        np.zeros(shape),
        terms,
    )
    return terms, groups.before[:, : shape[1]] + total


@kernel
def _group(key: U64, seed: np.uint64, slots: I32, of: I64, first: I64) -> Int:
    """Number equal keys, which are hashes; slots hold numbers plus 1."""
    mask = len(slots) - 1
    count = np.int64(0)
    for row in range(len(key)):
        slot = np.int64(mixed(key[row] ^ seed) & np.uint64(mask))
        while slots[slot] != 0 and key[first[slots[slot] - 1]] != key[row]:
            slot = (slot + 1) & mask
        if slots[slot] == 0:
            first[count] = row
            count += 1
            slots[slot] = count
        of[row] = slots[slot] - 1
    return count


@kernel
def _total(of: I64, estimates: F64, total: F64) -> None:
    for row in range(len(of)):
        for measure in range(estimates.shape[1]):
            total[of[row], measure] += estimates[row, measure]


@kernel
def _pairs(
    order: I64,
    of: I64,
    to: I64,
    estimates: F64,
    probability: F64,
    before: F64,
    total: F64,
    so_far: F64,
    rest_so_far: F64,
    terms: F64,
) -> None:
    """Add each row's pairs to its cluster's first row.

    Of a group, `total` is the sum of estimates, `so_far` that of the rows that came, `rest_so_far`
    that of these times 1 - p. A pair counts the larger p: that of the row that came first in `order`.
    """
    for place in range(len(order)):
        row = order[place]
        group, first, rest = of[row], to[row], 1 - probability[row]
        for measure in range(estimates.shape[1]):
            value = estimates[row, measure]
            so_far[group, measure] += value
            rest_so_far[group, measure] += value * rest
            after = total[group, measure] - so_far[group, measure] + 2 * before[group, measure]
            terms[first, measure] += value * (rest_so_far[group, measure] + rest * after)
