"""`crucible-collector export`: rows to a file, a directory or standard output, with a bar on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from crucible_collector import kernels
from crucible_collector.api.exports import FORMATS, ExportFormat, ExportRequest
from crucible_collector.api.wrong import first_wrong
from crucible_collector.errors import ExportError, SettingsError
from crucible_collector.export.kinds import KINDS
from crucible_collector.export.outputs import OneFile, Output, Partitions
from crucible_collector.export.run import run
from crucible_collector.export.shown import Shown
from crucible_collector.export.writers import SUFFIXES
from crucible_collector.jobs import Report
from crucible_collector.reach import dsn_of
from crucible_collector.settings import Settings

STANDARD_OUTPUT = "-"
_BAR_WIDTH = 30
_BAR_EVERY_S = 0.2
_OF_REQUEST = (
    "of", "experiment", "run", "condition", "event", "model", "metric", "status", "severity",
    "attributes", "partition",
)  # fmt: skip


def export(settings: Settings, arguments: Namespace) -> int:
    """Do what the command line asks for; the exit code."""
    asked = _asked(arguments)
    kernels.cache_directory(settings.kernel_cache_dir)
    dsn = dsn_of(settings)
    bar = _Bar(sys.stderr)
    try:
        report = _to(dsn, asked, arguments.out, bar)
    except BrokenPipeError:  # who read it has enough
        sys.stdout = None  # flushing it at the exit would fail again
        return 1
    except OSError as error:
        raise ExportError(f"{arguments.out}: {error.strerror or error}") from error
    finally:
        bar.end()
    print(_told(report, arguments.out), file=sys.stderr)
    return 0


def _asked(arguments: Namespace) -> ExportRequest:
    """SettingsError, with what is wrong."""
    given: dict[str, Any] = {name: getattr(arguments, name) for name in _OF_REQUEST}
    given |= {"from": arguments.from_time, "to": arguments.to_time}
    given["format"] = arguments.format or _format_of(arguments.out)
    given["fields"] = arguments.fields.split(",") if arguments.fields else None
    given["anonymise"] = {
        "drop": arguments.drop,
        "hash": arguments.hash,
        "presets": [each for each in (arguments.anonymise or "").split(",") if each],
        "key": _key(arguments.hash_key_file),
    }
    try:
        asked = ExportRequest.model_validate(
            {name: value for name, value in given.items() if value is not None}
        )
    except ValidationError as error:
        raise SettingsError(first_wrong(error)) from None
    if arguments.out == STANDARD_OUTPUT and asked.format == "parquet":
        raise SettingsError(
            "format: parquet cannot be written to standard output; csv, jsonl or arrow can"
        )
    return asked


def _key(path: str | None) -> str | None:
    """The key of hashes, from a file: arguments are what others of the machine can read. SettingsError."""
    if path is None:
        return None
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"hash-key-file: {path} cannot be read: {error}") from None


def _format_of(out: str) -> ExportFormat:
    """By the file's name; parquet where that says nothing."""
    suffix = Path(out).suffix.removeprefix(".")
    return next((form for form in FORMATS if SUFFIXES[form] == suffix), "parquet")


def _to(dsn: str, asked: ExportRequest, out: str, bar: _Bar) -> Report:
    if out == STANDARD_OUTPUT:
        file = sys.stdout.buffer

        def opens(shown: Shown) -> Output:
            return OneFile(file, asked.format, shown, out, is_stream=True)

        report = run(dsn, asked, opens, bar)
        file.flush()
        return report
    if asked.partition:
        with _whole(Path(out)) as part:
            part.mkdir(parents=True)
            day_of = KINDS[asked.of].day_of
            return run(dsn, asked, lambda shown: Partitions(part, shown, day_of), bar)
    path = Path(out)
    if path.is_dir() or out.endswith("/"):
        path = path / f"{asked.of}.{SUFFIXES[asked.format]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _whole(path) as part, part.open("wb") as file:
        return run(dsn, asked, _one(file, asked, path.name), bar)


def _one(file: IO[bytes], asked: ExportRequest, name: str) -> Any:
    return lambda shown: OneFile(file, asked.format, shown, name, is_stream=False)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Where to write what gets its name when it is whole. SettingsError where there is such a directory."""
    if path.is_dir() and any(path.iterdir()):
        raise SettingsError(f"out: {path} is a directory with something in it")
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        yield part
        if path.is_dir():
            path.rmdir()
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)


def _told(report: Report, out: str) -> str:
    rows, size = report["row_count"], report["byte_count"]
    files = "" if report["file_count"] == 1 else f" in {report['file_count']} files"
    place = "" if out == STANDARD_OUTPUT else f" to {out}"
    return f"{rows:,} rows, {size:,} bytes{files}{place}"


class _Bar:
    """How far an export is, on a terminal; nothing elsewhere. A jobs.Progress."""

    def __init__(self, terminal: IO[str]) -> None:
        self._terminal = terminal
        self._is_shown = terminal.isatty()
        self._due = 0.0
        self._width = 0

    def __call__(self, share: float, report: Report | None = None) -> None:
        now = time.monotonic()
        if not self._is_shown or report is None or (now < self._due and share < 1):
            return
        self._due = now + _BAR_EVERY_S
        filled = round(share * _BAR_WIDTH)
        bar = "█" * filled + "·" * (_BAR_WIDTH - filled)
        line = f"{bar} {share:4.0%}  {report['row_count']:,} rows  {report['byte_count']:,} bytes"
        self._terminal.write(f"\r{line:<{self._width}}")
        self._terminal.flush()
        self._width = len(line)

    def end(self) -> None:
        """Leave the line to what is said next."""
        if self._width:
            self._terminal.write(f"\r{'':<{self._width}}\r")
            self._terminal.flush()
