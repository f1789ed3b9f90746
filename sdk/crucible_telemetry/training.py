"""A training run: its own trace, its epochs and checkpoints, and what it came to.

Steps count through the whole run from 0, epochs from 0. A run that takes up another one's work says
so with `first_step` and `epochs(…, start=…)`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from opentelemetry.trace import Link

from crucible_schema import events as names
from crucible_telemetry import fields, health, values
from crucible_telemetry.counting import Count
from crucible_telemetry.encoding import measurement_key
from crucible_telemetry.epoch import Epoch
from crucible_telemetry.faults import guarded
from crucible_telemetry.health import Health
from crucible_telemetry.outcome import COMPLETED, EARLY_STOPPED, is_failure, outcome, why_cancelled
from crucible_telemetry.point import length_ns
from crucible_telemetry.ranks import rank_of_environment, shared_run_id
from crucible_telemetry.run import Run
from crucible_telemetry.scope import Scope
from crucible_telemetry.staged import links
from crucible_telemetry.values import AttributeValue

START, STOP = "crucible_train.training.start", "crucible_train.training.stop"
CHECKPOINT_SAVED = "crucible_train.checkpoint.saved"

# The best epoch is judged by the first of these that it logged; true where less is better.
_CRITERIA = (("val_loss", True), ("val_accuracy", False), ("loss", True), ("accuracy", False))


class Training(Run):
    """One training run; `crucible.training()` says what it takes."""

    span_name: ClassVar[str] = "crucible_train.training"

    def __init__(
        self,
        parent: Scope | None,
        *,
        run_id: str | None,
        first_step: int,
        rank: int | None,
        correlation_id: str | None,
        metadata: Mapping[str, Any],
    ) -> None:
        super().__init__(parent)
        self.epochs_planned: int | None = None
        self.steps = Count(values.whole(first_step))
        self._epoch: Epoch | None = None  # the newest
        self._epoch_count = 0  # those that ended
        self._next_epoch = 0
        self._stops_early = False
        self._watch: health.Watch | None = None  # from the first `should_stop()` on
        self._last: dict[str, values.Number] = {}  # the newest loss and accuracy
        self._best = _Best()
        self._checkpoint_paths: list[str] = []
        self._prepare(run_id, rank, correlation_id, metadata)

    @guarded
    def _prepare(
        self,
        run_id: str | None,
        rank: int | None,
        correlation_id: str | None,
        metadata: Mapping[str, Any],
    ) -> None:
        given = shared_run_id() if run_id is None or run_id == "" else run_id
        self._set_run_id(self._telemetry.ids.generate_run_id() if given is None else given)
        rank = rank_of_environment() if rank is None else rank
        if rank is not None:
            self._inherited[names.RANK] = values.whole(rank)
        self._set_correlation(correlation_id)
        self._attributes.update(fields.attributes(START, metadata))
        planned = self._attributes.get(names.TRAINING_EPOCHS)
        self.epochs_planned = planned if isinstance(planned, int) else None

    @property
    def run_id(self) -> str:
        """What this execution is found by; it is there without `configure()`, too."""
        return str(self._inherited.get(names.RUN_ID, ""))

    def epochs(self, count: int, *, start: int = 0) -> Iterator[Epoch]:
        """Yield epochs `start` to `count - 1`, fewer after `stop_early()` or an abort.

        Takes, and raises, what `range(start, count)` does: a loop that silently never ran would be
        worse than its exception.
        """
        self.epochs_planned = values.whole(count)
        for index in range(start, count):
            if self._stops_early or self._is_ended:
                return
            epoch = self.epoch(index)
            epoch.open()
            try:
                yield epoch
            except GeneratorExit:
                epoch._leave()
                raise
            epoch.close()

    def epoch(self, index: int | None = None) -> Epoch:
        """Return one epoch, to be used with `with` where a loop has a shape of its own."""
        taken = self._next_epoch if index is None else values.whole(index)
        self._next_epoch = taken + 1
        return Epoch(self, taken)

    def stop_early(self) -> None:
        """End with status `early_stopped`; `epochs()` yields no further epoch."""
        self._stops_early = True

    def should_stop(self) -> Health:
        """Say how the run is, as the collector last said; true where nothing can save it.

        Does not wait: the first call has it asked in the background, every five seconds from then on.
        False where nothing is known. The ranks of a job may hear it at different times: ask on one,
        and tell the others.
        """
        watch = self._watch
        if watch is None:
            watch = self._watch = health.begin(self)
        return Health(self.run_id) if watch is None else watch.health

    def describe(self, **metadata: Any) -> None:
        """Add what is known only later, e.g. `final_model_version="4"`, `patience=3`."""
        self._describe_all(metadata)

    @guarded
    def checkpoint(
        self,
        path: str | os.PathLike[str],
        *,
        metrics: Mapping[str, Any] | None = None,
        name: str | None = None,
        kind: str | None = None,
        size_bytes: int | None = None,
        duration_s: float | None = None,
    ) -> None:
        """Tell that a checkpoint was saved, now. The size of a file that is there is looked up.

        metrics: numbers that belong to it. kind: "state" (the training can go on from it) or
        "sampler". duration_s: how long saving took.
        """
        self._settle()
        text = str(values.attribute(path))
        size_bytes = _size_bytes(path) if size_bytes is None else size_bytes
        attributes = dict(self._inherited)
        metadata = {"checkpoint_path": text, "checkpoint_name": name, "kind": kind}
        attributes.update(fields.attributes(CHECKPOINT_SAVED, metadata))
        for key, value in {"model_size_bytes": size_bytes, **(metrics or {})}.items():
            if (number := values.number(value)) is not None:
                attributes[measurement_key(key)] = number
        if (step := self.steps.last) is not None:
            attributes[names.STEP] = step
        if self._epoch is not None:
            attributes[names.EPOCH] = self._epoch.index
        self._checkpoint_paths.append(text)
        now_ns = self._now_ns()
        self._emit(CHECKPOINT_SAVED, now_ns - length_ns(duration_s), now_ns, attributes)

    # What epochs and batches tell.

    def begun(self, epoch: Epoch) -> None:
        """Take note of an epoch that was opened; for `Epoch`."""
        self._epoch = epoch

    def remember(self, measurements: Mapping[str, values.Number]) -> None:
        """Keep the last loss and accuracy, for the end to tell; for `Batch`."""
        if "loss" in measurements:
            self._last["loss"] = measurements["loss"]
        if "accuracy" in measurements:
            self._last["accuracy"] = measurements["accuracy"]

    def ended(self, epoch: Epoch, measurements: Mapping[str, values.Number]) -> None:
        """Count an epoch that was closed, and see whether it was the best; for `Epoch`."""
        self._epoch_count += 1
        self.remember(measurements)
        self._best.consider(epoch.index, measurements)

    # The end.

    def close(self, error: BaseException | None = None) -> None:
        health.end(self)
        super().close(error)

    def _begin(self) -> None:
        self._correlate()

    def _links(self) -> Sequence[Link]:
        return links(self)

    def _progress(self) -> dict[str, AttributeValue]:
        progress: dict[str, AttributeValue] = {}
        if (step := self.steps.last) is not None:
            progress[names.STEP] = step
        if self._epoch is not None:
            progress[names.EPOCH] = self._epoch.index
        return progress

    @guarded
    def _describe_all(self, metadata: Mapping[str, Any]) -> None:
        self._attributes.update(fields.attributes(STOP, metadata))

    def _finish(self, error: BaseException | None) -> None:
        self._exit_context()
        recorded = self._measurements
        recorded.setdefault("total_epochs", self._epoch_count)
        recorded.setdefault("total_steps", self.steps.next)
        for name, number in self._last.items():
            recorded.setdefault(f"final_{name}", number)
        if self.epochs_planned is not None:
            self._attributes[names.TRAINING_EPOCHS] = self.epochs_planned
        if self._checkpoint_paths:
            self._describe(names.TRAINING_CHECKPOINT_URIS, self._checkpoint_paths)
        if self._best.index is not None and self._epoch_count > 1:
            self._attributes[names.TRAINING_BEST_EPOCH] = self._best.index
            self._describe_all({"best_metrics": self._best.measurements})
        if error is not None:
            self._attributes.update(self._progress())
            if not is_failure(error):
                self._describe(names.ERROR_REASON, why_cancelled(error))
            elif self._epoch is not None and self._epoch.batch_count:
                self._attributes[names.BATCH_INDEX] = self._epoch.batch_count - 1

    def _status(self, error: BaseException | None) -> str | None:
        status = outcome(error)
        return EARLY_STOPPED if status == COMPLETED and self._stops_early else status


class _Best:
    """The best epoch so far, by the first criterion that any epoch has met with a finite number."""

    def __init__(self) -> None:
        self.index: int | None = None
        self.measurements: dict[str, values.Number] = {}
        self._score = (len(_CRITERIA), math.inf)  # rank of the criterion, then less is better

    def consider(self, index: int, measurements: Mapping[str, values.Number]) -> None:
        for rank, (name, lower_is_better) in enumerate(_CRITERIA):
            value = measurements.get(name)
            if value is not None and math.isfinite(value):
                score = (rank, value if lower_is_better else -value)
                if score < self._score:
                    self.index, self.measurements, self._score = index, dict(measurements), score
                return


def _size_bytes(path: str | os.PathLike[str]) -> int | None:
    try:
        file = Path(path)
        return file.stat().st_size if file.is_file() else None
    except (OSError, ValueError, TypeError):  # bytes are a path to `open()`, but none to `Path`
        return None
