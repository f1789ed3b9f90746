"""Follows an answer that comes in pieces: each is noted as it passes, unchanged, to its consumer.

What a reader could not guess: the client's stream is never closed here, since whoever leaves the
loop early may still want the rest.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from typing import Any, Generic, Protocol, TypeVar

from crucible_telemetry.faults import guarded
from crucible_telemetry.values import whole

T = TypeVar("T")
Tokens = Callable[[Any], int]


T_co = TypeVar("T_co", covariant=True)


class EitherWay(Protocol[T_co]):
    """A stream that its consumer may take with `for` or with `async for`."""

    def __iter__(self) -> Iterator[T_co]: ...
    def __aiter__(self) -> AsyncIterator[T_co]: ...


class Call(Protocol):
    """What a stream tells."""

    def chunk(self, piece: Any, tokens: int | None = None) -> None: ...
    def leave(self) -> None: ...


def followed(call: Call, source: Any, tokens: Tokens | None) -> Any:
    """Return an iterator over `source`, asynchronous where that is; both where it is both."""
    if not hasattr(source, "__aiter__"):
        return _followed(call, source, tokens)
    if not hasattr(source, "__iter__"):
        return _followed_async(call, source, tokens)
    return _EitherWay(call, source, tokens)


class _EitherWay(Generic[T]):
    """Such a stream, followed."""

    def __init__(self, call: Call, source: Any, tokens: Tokens | None) -> None:
        self._call = call
        self._source = source
        self._tokens = tokens

    def __iter__(self) -> Iterator[T]:
        return _followed(self._call, self._source, self._tokens)

    def __aiter__(self) -> AsyncIterator[T]:
        return _followed_async(self._call, self._source, self._tokens)


def _followed(call: Call, source: Iterable[T], tokens: Tokens | None) -> Generator[T, None, None]:
    for piece in source:
        call.chunk(piece, _count(tokens, piece))
        try:
            yield piece
        except GeneratorExit:
            call.leave()
            raise


async def _followed_async(
    call: Call, source: AsyncIterable[T], tokens: Tokens | None
) -> AsyncGenerator[T, None]:
    async for piece in source:
        call.chunk(piece, _count(tokens, piece))
        try:
            yield piece
        except GeneratorExit:
            call.leave()
            raise


@guarded
def _count(tokens: Tokens | None, piece: Any) -> int | None:
    return None if tokens is None else whole(tokens(piece))
