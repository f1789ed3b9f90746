"""`crucible-collector archive …`: its actions, a bar where a person looks on, a report or JSON."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TextIO

from crucible_collector.archive.clean import clean
from crucible_collector.archive.contents import verify, verify_there
from crucible_collector.archive.create import NewArchive, create, resume
from crucible_collector.archive.destination import url_of
from crucible_collector.archive.drop import drop
from crucible_collector.archive.restore import adopt, restore
from crucible_collector.archive.work import Report
from crucible_collector.errors import SettingsError
from crucible_collector.reach import dsn_of, time_of
from crucible_collector.settings import Settings
from crucible_collector.store.archives import state
from crucible_collector.store.archives.slices import Asked
from crucible_collector.store.partitions import RELATIONS

_WIDTH_MIN = 10
_REDRAW_S = 0.1


class Bar:
    """How far it is, as a line that is drawn anew; nothing where nobody looks on."""

    def __init__(self, label: str, out: TextIO | None = None) -> None:
        """On standard error unless told otherwise."""
        out = out or sys.stderr
        self._label = label
        self._out = out if out.isatty() else None
        self._due = 0.0

    def __call__(self, share: float, report: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002 (it is for lists)
        """Draw it; see jobs.Progress."""
        if self._out is None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _REDRAW_S
        width = max(shutil.get_terminal_size().columns - len(self._label) - 10, _WIDTH_MIN)
        done = round(share * width)
        bar = "█" * done + "·" * (width - done)
        print(f"\r{self._label} {bar} {share:4.0%}", end="", file=self._out, flush=True)

    def close(self) -> None:
        """Leave the line empty."""
        if self._out is not None:
            print("\r\x1b[K", end="", file=self._out, flush=True)


def run_action(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do what is asked for; the exit code. CollectorError."""
    report = _ACTIONS[arguments.action](settings, arguments)
    if arguments.json:
        print(json.dumps(report, default=str))
    elif isinstance(report, list):
        for each in report:
            print(_line(each))
        if not report:
            print("there are none")
    else:
        for name, value in report.items():
            print(f"{name:<20} {_said(value)}")
    return 0


def _create(settings: Settings, arguments: argparse.Namespace) -> Report:
    asked = Asked(
        arguments.experiment,
        time_of("from", arguments.from_time),
        time_of("to", arguments.to_time),
        _relations(arguments.relations),
    )
    if asked.start is not None and asked.end is not None and asked.start >= asked.end:
        raise SettingsError("expected --from before --to")
    if asked == Asked():
        raise SettingsError("say what to archive: --experiment, --from, --to or --of")
    dsn, archive_id = dsn_of(settings), uuid.uuid4()
    new = NewArchive(archive_id, _place(settings, arguments.at), asked)
    print(f"archive {archive_id}", file=sys.stderr)
    report = _with_bar("writing", lambda bar: create(dsn, new, bar))
    return _then_drop(dsn, archive_id, report) if arguments.drop else report


def _resume(settings: Settings, arguments: argparse.Namespace) -> Report:
    dsn, archive_id = dsn_of(settings), _id(arguments.archive)
    report = _with_bar("writing", lambda bar: resume(dsn, archive_id, bar))
    return _then_drop(dsn, archive_id, report) if arguments.drop else report


def _then_drop(dsn: str, archive_id: uuid.UUID, report: Report) -> Report:
    return {**report, **_with_bar("dropping", lambda bar: drop(dsn, archive_id, bar))}


def _drop(settings: Settings, arguments: argparse.Namespace) -> Report:
    dsn, archive_id = dsn_of(settings), _id(arguments.archive)
    return _with_bar("dropping", lambda bar: drop(dsn, archive_id, bar))


def _list(settings: Settings, _: argparse.Namespace) -> list[Report]:
    with state.working(dsn_of(settings)) as conn:
        return [asdict(each) for each in state.listed(conn)]


def _verify(settings: Settings, arguments: argparse.Namespace) -> Report:
    archive_id = _id(arguments.archive)
    if arguments.at is not None:
        at = url_of(arguments.at)
        return _with_bar("reading", lambda bar: verify_there(at, archive_id, bar))
    dsn = dsn_of(settings)
    return _with_bar("reading", lambda bar: verify(dsn, archive_id, bar))


def _restore(settings: Settings, arguments: argparse.Namespace) -> Report:
    dsn, archive_id = dsn_of(settings), _id(arguments.archive)
    at = arguments.at or settings.archive_url
    url = None if at is None else url_of(at)
    adopt(dsn, archive_id, url)
    return _with_bar("restoring", lambda bar: restore(dsn, archive_id, bar))


def _clean(settings: Settings, arguments: argparse.Namespace) -> list[Report]:
    chosen = [_id(text) for text in arguments.archives]
    return [asdict(each) for each in clean(dsn_of(settings), chosen)]


_ACTIONS: dict[str, Callable[[Settings, argparse.Namespace], Report | list[Report]]] = {
    "create": _create,
    "resume": _resume,
    "drop": _drop,
    "list": _list,
    "verify": _verify,
    "restore": _restore,
    "clean": _clean,
}


def _with_bar(label: str, work: Callable[[Bar], Report]) -> Report:
    bar = Bar(label)
    try:
        return work(bar)
    finally:
        bar.close()


def _place(settings: Settings, at: str | None) -> str:
    place = at or settings.archive_url
    if place is None:
        raise SettingsError("say where archives lie: --at, or the setting archive_url")
    return url_of(place)


def _relations(text: str | None) -> tuple[str, ...]:
    if text is None:
        return RELATIONS
    named = tuple(dict.fromkeys(each.strip() for each in text.split(",")))
    for each in named:
        if each not in RELATIONS:
            raise SettingsError(f"--of {each}: there are {', '.join(RELATIONS)}")
    return named


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise SettingsError(f"{text!r} is no id of an archive: expected a UUID") from None


def _line(row: Report) -> str:
    if "state" not in row:
        count = row["file_count"]
        became = "somebody works on it" if count is None else f"{count} files taken away"
        return f"{row['archive_id']}  {became}"
    asked = ", ".join(f"{key} {value}" for key, value in row["asked"].items() if key != "relations")
    error = f"  ({row['error']})" if row["error"] else ""
    return (
        f"{row['archive_id']}  {row['created_at']:%Y-%m-%d %H:%M}  {row['state']:<9}"
        f" {row['row_count']:>12,} rows {row['byte_count']:>14,} bytes  {row['url']}  {asked}{error}"
    )


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items()) or "nothing"
    return f"{value:,}" if isinstance(value, int) else str(value)
