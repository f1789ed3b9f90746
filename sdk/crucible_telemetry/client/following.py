"""What is stored, as it is stored: messages of `GET /api/v1/live`, over connections that break and come again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from crucible_telemetry.client.line import PATIENCE_S, Line
from crucible_telemetry.client.parameters import Values
from crucible_telemetry.client.refusal import ApiError

# Three of the comments that the collector sends where there is nothing to tell.
_SILENCE_S = 45.0
_WAIT_FIRST_S, _WAIT_LAST_S = 0.25, 5.0
_LATER = (429, 503)


@dataclass(frozen=True, slots=True)
class Message:
    """`kind`: run, event, points, anomaly; or reset: what came before cannot be told, ask for it anew."""

    kind: str
    data: dict[str, Any]


class Following:
    """An iterator over messages, which ends when it is closed. For one thread, but for `close`.

    A connection that breaks is made again, and nothing is missed; what was being told comes again. ApiError
    where nobody has answered for half a minute, or the question is refused.
    """

    def __init__(self, line: Line, wanted: Mapping[str, Values], after: str | None) -> None:
        """Connects at once: what is stored from then on is told. ApiError."""
        self._line = line
        self._wanted = wanted
        self._stack = ExitStack()
        self._lines: Iterator[str] = iter(())
        self._is_closed = False
        self.place = after  # up to here everything has been told: for `after`
        self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self._is_closed = True
        self._stack.close()

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        while not self._is_closed:
            try:
                message = self._read()
            except (httpx.TransportError, httpx.StreamError):
                message = None
            if message is not None:
                return message
            if not self._is_closed:
                self._connect()
        raise StopIteration

    def _read(self) -> Message | None:
        """The next message; None where the collector has ended the stream."""
        kind = ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self.place = value
            elif name == "event":
                kind = value
            elif name == "data" and kind != "hello":
                return Message(kind, json.loads(value))
        return None

    def _connect(self) -> None:
        """Open the stream and hear where it begins."""
        until, wait_s = time.monotonic() + PATIENCE_S, _WAIT_FIRST_S
        while True:
            try:
                self._open()
            except ApiError as error:
                if error.status not in _LATER or time.monotonic() > until:
                    raise
            except httpx.TransportError as error:
                if time.monotonic() > until:
                    self._line.unreachable(error)
            else:
                return
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, _WAIT_LAST_S)

    def _open(self) -> None:
        self._stack.close()
        headers = {} if self.place is None else {"last-event-id": self.place}
        response = self._stack.enter_context(
            self._line.stream("/live", self._wanted, headers, timeout_s=_SILENCE_S)
        )
        self._lines = response.iter_lines()
        if self.place is None:
            self._begin()

    def _begin(self) -> None:
        """Read up to the first place: nothing else is told before it."""
        while self.place is None:
            name, _, value = next(self._lines, "id: ").partition(": ")
            if name == "id":
                self.place = value
