"""The engine: numbers of windows in, episodes and scores out, whatever is between."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from collector.detect.numbers import (
    ACCURACY,
    BEGIN_NS,
    GAUGE,
    LATENCY,
    LOSS,
    SECOND_NS,
    losses,
    observations,
)
from crucible_collector.candidates import SCORE_ALARM
from crucible_collector.detect.detector import Severity
from crucible_collector.detect.engine import SERIES_BYTES, Engine
from crucible_collector.detect.episodes import EPISODES_MAX
from crucible_collector.detect.found import FLAGS_MAX, Episode
from crucible_collector.detect.observations import Observations
from crucible_collector.detect.settings import Detection
from crucible_collector.kernels import cache_directory

cache_directory()

NAN = float("nan")
SPIKE = 300


def engine(**settings: object) -> Engine:
    return Engine(Detection.parse(settings))


def spiked(count: int = 400) -> np.ndarray:
    values = losses(count)
    values[SPIKE] *= 20
    return values


def looked(
    detectors: Engine, values: np.ndarray, chunk: int = 50, **about: object
) -> list[Episode]:
    """All episodes of a series that comes in windows of `chunk` numbers."""
    return [
        episode
        for begin in range(0, len(values), chunk)
        for episode in detectors.look(
            [observations(values[begin : begin + chunk], first=begin, **about)]  # type: ignore[arg-type]
        ).episodes
    ]


def told(episodes: Sequence[Episode]) -> list[tuple[object, ...]]:
    """What is to be the same however numbers are cut into windows."""
    return [
        (
            each.watched.key,
            each.detector,
            flag.step,
            flag.value,
            flag.expected,
            flag.upper,
            flag.score,
        )
        for each in episodes
        for flag in each.flags
    ]


def test_a_spike_of_the_loss_is_found_where_it_is() -> None:
    (episode,) = [each for each in looked(engine(), spiked()) if each.detector == "ewma"]
    (flag,) = episode.flags
    assert flag.step == SPIKE
    assert flag.time_ns == BEGIN_NS + SPIKE * SECOND_NS
    assert flag.expected is not None
    assert flag.upper is not None
    assert flag.expected < flag.upper < (flag.value or 0)
    assert flag.score > 1
    assert flag.severity >= Severity.WARNING
    assert episode.opens
    assert episode.watched.metric == "loss"
    assert episode.watched.run_id == "run-1"
    assert episode.watched.experiment_id == "exp-1"
    assert episode.watched.event_name == "crucible_train.batch.stop"
    assert episode.watched.series_id == 1
    assert (flag.trace_id, flag.span_id) == (bytes([7] * 16), flag.index + 1)
    assert episode.ended_ns is not None
    assert flag.time_ns < episode.ended_ns < BEGIN_NS + 400 * SECOND_NS


def test_a_training_that_goes_well_is_silent() -> None:
    """Twenty trainings of two thousand steps; the issue allows one false period in as many."""
    detectors = engine()
    found = [
        each
        for seed in range(20)
        for each in looked(detectors, losses(2000, seed), 500, key=seed)
        if each.detector != "plateau"
    ]
    assert len(found) <= 1


def test_how_numbers_are_cut_into_windows_changes_nothing() -> None:
    whole = told(looked(engine(), spiked(), 400))
    assert whole
    assert told(looked(engine(), spiked(), 1)) == told(looked(engine(), spiked(), 37)) == whole


def test_series_in_one_window_do_not_touch_each_other() -> None:
    alone = told(looked(engine(), spiked()))
    both = engine()
    found = []
    for begin in range(0, 400, 50):
        values = np.empty(100)
        values[::2], values[1::2] = spiked()[begin : begin + 50], losses(400, 9)[begin : begin + 50]
        window = observations(values, key=[1, 2] * 50)
        window.step = begin + np.repeat(np.arange(50), 2)
        window.time_ns = BEGIN_NS + window.step * SECOND_NS
        found += [each for each in both.look([window]).episodes if each.watched.key == 1]
    assert told(found) == alone


def test_a_number_that_is_not_finite_is_critical_at_once_and_poisons_nothing() -> None:
    values = spiked()
    values[[0, 100]] = NAN, math.inf
    found = looked(engine(), values)
    flags = [flag for each in found if each.detector == "non_finite" for flag in each.flags]
    assert [flag.step for flag in flags] == [0, 100]
    assert all(flag.severity is Severity.CRITICAL and flag.score == math.inf for flag in flags)
    assert SPIKE in [flag.step for each in found if each.detector == "ewma" for flag in each.flags]


def test_a_flood_of_nan_is_one_period_of_few_flags_and_a_count() -> None:
    found = engine().look([observations(np.full(50_000, NAN))])
    (episode,) = [each for each in found.episodes if each.detector == "non_finite"]
    assert len(episode.flags) == FLAGS_MAX
    assert episode.flag_count == 50_000
    assert (found.scores[0] > 1).all()


def test_a_thousand_series_that_go_wrong_at_once_are_bounded_and_counted() -> None:
    detectors = engine()
    count = 100 * EPISODES_MAX
    found = detectors.look([observations(np.full(count, NAN), key=np.arange(count))])
    assert len(found.episodes) == EPISODES_MAX
    assert detectors.use().unstored_count == count - EPISODES_MAX


def test_what_is_left_out_is_what_comes_last() -> None:
    """A series whose periods begin and end again and again: each is told whole."""
    detectors = engine()
    values = losses(15 * EPISODES_MAX)
    values[::15] = NAN
    episodes = detectors.look([observations(values)]).episodes
    found = [each for each in episodes if each.detector == "non_finite"]
    assert [each.flags[0].step for each in found] == list(range(0, 15 * len(found), 15))
    assert all(each.ended_ns is not None and each.flag_count == 1 for each in found[:-1])
    left_out = EPISODES_MAX - len(found)
    assert detectors.use().unstored_count >= 2 * left_out


def test_numbers_that_come_again_or_too_late_change_nothing() -> None:
    detectors, values = engine(), spiked()
    expected = told(looked(engine(), values))
    found: list[Episode] = []
    for begin in range(0, 400, 50):
        window = observations(values[begin : begin + 50], first=begin)
        found += detectors.look([window]).episodes
        assert not detectors.look([window]).episodes
    assert told(found) == expected
    assert detectors.use().late_count == 400


def test_what_is_flagged_has_a_score_for_samplers() -> None:
    detectors, values = engine(), spiked()
    looked(detectors, values[:SPIKE])
    scores = detectors.look([observations(values[SPIKE:], first=SPIKE)]).scores[0]
    assert np.flatnonzero(scores > 1).tolist() == [0]
    assert np.isfinite(scores).all()


def test_samplers_are_told_what_is_worth_a_warning() -> None:
    """A value where none has been is for information; a NaN is not."""
    level = np.random.default_rng(1).normal(50, 1, 300)
    level[[250, 290]] = 70, NAN
    rule = {"metrics": ["hw.temperature"], "detectors": ["rarity"]}
    scores = engine(rules=[rule]).look([observations(level, GAUGE)]).scores[0]
    assert 1.0 < scores[250] < SCORE_ALARM <= scores[290]


def test_a_rule_may_leave_samplers_alone() -> None:
    rule = {"metrics": ["loss"], "sample_more": False}
    found = engine(rules=[rule]).look([observations(np.full(3, NAN))])
    assert found.episodes
    assert not found.scores[0].any()


def test_a_state_that_is_restored_goes_on_as_if_nothing_had_been() -> None:
    values = spiked()
    expected = told(looked(engine(), values))
    before = engine()
    found = looked(before, values[:250])
    after = engine()
    after.restore({name: array.copy() for name, array in before.state().items()})
    for begin in range(250, 400, 50):
        found += after.look([observations(values[begin : begin + 50], first=begin)]).episodes
    assert told(found) == expected


@pytest.mark.parametrize("damage", ["nothing", "about", "records", "keys", "no keys", "no tick"])
def test_a_state_that_is_not_ones_own_is_refused(damage: str) -> None:
    detectors = engine()
    looked(detectors, losses(100))
    state = detectors.state()
    about = next(name for name in state if name.endswith("about"))
    number = about.partition(":")[0]
    if damage == "nothing":
        state.clear()
    elif damage == "about":
        state[about] = np.frombuffer(b'{"detectors": ["gone"], "is_counter": false}', np.uint8)
    elif damage == "records":
        state[f"{number}:order"] = np.zeros(1, np.int64)
    elif damage == "keys":
        state[f"{number}:keys"] = np.zeros(2, np.int64)
    elif damage == "no keys":
        del state[f"{number}:keys"]
    else:
        state["tick"] = np.zeros(0, np.int64)
    with pytest.raises(ValueError, match=r"know|remember|unknown|no series"):
        engine().restore(state)


def test_a_counter_is_watched_by_what_it_grows_by() -> None:
    random = np.random.default_rng(4)
    grown = np.cumsum(random.poisson(100, 600).astype(np.float64))
    grown[500:] += 100_000
    rule = {"metrics": ["requests"], "class": "level"}
    subject = GAUGE._replace(metric="requests")
    detectors = engine(rules=[rule])
    found = looked(detectors, grown, subject=subject, with_steps=False, is_cumulative=True)
    values = [flag.value or 0 for each in found for flag in each.flags]
    assert max(values) == pytest.approx(100_100, rel=0.01)


def test_memory_is_bounded_and_what_leaves_is_counted() -> None:
    """A million new series, each with three numbers, in a hundredth of their room."""
    detectors = engine(series_max=10_000)
    for begin in range(0, 1_000_000, 100_000):
        keys = np.repeat(np.arange(begin, begin + 100_000), 3)
        window = observations(np.ones(len(keys)), LATENCY, key=keys, is_ordered=False)
        detectors.look([window])
    use = detectors.use()
    assert use.memory_bytes <= 10_000 * SERIES_BYTES
    assert use.evicted_count + use.series_count >= 1_000_000
    assert use.value_count == 3_000_000


def test_where_others_take_the_room_of_series_they_take_their_memory_too() -> None:
    detectors = engine(series_max=100_000)
    ways = (LATENCY, LOSS, ACCURACY)
    for number, subject in enumerate(ways):
        keys = 1 + np.arange(number * 300_000, (number + 1) * 300_000)
        detectors.look([observations(np.ones(len(keys)), subject, key=keys, is_ordered=False)])
    groups = list(detectors._groups.values())
    assert len(groups) == len(ways)
    taken = [sum(each.nbytes for each in group._records.values()) for group in groups]
    assert sum(taken) <= 2.5 * 100_000 * SERIES_BYTES  # of a power of two half may be free


def test_a_series_that_is_seen_stays_while_others_come_and_go() -> None:
    detectors, values = engine(series_max=2_000), spiked()
    found = []
    for begin in range(0, 400, 50):
        found += detectors.look([observations(values[begin : begin + 50], first=begin)]).episodes
        keys = np.arange(10_000 * begin + 10, 10_000 * begin + 1_010)
        detectors.look([observations(np.ones(1_000), LATENCY, key=keys, is_ordered=False)])
    assert detectors.use().evicted_count > 0
    assert told(found) == told(looked(engine(), values))


def test_settings_that_change_keep_what_is_known_of_series_with_the_same_detectors() -> None:
    detectors, values = engine(), spiked()
    looked(detectors, values[:SPIKE])
    detectors.change(Detection.parse({"rules": [{"metrics": ["accuracy"], "watch": False}]}))
    found = detectors.look([observations(values[SPIKE:], first=SPIKE)]).episodes
    assert SPIKE in [flag.step for each in found for flag in each.flags]


def test_what_is_not_watched_is_not_looked_at() -> None:
    detectors = engine(rules=[{"metrics": ["loss"], "watch": False}])
    assert not looked(detectors, spiked())
    assert detectors.use().value_count == 0
    silent = engine(enabled=False)
    assert not silent.look([observations(np.full(5, NAN))]).episodes


def test_accuracy_that_collapses_is_found_and_accuracy_that_rises_is_not() -> None:
    random = np.random.default_rng(8)
    rising = 1 - 0.7 * np.exp(-np.arange(600) / 100) + random.normal(0, 0.02, 600)
    assert not looked(engine(), rising, subject=ACCURACY)
    rising[400:] -= 0.5
    (episode, *_) = looked(engine(), rising, subject=ACCURACY)
    assert 400 <= (episode.flags[0].step or 0) <= 430


def test_numbers_of_several_subjects_of_one_window_are_looked_at() -> None:
    window: list[Observations] = [
        observations(np.full(2, NAN), LOSS, key=1),
        observations(np.full(3, NAN), ACCURACY, key=2),
    ]
    found = engine().look(window)
    assert [each.watched.metric for each in found.episodes] == ["loss", "accuracy"]
    assert [len(each) for each in found.scores] == [2, 3]


def test_a_number_that_nobody_marked_is_watched_for_being_finite() -> None:
    """A loss by a name of its own is told of when it is NaN, and of nothing else."""
    values = spiked()
    values[350] = NAN
    found = looked(engine(), values, subject=LOSS._replace(metric="my_loss"))
    assert {each.detector for each in found} == {"non_finite"}
    assert [flag.step for each in found for flag in each.flags] == [350]
