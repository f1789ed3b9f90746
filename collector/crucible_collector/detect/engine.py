"""Windows of numbers in, what is anomalous out: every number by its plan, every series by its own past.

One thread calls it, window by window in the order of the journal; it asks no clock, so that the same
windows always find the same. How a stream is cut into windows changes nothing but which numbers are late
(see `order`). What it remembers is bounded: by far the most of it is `series_max` series of the defaults'
size; whatever takes more room leaves room for fewer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crucible_collector.batch import F64, I32, I64
from crucible_collector.candidates import SCORE_ALARM
from crucible_collector.detect.detector import I8, Severity, Values
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.episodes import EPISODES_MAX, episodes_of
from crucible_collector.detect.found import Found
from crucible_collector.detect.groups import Group, Looked, Part, State
from crucible_collector.detect.observations import Observations, Subject
from crucible_collector.detect.settings import Detection
from crucible_collector.detect.watches import Watches

SERIES_BYTES = 300  # what `series_max` stands for
# Where no room is left, so much of it is made at once: finding the oldest series costs a look at all.
_FORGOTTEN_SHARE = 8
# Numbers that are looked at together: at most half of all series, so that none of them is the oldest.
_PART_MAX = 65_536
# What a sampler can weigh: a value that is not finite has an infinite score.
_SCORE_MAX = 1e6
_INFORMING_MAX = math.nextafter(SCORE_ALARM, 0.0)
# Windows that are told apart by when they were: of 20 a second, three years without a restart. After that
# it may be other series than the oldest that leave, once.
_TICKS = 2**31 - 2
_SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class Use:
    """How an engine is doing; counts are since its start."""

    series_count: int = 0  # live
    memory_bytes: int = 0  # that these take
    evicted_count: int = 0  # series that were let go to stay within bounds
    value_count: int = 0  # numbers that were looked at, late ones included
    late_count: int = 0  # that were older than the newest of their series
    unstored_count: int = 0  # beginnings and ends of periods beyond what one window stores


class Engine:
    """Everything that watches numbers.

    >>> engine = Engine(Detection.parse({}))
    >>> engine.look([]).episodes
    []
    """

    def __init__(self, detection: Detection) -> None:
        self._groups: dict[tuple[tuple[str, ...], bool], Group] = {}
        self._tick = 0
        self._evicted_count = self._value_count = self._unstored_count = self._late_count = 0
        self.change(detection)

    def change(self, detection: Detection) -> None:
        """Watch by other settings from now on; series whose detectors stay the same go on."""
        self._watches = Watches(detection)
        self._bytes_max = detection.series_max * SERIES_BYTES
        plans = self._watches.plans
        self._is_log = np.array([plan.is_log for plan in plans], np.bool_)
        self._direction: I8 = np.array([plan.direction for plan in plans], np.int8)
        self._sensitivity = np.array([plan.sensitivity for plan in plans], np.float64)
        self._severity_min = np.array([plan.severity_min for plan in plans], np.int64)
        self._samples_more = np.array([plan.samples_more for plan in plans], np.bool_)
        sets = list(dict.fromkeys(plan.detectors for plan in plans))
        self._sets = sets
        self._set_of_plan = np.array([sets.index(plan.detectors) for plan in plans], np.int64)
        wanted = set(sets)
        for key in [key for key in self._groups if key[0] not in wanted]:
            self._late_count += self._groups.pop(key).late_count

    def wants(self, subject: Subject) -> bool:
        """Whether any number of this subject may be watched: nobody needs to make the others."""
        return self._watches.wants(subject)

    def look(self, window: Sequence[Observations]) -> Found:
        """Look at the numbers of one window, each once."""
        self._begin()
        found = Found()
        for observations in window:
            found.scores.append(self._look(observations, found))
        return found

    def told(self, observations: Observations) -> Iterator[Looked]:
        """What each detector says of each number of a window, flags or not; for who compares detectors."""
        self._begin()
        yield from self._looked(observations, self._watches.plan_of(observations))

    def _begin(self) -> None:
        """Another window."""
        self._tick = self._tick % _TICKS + 1

    def _look(self, observations: Observations, found: Found) -> F64:
        """The score of each record; episodes go into `found`."""
        scores = np.zeros(observations.record_count)
        if not len(observations):
            return scores
        plan = self._watches.plan_of(observations)
        for looked in self._looked(observations, plan):
            self._rescue(observations, plan, looked, scores)
            room = EPISODES_MAX - len(found.episodes)
            episodes, unstored_count = episodes_of(
                observations, looked, plan, self._watches.plans, room
            )
            self._unstored_count += unstored_count
            found.episodes += episodes
        return scores

    def _looked(self, observations: Observations, plan: I32) -> Iterator[Looked]:
        """What each detector says, group by group."""
        group_code = np.where(plan < 0, -1, self._set_of_plan[plan] if len(self._sets) else -1)
        code = 2 * group_code + observations.is_cumulative
        for each in np.unique(code[plan >= 0]).tolist():
            group = self._group(self._sets[each // 2], is_counter=bool(each % 2))
            rows = np.flatnonzero((code == each) & (plan >= 0))
            self._value_count += len(rows)
            for begin in range(0, len(rows), _PART_MAX):
                part = self._part(observations, rows[begin : begin + _PART_MAX], plan)
                yield from group.look(part, self._tick, self._room)

    def _part(self, observations: Observations, rows: I64, plan: I32) -> Part:
        by = plan[rows]
        values = Values(
            np.zeros(0, np.int64),
            observations.time_ns[rows],
            observations.value[rows],
            observations.step[rows],
            observations.epoch[rows],
            self._is_log[by],
            self._direction[by],
            self._sensitivity[by],
        )
        return Part(
            rows,
            values,
            observations.key[rows],
            self._severity_min[by],
            observations.is_ordered[rows],
            observations.start_ns[rows],
        )

    def _rescue(self, observations: Observations, plan: I32, looked: Looked, scores: F64) -> None:
        """Tell samplers which records carry something anomalous, and which of it is worth a warning.

        One in some thousand values of a level is for information: each is worth its trace, and would have
        adaptive sampling keep everything for good if it opened its run.
        """
        at = np.flatnonzero(looked.scored.score > 1.0)
        at = at[self._samples_more[plan[looked.rows[at]]]]
        if len(at):
            record = observations.record[looked.rows[at]]
            is_alarming = looked.severity[at] >= Severity.WARNING
            score = np.clip(
                looked.scored.score[at],
                np.where(is_alarming, SCORE_ALARM, 1.0),
                np.where(is_alarming, _SCORE_MAX, _INFORMING_MAX),
            )
            np.maximum.at(scores, record, score)

    def _group(self, detectors: tuple[str, ...], *, is_counter: bool) -> Group:
        key = detectors, is_counter
        if key not in self._groups:
            self._groups[key] = Group(detectors, is_counter=is_counter)
        return self._groups[key]

    def _room(self, group: Group) -> int:
        """How many more series of this group there may be; makes some where there is none."""
        room = (self._bytes_max - self._memory_bytes()) // group.series_bytes
        if room > 0:
            return room
        largest = max(self._groups.values(), key=lambda each: len(each) * each.series_bytes)
        largest = largest if len(largest) else group
        self._evicted_count += largest.forget(max(len(largest) // _FORGOTTEN_SHARE, 1))
        room = (self._bytes_max - self._memory_bytes()) // group.series_bytes
        return max(room, 1)

    def _memory_bytes(self) -> int:
        return sum(len(each) * each.series_bytes for each in self._groups.values())

    def use(self) -> Use:
        """How it is doing."""
        groups = self._groups.values()
        return Use(
            sum(map(len, groups)),
            self._memory_bytes(),
            self._evicted_count,
            self._value_count,
            self._late_count + sum(each.late_count for each in groups),
            self._unstored_count,
        )

    def state(self) -> State:
        """What is remembered, as arrays that `restore` takes back."""
        state: State = {"tick": np.array([self._tick])}
        for number, ((detectors, is_counter), group) in enumerate(self._groups.items()):
            about = json.dumps({"detectors": detectors, "is_counter": is_counter})
            state[f"{number}{_SEPARATOR}about"] = np.frombuffer(about.encode(), np.uint8)
            for name, array in group.state().items():
                state[f"{number}{_SEPARATOR}{name}"] = array
        return state

    def restore(self, state: State) -> None:
        """Go on from `state`. Raises ValueError where that is not an engine's of this release."""
        if "tick" not in state or state["tick"].shape != (1,):
            raise ValueError("nothing is known of detectors")
        parts: dict[str, State] = {}
        for name, array in state.items():
            number, separator, rest = name.partition(_SEPARATOR)
            if separator:
                parts.setdefault(number, {})[rest] = array
        groups = {}
        for part in parts.values():
            group = _restored(part)
            groups[group.names, group.is_counter] = group
        self._groups = {key: group for key, group in groups.items() if key[0] in self._sets}
        self._tick = int(state["tick"][0])


def _restored(part: State) -> Group:
    try:
        about = json.loads(part["about"].tobytes())
        detectors, is_counter = tuple(about["detectors"]), bool(about["is_counter"])
        unknown = [name for name in detectors if name not in DETECTORS]
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"no group of detectors: {error!r}") from None
    if unknown:
        raise ValueError(f"unknown detectors: {unknown}")
    group = Group(detectors, is_counter=is_counter)
    group.restore(part)
    return group
