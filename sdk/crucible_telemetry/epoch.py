"""Epochs and batches: where a training spends its time and what each step measured.

An epoch is a trace of its own, linked to its training's, and its batches are children in it. A
batch lasts from the moment its data is there until the loop asks for the next; waiting for the
loader lies between batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from opentelemetry.trace import Link

from crucible_schema import events as names
from crucible_telemetry.outcome import FAILED, outcome
from crucible_telemetry.scope import Scope

if TYPE_CHECKING:
    from crucible_telemetry.training import Training

T = TypeVar("T")


class Batch(Scope, Generic[T]):
    """One step; `data` is what the loader gave, `step` counts through the run, `index` the epoch."""

    span_name: ClassVar[str] = "crucible_train.batch"
    has_own_trace: ClassVar[bool] = False
    has_start_marker: ClassVar[bool] = False

    def __init__(self, epoch: Epoch, data: T, index: int, step: int) -> None:
        super().__init__(epoch)
        self._epoch = epoch
        self.data = data
        self.index = index
        self.step = step
        self._attributes[names.BATCH_INDEX] = index
        self._attributes[names.STEP] = step

    def _finish(self, error: BaseException | None) -> None:  # noqa: ARG002
        self._epoch.training.remember(self._measurements)

    def _status(self, error: BaseException | None) -> str | None:
        # A training may go on after a failed batch, which is therefore a stop with status error.
        status = super()._status(error)
        return "error" if status == FAILED else status


class Epoch(Scope):
    """One pass over the data."""

    span_name: ClassVar[str] = "crucible_train.epoch"

    def __init__(self, training: Training, index: int) -> None:
        super().__init__(training)
        self.training = training
        self.index = index
        self.batch_count = 0
        self._last_step: int | None = None
        self._inherited[names.EPOCH] = index

    def batches(self, loader: Iterable[T]) -> Iterator[Batch[T]]:
        """Yield a batch for each item of `loader`; the item is its `data`.

        What the loader raises is the caller's, as without telemetry.
        """
        for data in loader:
            batch = self.batch(data)
            batch.open()
            try:
                yield batch
            except GeneratorExit:
                batch._leave()
                raise
            batch.close()

    @overload
    def batch(self, *, step: int | None = None) -> Batch[None]: ...

    @overload
    def batch(self, data: T, *, step: int | None = None) -> Batch[T]: ...

    def batch(self, data: Any = None, *, step: int | None = None) -> Batch[Any]:
        """Return the next batch, to be used with `with` where a loop has a shape of its own."""
        with self.training.counting:
            index, self.batch_count = self.batch_count, self.batch_count + 1
            self._last_step = taken = self.training.next_step(step)
        return Batch(self, data, index, taken)

    def _begin(self) -> None:
        if self.training.epochs_planned is not None:
            self._attributes[names.TRAINING_EPOCHS] = self.training.epochs_planned
        self.training.begun(self)

    def _links(self) -> Sequence[Link]:
        span = self.training._span
        return () if span is None else (Link(span.get_span_context()),)

    def _finish(self, error: BaseException | None) -> None:
        self._measurements.setdefault("steps", self.batch_count)
        # Without batches the epoch itself is the x axis of its curves.
        self._attributes[names.STEP] = self.index if self._last_step is None else self._last_step
        if error is not None and self.batch_count:
            self._attributes[names.BATCH_INDEX] = self.batch_count - 1
        self.training.ended(self, self._measurements)

    def _status(self, error: BaseException | None) -> str | None:
        return outcome(error)
