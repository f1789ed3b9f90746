"""One step of a training: the hot path of the SDK.

A batch behaves as every other scope, at a tenth of the cost: it is no OpenTelemetry span but a
record that the sending thread writes out (see `encoding`). What a reader could not guess: whatever
most batches never have (children, attributes, a context for spans inside) is made when it is first
asked for, and the dictionary that Python makes of `log(loss=…)` is itself what is queued.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event
from opentelemetry.trace import NonRecordingSpan, Span

from crucible_schema import events as names
from crucible_telemetry import faults, telemetry
from crucible_telemetry.encoding import BatchRecord, BatchTemplate, to_readable_span
from crucible_telemetry.faults import Fault
from crucible_telemetry.outcome import FAILED, failure, is_failure
from crucible_telemetry.scope import MEASUREMENTS_MAX, Scope, current_scope, innermost_open
from crucible_telemetry.values import AttributeValue, Number

if TYPE_CHECKING:
    from crucible_telemetry.epoch import Epoch

T = TypeVar("T")

_INT_MAX: Final = 2**63 - 1
_STOP: Final = names.CRUCIBLE_TRAIN_BATCH_STOP
# A named tuple's own constructor takes its arguments apart by name: 0.3 µs.
_record: Final = partial(tuple.__new__, BatchRecord)


class _Later:
    """An attribute that is made when it is first asked for, and is an ordinary one from then on.

    `__getattr__` would do the same, and make every other attribute of the class 0.1 µs slower.
    """

    def __init__(self, make: Callable[[Batch[Any]], Any]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, batch: Batch[Any], owner: type) -> Any:
        made = self._make(batch)
        setattr(batch, self._name, made)
        return made


def _later(make: Callable[[Batch[Any]], Any]) -> Any:
    return _Later(make)


def _attributes(batch: Batch[Any]) -> dict[str, AttributeValue]:
    batch._is_described = True
    return {names.BATCH_INDEX: batch.index, names.STEP: batch.step}


def _inherited(batch: Batch[Any]) -> dict[str, AttributeValue]:
    return dict(batch._epoch._inherited)


def _context(batch: Batch[Any]) -> Context:
    """What spans inside are started in."""
    template = batch._template
    if template is None:
        return Context()
    if not batch._span_id:
        batch._span_id = batch._telemetry.ids.generate_span_id()
    span = NonRecordingSpan(template.context(batch._span_id))
    return trace.set_span_in_context(span, Context())


_NO_CHILDREN: Final[dict[int, Scope]] = {}
_NO_MEASUREMENTS: Final[dict[str, Number]] = {}


class Batch(Scope, Generic[T]):
    """One step; `data` is what the loader gave, `step` counts through the run, `index` the epoch."""

    span_name: ClassVar[str] = names.CRUCIBLE_TRAIN_BATCH
    has_own_trace: ClassVar[bool] = False
    has_start_marker: ClassVar[bool] = False

    # What few batches have is on the class until it is set. What all have is set at once, in
    # `__init__`, for only attributes that every instance begins with are stored without a dictionary.
    _span_id = 0  # 0: not drawn yet
    _span: Span | None = None
    _outer_context: Context | None = None
    _entered_context: Context | None = None
    _left_ns: int | None = None
    _children: dict[int, Scope] = _NO_CHILDREN
    _is_described = False  # has attributes that most batches do not have

    _telemetry: telemetry.Telemetry = _later(lambda batch: batch._epoch._telemetry)
    _parent: Scope | None = _later(lambda batch: batch._epoch)
    _attributes: dict[str, AttributeValue] = _later(_attributes)
    _inherited: dict[str, AttributeValue] = _later(_inherited)
    _context: Context = _later(_context)

    def __init__(self, epoch: Epoch, data: T, index: int, step: int) -> None:
        self._epoch: Epoch = epoch
        self.data = data
        self.index = index
        self.step = step
        self._measurements: dict[str, Number] = _NO_MEASUREMENTS
        self._template: BatchTemplate | None = None  # None: a span as any other
        self._outer_scope: Scope | None = None
        self._is_open = self._is_ended = False
        self._start_ns = self._start_monotonic_ns = self._fork_count = 0

    def open(self) -> None:
        """Begin; `with` and `Epoch.batches()` do it."""
        epoch = self._epoch
        template = epoch.batch_template
        if template is None or self._is_open or self._is_ended:
            super().open()
            return
        try:
            siblings = epoch._children
            if siblings:
                epoch._settle()
            siblings[id(self)] = self
            self._template = template
            self._is_open = True
            self._fork_count = telemetry.fork_count
            clock = epoch._telemetry.clock
            self._start_ns, self._start_monotonic_ns = clock.wall_ns(), clock.monotonic_ns()
            outer = current_scope.get()
            self._outer_scope = outer if outer is epoch else innermost_open(outer)
            current_scope.set(self)
        except Exception:  # noqa: BLE001 - the outermost line; spelt out, a wrapper costs 0.2 µs
            faults.note(Fault.ERROR, "Batch.open failed", exc_info=True)

    def log(self, measurements: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Record numbers; the last one of a name counts. None stands for "not measured".

        A mapping takes names that are no Python identifiers: `log({"optim/entropy": 0.3})`.
        """
        if self._measurements is _NO_MEASUREMENTS:
            if measurements is None and self._is_open and len(named) <= MEASUREMENTS_MAX:
                for value in named.values():
                    kind = type(value)
                    if kind is not float and (kind is not int or abs(value) > _INT_MAX):
                        break
                else:
                    self._measurements = named
                    if self._children:
                        self._settle()
                    return
            self._measurements = {}
        super().log(measurements, **named)

    def close(self, error: BaseException | None = None) -> None:
        """End, with the exception that ended it if one did. A second call does nothing."""
        template = self._template
        if template is None or not self._is_open:
            super().close(error)
            return
        try:
            self._is_open, self._is_ended = False, True
            end_ns = self._left_ns
            if end_ns is None:
                elapsed_ns = self._epoch._telemetry.clock.monotonic_ns() - self._start_monotonic_ns
                end_ns = self._start_ns + elapsed_ns
            if self._children:
                for child in list(self._children.values()):
                    child.close(error)
            self._exit()
            epoch = self._epoch
            epoch._children.pop(id(self), None)
            epoch.training.remember(self._measurements)
            self._put(template, error, end_ns)
        except Exception:  # noqa: BLE001 - as above
            faults.note(Fault.ERROR, "Batch.close failed", exc_info=True)

    def _adopt(self, child: Scope) -> None:
        if self._children is _NO_CHILDREN:
            self._children = {}
        super()._adopt(child)

    def _exit(self) -> None:
        epoch = self._epoch
        if self._outer_scope is epoch and epoch._is_open and epoch._left_ns is None:
            if current_scope.get() is self:
                current_scope.set(epoch)
        else:
            super()._exit()

    def _put(self, template: BatchTemplate, error: BaseException | None, end_ns: int) -> None:
        """Queue what is to be sent."""
        using = self._epoch._telemetry
        if using.put is None or self._fork_count != telemetry.fork_count:
            return  # opened before a fork: the parent sends it
        if not using.subscription.takes(_STOP):
            return
        measurements = self._measurements
        if len(measurements) > template.measurements_max:
            measurements = template.bounded(measurements)
        span_id = self._span_id or using.ids.generate_span_id()
        extra = None
        if error is not None or self._is_described:
            extra = using.policy.applied(self._unusual(error))
        record: BatchRecord = _record(
            (template, span_id, self._start_ns, end_ns, self.index, self.step, measurements, extra)
        )
        if error is None or not is_failure(error):
            using.put(record)
        else:
            self._put_failed(record, error)

    def _put_failed(self, record: BatchRecord, error: BaseException) -> None:
        using = self._telemetry
        failed = failure(error, using.policy)
        if record.extra is not None:
            record.extra.update(failed.attributes)
        event = Event("exception", failed.exception_attributes, record.end_ns)
        span = to_readable_span(record, using.resource, status=failed.status, events=(event,))
        if using.put is not None:
            using.put(span)

    def _unusual(self, error: BaseException | None) -> dict[str, Any]:
        """Return the attributes that most batches do not have."""
        unusual = dict(self._attributes)
        del unusual[names.BATCH_INDEX], unusual[names.STEP]
        status = self._status(error)
        return unusual if status is None else {**unusual, names.STATUS: status}

    def _finish(self, error: BaseException | None) -> None:  # noqa: ARG002
        self._epoch.training.remember(self._measurements)

    def _status(self, error: BaseException | None) -> str | None:
        # A training may go on after a failed batch, which is therefore a stop with status error.
        status = super()._status(error)
        return "error" if status == FAILED else status


class SilentBatch(Batch[T]):
    """A batch while nothing is recorded."""

    _measurements = _NO_MEASUREMENTS
    _template = _outer_scope = None
    _is_open = _is_ended = False
    _start_ns = _start_monotonic_ns = _fork_count = 0

    def __init__(self, epoch: Epoch, data: T, index: int, step: int) -> None:
        self._epoch = epoch
        self.data = data
        self.index = index
        self.step = step

    def open(self) -> None:
        pass

    def log(self, measurements: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        pass

    def close(self, error: BaseException | None = None) -> None:
        pass


def batch_template(epoch: Epoch) -> BatchTemplate | None:
    """Return what an open epoch's batches share; None where they are spans as any other."""
    using = epoch._telemetry
    span_context = epoch.span_context
    if using.put is None or not (span_context.is_valid and span_context.trace_flags.sampled):
        return None
    attributes = using.policy.applied(epoch._inherited)
    left = using.policy.attributes_max - len(attributes) - len((names.BATCH_INDEX, names.STEP))
    return BatchTemplate(span_context, attributes, using.scope, min(left, MEASUREMENTS_MAX))
