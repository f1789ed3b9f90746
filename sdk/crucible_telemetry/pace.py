"""When the tokens of an answer came, and what that makes: to the first, from one to the next.

A stream that does not tell its tokens has its pieces counted in their place: a stand-in for speed,
never reported as tokens.
"""

from __future__ import annotations

from collections.abc import Callable

from crucible_telemetry.values import Number

_NS_PER_MS = 1e6
_NS_PER_S = 1e9


class Pace:
    """Times of tokens, in ns of a monotonic clock."""

    __slots__ = ("_clock_ns", "_first_ns", "_last_ns", "chunk_count", "token_count")

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self.token_count = 0  # as somebody who knows counted them
        self.chunk_count = 0

    def first(self) -> None:
        """Note that the answer begins, unless it has begun."""
        if self._first_ns is None:
            self._first_ns = self._clock_ns()

    def tokens(self, count: int) -> None:
        self.token_count += count
        self._tick()

    def chunk(self) -> None:
        self.chunk_count += 1
        self._tick()

    def speeds(self, start_ns: int, reported: Number | None) -> dict[str, Number]:
        """Return the measurements; `reported` are the tokens that the answer itself tells.

        Tokens a second count from the call's begin to the last token, or to now where none was
        seen coming. The time from one token to the next leaves the first one out.
        """
        seen = self.token_count or self.chunk_count
        tokens = reported or seen
        took_ns = (self._last_ns or self._clock_ns()) - start_ns
        speeds: dict[str, Number] = {}
        if tokens and took_ns > 0:
            speeds["tokens_per_second"] = tokens * _NS_PER_S / took_ns
        if self.chunk_count:
            speeds["output_chunks"] = self.chunk_count
        if self._first_ns is not None:
            speeds["time_to_first_token_ms"] = (self._first_ns - start_ns) / _NS_PER_MS
            if self._last_ns is not None and seen > 1 and tokens > 1:
                speeds["time_per_output_token_ms"] = (
                    (self._last_ns - self._first_ns) / (tokens - 1) / _NS_PER_MS
                )
        return speeds

    def _tick(self) -> None:
        self._last_ns = self._clock_ns()
        if self._first_ns is None:
            self._first_ns = self._last_ns
