"""What else changed in the run just before: told where something did, and not where nothing did."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Sequence

import numpy as np
import psycopg
import pytest

from crucible_collector.store.causes import CAUSES_MAX, SCORE_MAX, Cause, causes_of, departure
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from stored import at

PERIOD = uuid.UUID(int=9)
FLAGGED = 80  # the step whose loss was flagged


class Run:
    """A run with a flagged loss, and whatever other series a test gives it."""

    def __init__(self, conn: psycopg.Connection, reader: Reader) -> None:
        self._conn = conn
        self._reader = reader
        self._count = 0
        conn.execute(
            "insert into crucible.anomaly_periods (period_id, started_at, last_flag_at, state_at,"
            " flag_count, peak_score, metric, detector, severity, run_id, first_step)"
            " values (%(id)s, %(at)s, %(at)s, %(at)s, 1, 2, 'loss', 'ewma', 'warning', 'r', %(step)s)",
            {"id": PERIOD, "at": at(FLAGGED), "step": FLAGGED},
        )

    def has(
        self, metric: str, values: Sequence[float], *, run: str = "r", rank: int | None = None
    ) -> None:
        self._count += 1
        self._conn.execute(
            "insert into crucible.series (series_id, metric, source, kind, run_id, rank, first_seen,"
            " last_seen) values (%s, %s, 'event', 'measurement', %s, %s, now(), now())",
            (self._count, metric, run, rank),
        )
        with self._conn.cursor() as cursor:
            cursor.executemany(
                "insert into crucible.points (series_id, time, step, value) values (%s, %s, %s, %s)",
                [(self._count, at(step), step, value) for step, value in enumerate(values)],
            )

    def causes(self) -> list[Cause]:
        return causes_of(self._reader, PERIOD)


@pytest.fixture
def run(database: str) -> Iterator[Run]:
    with psycopg.connect(database, autocommit=True) as conn, reader_pool(database) as pool:
        yield Run(conn, Reader(pool))


def noise(seed: int, count: int = 120, scale: float = 0.1) -> list[float]:
    return list(np.exp(np.random.default_rng(seed).normal(0, scale, count)))


def test_what_was_constant_and_changed_just_before_is_told_first(run: Run) -> None:
    norm = noise(1)
    norm[FLAGGED] *= 20
    run.has("gradient_norm", norm)
    run.has("learning_rate", [0.05] * 79 + [1.5] * 4 + [0.05] * 30)
    run.has("accuracy", noise(2))
    rate, gradient = run.causes()
    assert rate.says == "learning_rate went from 0.05 to 1.5 at step 79"
    assert (gradient.metric, gradient.step) == ("gradient_norm", FLAGGED)
    assert rate.score > gradient.score


def test_what_changed_afterwards_in_another_run_or_is_the_metric_itself_is_no_cause(
    run: Run,
) -> None:
    jump = [0.05] * 79 + [1.5] * 30
    run.has("learning_rate", [0.05] * (FLAGGED + 1) + [1.5] * 30)
    run.has("learning_rate", jump, run="another")
    run.has("loss", jump)
    assert run.causes() == []


def test_a_number_that_is_none_any_more_is_a_cause(run: Run) -> None:
    run.has("gradient_norm", [*noise(3, 78), math.nan, math.nan, math.nan])
    (cause,) = run.causes()
    assert cause.score == SCORE_MAX
    assert cause.says.startswith("gradient_norm became nan at step 78 (it was ")


def test_of_several_ranks_the_one_that_shows_it_best_is_told_and_no_more_than_a_few(
    run: Run,
) -> None:
    for rank in (0, 1):
        run.has("throughput", [*noise(4 + rank, 79), 0.5 - 0.4 * rank, 0.1], rank=rank)
    for number in range(CAUSES_MAX + 1):
        run.has(f"gauge_{number}", [1.0] * 79 + [9.0, 9.0])
    found = run.causes()
    assert len(found) == CAUSES_MAX
    assert {cause.metric for cause in found} < {f"gauge_{number}" for number in range(9)}


def test_the_rank_that_departs_most_stands_for_its_metric(run: Run) -> None:
    run.has("throughput", [*noise(4, 79), 0.4], rank=0)
    run.has("throughput", [*noise(5, 79), 0.01], rank=1)
    (cause,) = run.causes()
    assert cause.rank == 1
    assert cause.says.startswith("throughput of rank 1 went from ")


def test_a_period_without_a_run_has_no_causes(run: Run) -> None:
    run.has("learning_rate", [0.05] * 79 + [1.5] * 4)
    assert causes_of(run._reader, uuid.uuid4()) == []


@pytest.mark.parametrize("is_positive", [True, False])
def test_noise_alone_departs_in_less_than_one_stretch_of_a_hundred(*, is_positive: bool) -> None:
    noisy = np.random.default_rng(11).normal(0, 0.3, (2000, 80))
    stretches = np.exp(noisy) if is_positive else noisy
    assert sum(departure(each)[0] is not None for each in stretches) < 20


def test_rounding_of_a_constant_and_too_little_before_are_no_change() -> None:
    assert departure([0.1] * 70 + [0.1 + 1e-9] * 10)[0] is None
    assert departure([0.0] * 80)[0] is None
    assert departure([1.0] * 5 + [50.0] * 5)[0] is None


def test_the_first_number_that_departs_is_the_one_that_is_told() -> None:
    place, before, score = departure([2.0] * 70 + [8.0, 64.0] + [2.0] * 8)
    assert (place, before) == (70, 2.0)
    assert score == pytest.approx(math.log(4) / 0.01)
