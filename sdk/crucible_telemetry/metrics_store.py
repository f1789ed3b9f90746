"""A file of numbers, one JSON object a line, as other tools of the family write and read it.

Its fields are run_id, metric, value, step, timestamp and metadata.

    with MetricsStore("metrics.jsonl") as store:
        store.record("run-1", "loss", 0.25, step=3)
    for line in read("metrics.jsonl"):
        print(line.metric, line.value)

`metrics_replay` sends such a file to the collector. What a reader could not guess:
JSON has no NaN, so it and the infinities are the strings "NaN", "Infinity" and "-Infinity" here, as
everywhere in this project; and each line is written by one call to a file opened for appending, so
that several processes may share it, and a line that a crash cut off spoils no other.
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from crucible_telemetry import faults, values
from crucible_telemetry.faults import Fault, guarded

LINE_BYTES_MAX = 1_048_576
ERRORS_KEPT_MAX = 100  # with their places; the rest is counted

_STEP_MAX = 2**63 - 1
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of one run."""

    run_id: str
    metric: str
    value: values.Number
    timestamp: datetime
    step: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class MetricsStore:
    """Appends to a file, which is created with the first line; `record` never raises."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._file: int | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_back: TracebackType | None,
    ) -> None:
        self.close()

    @guarded
    def record(
        self,
        run_id: str,
        metric: str,
        value: Any,
        step: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        timestamp: datetime | None = None,
    ) -> None:
        """Append a number; one that is none is left out and counted. The time is now unless given.

        About 15 µs. A file that cannot be written is a fault that is logged once and counted.
        """
        number = values.number(value)
        if number is None:
            kind = type(value).__name__
            faults.note(Fault.NOT_A_NUMBER, "%s=%s is not a number; left out", metric, kind)
            return
        when = datetime.now(UTC) if timestamp is None else timestamp
        written = {
            "run_id": str(run_id),
            "metric": str(metric),
            "value": _plain(number),
            "step": None if step is None else values.whole(step),
            "timestamp": _in_utc(when).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "metadata": json.loads(values.json_text(metadata or {}) or "{}"),
        }
        text = json.dumps(written, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self._append(text.encode("utf-8", "replace") + b"\n")

    @guarded
    def close(self) -> None:
        """Let go of the file; the next record opens it again."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _append(self, line: bytes) -> None:
        with self._lock:
            if self._file is None:
                self._file = _open(self._path)
            written = os.write(self._file, line)
            if written < len(line):  # a full disk; what is there is ended, so that it stays alone
                os.close(self._file)
                self._file = None
                raise OSError(f"{self._path}: only {written} of {len(line)} bytes were written")


def _open(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    size = os.fstat(file).st_size
    if size:
        os.lseek(file, size - 1, os.SEEK_SET)
        if os.read(file, 1) != b"\n":  # somebody was cut off in the middle of a line
            os.write(file, b"\n")
    return file


class Reader:
    """Iterates over the lines of a file; what is no such line is counted, told and passed over.

    bad_line_count: lines passed over so far. errors: what was wrong with the first hundred of
    them, each as `file:line: what`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.line_count = 0
        self.bad_line_count = 0
        self.errors: list[str] = []
        file = Path(path).open("rb")  # noqa: SIM115 - `_read` closes it
        self._metrics = self._read(file)

    def __iter__(self) -> Iterator[Metric]:
        return self._metrics

    def _read(self, file: IO[bytes]) -> Iterator[Metric]:
        with file:
            while line := file.readline(LINE_BYTES_MAX + 1):
                self.line_count += 1
                rest = line
                while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
                    rest = file.readline(LINE_BYTES_MAX + 1)
                if line.isspace():
                    continue
                try:
                    metric = _metric(line)
                except ValueError as error:
                    self._pass_over(str(error))
                else:
                    yield metric

    def _pass_over(self, why: str) -> None:
        self.bad_line_count += 1
        if len(self.errors) < ERRORS_KEPT_MAX:
            self.errors.append(f"{self.path}:{self.line_count}: {why}")
        if self.bad_line_count == 1:
            faults.logger.warning(
                "%s; reading goes on, the reader counts such lines", self.errors[0]
            )


def read(path: str | os.PathLike[str]) -> Reader:
    """Iterate over the numbers in a file, in its order. Raises OSError where it cannot be opened."""
    return Reader(path)


def _metric(line: bytes) -> Metric:
    """Return what a line says; ValueError says what is wrong with it."""
    if len(line) > LINE_BYTES_MAX:
        raise ValueError(f"longer than {LINE_BYTES_MAX} bytes")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    found = _object("the line", found)
    return Metric(
        run_id=_text(found, "run_id"),
        metric=_text(found, "metric"),
        value=_number(found),
        step=_step(found.get("step")),
        timestamp=_time(_text(found, "timestamp")),
        metadata=_object("metadata", found.get("metadata") or {}),
    )


def _object(name: str, found: Any) -> dict[str, Any]:
    if isinstance(found, dict):
        return found
    raise ValueError(f"{name}: an object is expected, not {_named(found)}")


def _text(found: Mapping[str, Any], key: str) -> str:
    text = found.get(key)
    if not isinstance(text, str) or not text:
        raise ValueError(f"{key}: a text is expected, not {_named(text)}")
    return text


def _number(found: Mapping[str, Any]) -> values.Number:
    value = found.get("value")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _NON_FINITE:
        return _NON_FINITE[value]
    raise ValueError(
        f'value: a number, "NaN", "Infinity" or "-Infinity" is expected, not {_named(value)}'
    )


def _step(step: Any) -> int | None:
    if step is None:
        return None
    is_whole = isinstance(step, int | float) and not isinstance(step, bool) and step == step // 1
    if is_whole and abs(step) <= _STEP_MAX:
        return int(step)
    raise ValueError(f"step: a whole number is expected, not {_named(step)}")


def _time(text: str) -> datetime:
    try:
        return _in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise ValueError(f"timestamp: ISO 8601 is expected, not {text[:64]!r}") from None


def _in_utc(time: datetime) -> datetime:
    """Return a time in UTC; one that names no zone is taken to be in it already."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _plain(number: values.Number) -> values.Number | str:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _named(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:64]
