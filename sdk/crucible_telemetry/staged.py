"""What stages are part of: pipelines, other stages, iterations, a story from another process.

What a reader could not guess: a stage's index is its place in the order in which the names first
came up, so that it is the same in every iteration. The same name once more is the same place; it
counts as a further attempt only where the attempt before it failed.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from opentelemetry import trace
from opentelemetry.trace import Link

from crucible_schema import events as names
from crucible_telemetry import telemetry, values
from crucible_telemetry.faults import guarded
from crucible_telemetry.scope import Scope, link_to_current_span, surrounding
from crucible_telemetry.values import AttributeValue

if TYPE_CHECKING:
    from crucible_telemetry.stage import Stage

T = TypeVar("T")

# Carried to other processes beside what is an attribute: where the order of stages goes on there.
NEXT_INDEX = "crucible.stage.next_index"


class Places:
    """Which place each stage has in the order, and which attempt at it comes next."""

    def __init__(self, names: Iterable[str] = (), *, first: int = 0) -> None:
        self._first = first  # places that stages of other processes have
        self._lock = threading.RLock()  # stages may run side by side
        self._indices: dict[str, int] = {}
        self._attempts: dict[str, int] = {}
        for name in names:
            self._indices.setdefault(name, self.next_index)

    @property
    def next_index(self) -> int:
        return self._first + len(self._indices)

    def take(self, name: str) -> tuple[int, int]:
        """Return the index of a stage that begins, from 0, and its attempt, from 1."""
        with self._lock:
            index = self._indices.setdefault(name, self.next_index)
            return index, self._attempts.get(name, 1)

    def ended(self, name: str, attempt: int, *, has_failed: bool) -> None:
        with self._lock:
            self._attempts[name] = attempt + 1 if has_failed else 1

    def once_more(self) -> Places:
        """Return the same order for another iteration, in which nothing was attempted yet."""
        places = Places(first=self._first)
        places._lock, places._indices = self._lock, self._indices
        return places


class Staged(Scope):
    """What stages can be part of: a pipeline, a stage, an iteration, a story from elsewhere."""

    hosts_runs: ClassVar[bool] = True

    def __init__(self, parent: Scope | None) -> None:
        super().__init__(parent)
        self._pipeline_id: str | None = parent._pipeline_id if isinstance(parent, Staged) else None
        self._places = Places()

    def open(self) -> None:
        if self._telemetry.tracer is None:
            telemetry.remind()  # and nothing else: what is off costs nothing
        else:
            super().open()

    def _story(self) -> dict[str, AttributeValue]:
        story = super()._story()
        if self._pipeline_id is not None:
            story[names.PIPELINE_ID] = self._pipeline_id
        story[NEXT_INDEX] = self._places.next_index
        return story

    def _stage_ended(self, stage: Stage, error: BaseException | None) -> None:
        """Hear of a stage that ended right inside this."""

    @overload
    def loop(self, name: str, items: Iterable[T]) -> Iterator[tuple[int, T]]: ...

    @overload
    def loop(self, name: str, items: AsyncIterable[T]) -> AsyncIterator[tuple[int, T]]: ...

    def loop(self, name: str, items: Any) -> Any:
        """Yield index and item; the stages and runs inside carry the loop's name and that index.

        In a loop inside a loop it is the inner one's. What `items` raises is the caller's.
        """
        if isinstance(items, AsyncIterable):
            return _async_iterations(self, name, items)
        return _iterations(self, name, items)


class Iteration(Staged):
    """One iteration of a loop. It has no span of its own; the stages inside say which one it is."""

    span_name: ClassVar[str] = "crucible_framework.loop"  # in the logs: no such span is sent
    has_own_trace: ClassVar[bool] = False
    has_start_marker: ClassVar[bool] = False

    def __init__(self, around: Staged, name: str, index: int) -> None:
        super().__init__(around)
        self._around = around
        self._places = around._places.once_more()
        self._inherited[names.LOOP_NAME] = given_name(name) or "loop"
        self._inherited[names.LOOP_INDEX] = index

    def _start_span(self, tracer: trace.Tracer) -> None:  # noqa: ARG002
        self._context = self._around._context

    def _stage_ended(self, stage: Stage, error: BaseException | None) -> None:
        self._around._stage_ended(stage, error)


def _iterations(around: Staged, name: str, items: Iterable[T]) -> Iterator[tuple[int, T]]:
    for index, item in enumerate(items):
        iteration = Iteration(_staged_within(around), name, index)
        iteration.open()
        try:
            yield index, item
        except GeneratorExit:
            iteration._leave()
            raise
        iteration.close()


async def _async_iterations(
    around: Staged, name: str, items: AsyncIterable[T]
) -> AsyncIterator[tuple[int, T]]:
    index = 0
    async for item in items:
        iteration = Iteration(_staged_within(around), name, index)
        iteration.open()
        try:
            yield index, item
        except GeneratorExit:
            iteration._leave()
            raise
        iteration.close()
        index += 1


def given_name(name: object) -> str | None:
    """Return a name as it can be sent; None where there is none, or none that can be read."""
    return (None if name is None else guarded(values.bounded_id)(name)) or None


def _staged_within(owner: Staged) -> Staged:
    scope = innermost_within(owner)
    while scope is not None and not isinstance(scope, Staged):
        scope = scope.parent
    return owner if scope is None else scope


def innermost_within(owner: Scope | None) -> Scope | None:
    """Return the innermost open scope here if that is inside the owner, else the owner.

    Without an owner it is the innermost open scope, whatever it is.
    """
    scope = innermost = surrounding()
    while scope is not None and scope is not owner:
        scope = scope.parent
    return innermost if owner is None or scope is owner else owner


def links(scope: Scope) -> tuple[Link, ...]:
    """Return what a scope with a trace of its own is linked to: what is around it, the user's span."""
    if not scope._starts_trace():
        return ()
    around = scope.parent
    own = () if around is None or not around.span_context.is_valid else (Link(around.span_context),)
    users = link_to_current_span()  # in a shared provider that may be the span around this, too
    return own if own and users and own[0].context == users[0].context else (*own, *users)
