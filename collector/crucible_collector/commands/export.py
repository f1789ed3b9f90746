"""`crucible-collector export`: see `crucible_collector.export.command`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from crucible_collector.settings import Settings

HELP = "take rows away as CSV, JSON lines, Parquet or Arrow"
IS_QUIET = True
_OF = ("events", "traces", "points", "logs", "anomalies", "runs", "summary")
_FORMATS = ("csv", "jsonl", "parquet", "arrow")
_FILTERS = {
    "experiment": "only this experiment",
    "run": "only this run",
    "condition": "only this condition",
    "event": "only events of this name",
    "model": "only this model",
    "metric": "only this metric, of points and anomalies",
    "status": "unset, ok or error of events; a run's own",
    "severity": "logs of this severity or worse, as in warn",
}


def add_arguments(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    parser.add_argument("--of", choices=_OF, default="events", help="what (default: events)")
    parser.add_argument(
        "--format", choices=_FORMATS, help="default: by the name of --out, else parquet"
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="PLACE",
        help="a file, a directory, or - for standard output",
    )
    for name, meaning in _FILTERS.items():
        parser.add_argument(f"--{name}", metavar=name.upper(), help=meaning)
    parser.add_argument(
        "--from",
        dest="from_time",
        metavar="TIME",
        help="this time or later, as in 2026-11-23T10:00:00Z",
    )
    parser.add_argument("--to", dest="to_time", metavar="TIME", help="before this time")
    parser.add_argument("--fields", metavar="A,B", help="these columns only (default: all)")
    parser.add_argument(
        "--attributes",
        choices=("json", "columns"),
        help="one column of JSON, or one for each key (default: columns for CSV, else json)",
    )
    parser.add_argument(
        "--partition",
        action="store_true",
        help="Parquet in directories experiment_id=…/day=… under --out",
    )
    parser.add_argument(
        "--drop",
        action="append",
        default=[],
        metavar="NAME",
        help="leave such attributes out, with * and ?",
    )
    parser.add_argument(
        "--hash",
        action="append",
        default=[],
        metavar="NAME",
        help="put hashes in place of what such attributes hold",
    )
    parser.add_argument(
        "--hash-key-file",
        metavar="FILE",
        help="what hashes are made with, for exports to be joined (default: a random key)",
    )
    parser.add_argument(
        "--anonymise", metavar="PRESETS", help="users, texts, or both with a comma between"
    )
    return (parser,)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    # Arrow's own allocator keeps what was freed, 40 MB of the 300 that an export may take. Read as it is loaded.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    from crucible_collector.export.command import export  # noqa: PLC0415

    return export(settings, arguments)
