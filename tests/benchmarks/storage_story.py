"""Who did what in the filled database: experiments of some twenty runs each, spread over its days.

Half of what there is follows from the numbers asked for: batches of trainings measure 3.5 numbers each
(three always, two at every fourth), and what is then missing in spans are inferences. All is drawn
from the run's own number, so any day can be made without the days before it.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from crucible_collector.batch import F64, I64, Bool

SEED = 4
SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US

EXPERIMENT_RUNS = 20
# Of five experiments two ask models, three train.
INFERENCE_EXPERIMENTS = frozenset({1, 3})
# Runs of one experiment begin within so many days.
EXPERIMENT_DAYS = 5
ALWAYS = ("loss", "learning_rate", "gradient_norm")
SOMETIMES = ("accuracy", "throughput")
SOMETIMES_EVERY = 4
METRICS = ALWAYS + SOMETIMES
BATCH_POINTS = len(ALWAYS) + len(SOMETIMES) / SOMETIMES_EVERY
EPOCH_BATCHES = 50
CHECKPOINT_EPOCHS = 10
PIPELINE_SPANS = 10
BATCH_S, BATCH_S_MIN, BATCH_S_MAX = 0.9, 0.15, 4.0
PIPELINES_HOURS = (6.0, 72.0)
# No run is longer than this share of all days, however few they are.
LENGTH_SHARE_MAX = 0.8

Kind = Literal["training", "pipeline"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is filled in; spans and points are met within one in a hundred."""

    spans: int = 20_000_000
    points: int = 50_000_000
    runs: int = 2_000
    days: int = 90

    @property
    def batches(self) -> int:
        return round(self.points / BATCH_POINTS)


