"""Epochs and batches: where a training spends its time and what each step measured.

An epoch is a trace of its own, linked to its training's, and its batches are children in it. A
batch lasts from the moment its data is there until the loop asks for the next; waiting for the
loader lies between batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from opentelemetry.trace import Link

from crucible_schema import events as names
from crucible_telemetry.batch import Batch, SilentBatch, batch_template
from crucible_telemetry.encoding import BatchTemplate
from crucible_telemetry.outcome import outcome
from crucible_telemetry.scope import Scope

if TYPE_CHECKING:
    from crucible_telemetry.training import Training

__all__ = ["Batch", "Epoch"]

T = TypeVar("T")


class Epoch(Scope):
    """One pass over the data."""

    span_name: ClassVar[str] = "crucible_train.epoch"

    def __init__(self, training: Training, index: int) -> None:
        super().__init__(training)
        self.training = training
        self.index = index
        self.batch_count = 0
        self.batch_template: BatchTemplate | None = None  # None: batches are spans as any other
        self._last_step: int | None = None
        self._inherited[names.EPOCH] = index

    def batches(self, loader: Iterable[T]) -> Iterator[Batch[T]]:
        """Yield a batch for each item of `loader`; the item is its `data`.

        What the loader raises is the caller's, as without telemetry.
        """
        if self._telemetry.tracer is None:
            for data in loader:
                yield self.batch(data)
            return
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
        kind = SilentBatch if self._telemetry.tracer is None else Batch
        return kind(self, data, index, taken)

    def _begin(self) -> None:
        if self.training.epochs_planned is not None:
            self._attributes[names.TRAINING_EPOCHS] = self.training.epochs_planned
        self.batch_template = batch_template(self)
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
