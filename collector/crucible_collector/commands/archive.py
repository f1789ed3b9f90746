"""`crucible-collector archive`: rows put away as Parquet and brought back; see `crucible_collector.archive`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from crucible_collector.settings import Settings

HELP = "put an experiment or a period away as Parquet files, and bring it back"
IS_QUIET = True
_ACTIONS = {
    "create": "write an archive and read it back; with --drop, then drop its rows",
    "resume": "go on with an archive that was interrupted",
    "drop": "read an archive back, then drop the rows that it has",
    "list": "list the archives that the database knows",
    "verify": "read all of an archive back",
    "restore": "bring back what is missing of an archive",
    "clean": "take away what is left of archives that were never finished",
}
_AT = "where archives lie: s3://bucket/prefix, gs://, az://, file:///directory or a path (default: --archive-url)"


def add_arguments(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    made = {
        name: actions.add_parser(name, help=about, description=about)
        for name, about in _ACTIONS.items()
    }
    create = made["create"]
    create.add_argument("--experiment", metavar="ID", help="only what is of this experiment")
    create.add_argument(
        "--from", dest="from_time", metavar="TIME", help="rows of then or later, as in 2026-11-01"
    )
    create.add_argument("--to", dest="to_time", metavar="TIME", help="and before this")
    create.add_argument(
        "--of",
        dest="relations",
        metavar="NAMES",
        help="only these of spans, points, histograms, logs and anomalies, with commas between",
    )
    for name in ("create", "verify", "restore"):
        made[name].add_argument("--at", metavar="URL", help=_AT)
    for name in ("create", "resume"):
        made[name].add_argument(
            "--drop", action="store_true", help="then drop the rows; roll-ups keep what they have"
        )
    for name in ("resume", "drop", "verify", "restore"):
        made[name].add_argument("archive", metavar="ARCHIVE", help="its id")
    made["clean"].add_argument(
        "archives", metavar="ARCHIVE", nargs="*", help="their ids (default: all)"
    )
    for parser_of in made.values():
        parser_of.add_argument("--json", action="store_true", help="print JSON, for programs")
    return tuple(made.values())


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    from crucible_collector.archive.command import run_action  # noqa: PLC0415

    return run_action(settings, arguments)


def changes(arguments: argparse.Namespace) -> tuple[str, dict[str, Any]] | None:
    if arguments.action in {"list", "verify"}:
        return None
    named = {name: getattr(arguments, name, None) for name in ("archive", "experiment", "drop")}
    return f"archive {arguments.action}", {name: told for name, told in named.items() if told}