@dataclass(frozen=True)
class Run:
    """A training of `units` batches, or so many pipelines of inferences; one begins every `every_us`."""

    number: int
    kind: Kind
    run_id: str
    experiment_id: str
    condition: str
    start_us: int
    units: int
    every_us: float
    is_single_precision: bool  # as a GPU's tensors are: numbers then have 24 significant bits

    @property
    def end_us(self) -> int:
        return self.start_us + int(self.units * self.every_us) + SECOND_US

    @property
    def epochs(self) -> int:
        return -(-self.units // EPOCH_BATCHES)

    def random(self, *of: int) -> np.random.Generator:
        """The same numbers whenever the same is asked for."""
        return np.random.default_rng((SEED, self.number, *of))

    def units_of(self, first_us: int, end_us: int) -> tuple[int, int]:
        """Which batches or pipelines begin in a period: the first, and the one behind the last."""
        bounds = ((each - self.start_us) / self.every_us for each in (first_us, end_us))
        first, end = (min(max(int(np.ceil(each)), 0), self.units) for each in bounds)
        return first, end


@dataclass(frozen=True)
class Story:
    """All runs of `scale`, of which the last ended before `end`, a midnight.

    With `only`, the runs that were busy on that day, and what they began on it.
    """

    scale: Scale
    end: dt.datetime
    only: dt.date | None = None

    @property
    def start_us(self) -> int:
        return self.end_us - self.scale.days * DAY_US

    @property
    def end_us(self) -> int:
        return int(self.end.timestamp()) * SECOND_US

    @property
    def days(self) -> list[dt.date]:
        first = self.end.date() - dt.timedelta(days=self.scale.days)
        return [first + dt.timedelta(days=day) for day in range(self.scale.days)]

    @property
    def experiments(self) -> int:
        return max(2, self.scale.runs // EXPERIMENT_RUNS)

    @cached_property
    def runs(self) -> list[Run]:
        runs = self._all_runs()
        return runs if self.only is None else [run for run in runs if self.units(run)]

    def units(self, run: Run) -> range:
        """Its batches or pipelines."""
        if self.only is None:
            return range(run.units)
        first_us = (self.only - dt.date(1970, 1, 1)).days * DAY_US
        return range(*run.units_of(first_us, first_us + DAY_US))

    def busiest(self, kind: Kind) -> Story:
        """The story of one day on which runs of that kind did something.

        Of the other kind, too, where there is such a day; then that of the most spans.
        """
        days = [Story(self.scale, self.end, day) for day in self.days]
        return max(
            (day for day in days if kind in day.kinds),
            key=lambda day: (len(day.kinds), day.span_count),
        )

    @property
    def kinds(self) -> list[Kind]:
        """Of its runs, in order."""
        return sorted({run.kind for run in self.runs})

    @property
    def span_count(self) -> int:
        """Roughly."""
        each = {"training": 1, "pipeline": PIPELINE_SPANS}
        return sum(len(self.units(run)) * each[run.kind] for run in self.runs)

    def _all_runs(self) -> list[Run]:
        random = np.random.default_rng(SEED)
        experiment = np.arange(self.scale.runs) * self.experiments // self.scale.runs
        is_training = ~np.isin(experiment % 5, list(INFERENCE_EXPERIMENTS))
        units = np.zeros(self.scale.runs, np.int64)
        units[is_training] = _shares(self.scale.batches, int(is_training.sum()), 0.4, random)
        pipelines = self._pipelines(units[is_training])
        units[~is_training] = _shares(pipelines, int((~is_training).sum()), 0.7, random)
        length_us = self._lengths(units, is_training, random)
        start_us = self._starts(experiment, length_us, random)
        return [
            Run(
                number=number,
                kind="training" if is_training[number] else "pipeline",
                run_id=str(uuid.UUID(bytes=random.bytes(16), version=4)),
                experiment_id=f"sweep-{experiment[number]:03d}",
                condition=f"lr={10.0 ** -(2 + number % 4):.0e}",
                start_us=int(start_us[number]),
                units=int(units[number]),
                every_us=float(length_us[number] / max(1, units[number])),
                is_single_precision=bool(experiment[number] % 2 == 0),
            )
            for number in range(self.scale.runs)
        ]

    def _pipelines(self, batches: I64) -> int:
        """How many it takes until there are enough spans."""
        epochs = -(-batches // EPOCH_BATCHES)
        around = 2 * epochs.sum() + (epochs // CHECKPOINT_EPOCHS).sum() + 2 * len(batches)
        return max(0, int(self.scale.spans - batches.sum() - around) // PIPELINE_SPANS)

    def _lengths(self, units: I64, is_training: Bool, random: np.random.Generator) -> F64:
        batch_s = np.clip(
            BATCH_S * random.lognormal(sigma=0.5, size=len(units)), BATCH_S_MIN, BATCH_S_MAX
        )
        least, most = map(math.log, PIPELINES_HOURS)
        hours = np.exp(random.uniform(least, most, size=len(units)))
        length_us = np.where(is_training, units * batch_s * SECOND_US, hours * HOUR_US)
        found: F64 = np.minimum(length_us, LENGTH_SHARE_MAX * self.scale.days * DAY_US)
        return found

    def _starts(self, experiment: I64, length_us: F64, random: np.random.Generator) -> F64:
        """Within a few days of the experiment's, and so that the run ends an hour before the end."""
        day = random.uniform(-EXPERIMENT_DAYS / 2, self.scale.days, size=self.experiments)
        begins = day[experiment] + random.uniform(0, EXPERIMENT_DAYS, size=len(experiment))
        latest = self.scale.days - (length_us + HOUR_US) / DAY_US
        found: F64 = self.start_us + np.clip(begins, 0, latest) * DAY_US
        return found


def _shares(total: int, among: int, sigma: float, random: np.random.Generator) -> I64:
    """Parts of `total`, some larger than others."""
    weight = random.lognormal(sigma=sigma, size=among)
    bounds = np.round(np.concatenate(([0.0], np.cumsum(weight))) / weight.sum() * total)
    parts: I64 = np.diff(bounds).astype(np.int64)
    return parts
