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
from crucible_telemetry import values
from crucible_telemetry.batch import Batch, SilentBatch, batch_template
from crucible_telemetry.counting import Count
from crucible_telemetry.encoding import BatchTemplate
from crucible_telemetry.outcome import is_failure, outcome
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
        is_silent = self._telemetry.tracer is None
        self._batch_class: type[Batch[Any]] = SilentBatch if is_silent else Batch
        self.batch_template: BatchTemplate | None = None  # None: batches are spans as any other
        self._indices = Count()
        self._inherited[names.EPOCH] = index

    @property
    def batch_count(self) -> int:
        """How many batches it has had so far."""
        return self._indices.next

    def batches(self, loader: Iterable[T]) -> Iterator[Batch[T]]:
        """Yield a batch for each item of `loader`; the item is its `data`.

        What the loader raises is the caller's, as without telemetry.
        """
        makes_its_own = getattr(type(loader), "crucible_batches", None)
        if makes_its_own is not None:  # a loader under watch: `integrations.torch`
            yield from makes_its_own(loader, self)
            return
        if self._telemetry.tracer is None:
            for data in loader:
                yield SilentBatch(self, data, self._indices.take(), self.training.steps.take())
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
        steps = self.training.steps
        taken = steps.take() if step is None else steps.set(values.whole(step))
        return self._batch_class(self, data, self._indices.take(), taken)

    def _begin(self) -> None:
        if self.training.epochs_planned is not None:
            self._attributes[names.TRAINING_EPOCHS] = self.training.epochs_planned
        self.batch_template = batch_template(self)
        self.training.begun(self)

    def _links(self) -> Sequence[Link]:
        span = self.training._span
        return () if span is None else (Link(span.get_span_context()),)

    def _finish(self, error: BaseException | None) -> None:
        batch_count, last_step = self.batch_count, self.training.steps.last
        self._measurements.setdefault("steps", batch_count)
        # Without batches the epoch itself is the x axis of its curves.
        self._attributes[names.STEP] = (
            last_step if last_step is not None and batch_count else self.index
        )
        if error is not None and is_failure(error) and batch_count:
            self._attributes[names.BATCH_INDEX] = batch_count - 1
        self.training.ended(self, self._measurements)

    def _status(self, error: BaseException | None) -> str | None:
        return outcome(error)
