"""`make bench-query`: how fast rows are taken away, and how soon questions are answered while spans come in.

Over the filled database of `bench-storage`, whose server runs here as in production: it vacuums, packs and
refreshes. What is ingested on the way stays in it, after the end of its story, where no benchmark asks.
Exit code 0 says that everything was exported and answered; whether goals were met is in the tables.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a file

from benchmarks import place, storage_keep
from benchmarks.query_export import Exported, export
from benchmarks.query_readers import Read, readers
from benchmarks.report import DIRECTORY, Figure, at_least, at_most, figure, table, write
from benchmarks.storage_keep import KINDS, Kept
from benchmarks.storage_story import Scale
from crucible_collector.store.migrate import migrate

PARTS = ("export", "readers")
# Days of the story that are taken: memory of the second must not be more than of the first.
EXPORTS = (("points", 3), ("points", 30), ("events", 3), ("events", 30))
ROWS_PER_S, RSS_MB = at_least(300_000), at_most(300)
P95_MS, INGEST_SHARE = at_most(250), at_least(0.9)
READERS_PER_S = 20.0
SECONDS = 60.0
NAME = "bench-query"
# As the doctor advises for a store of this size; all else is the server's own.
SERVER = {"shared_buffers": "2GB"}


def main(argv: Sequence[str] | None = None, output: Path = DIRECTORY) -> int:
    """Fill what is missing, measure, print the table, write the JSON."""
    logging.basicConfig(level=logging.WARNING)
    arguments = _arguments(argv)
    if unknown := set(arguments.parts.split(",")) - set(PARTS):
        sys.exit(f"{NAME}: no such part: {', '.join(sorted(unknown))}")
    scale = Scale(arguments.spans, arguments.points, arguments.runs, arguments.days)
    directory = arguments.directory or storage_keep.default_directory(scale)
    figures: list[Figure] = []
    for kind in arguments.kinds.split(","):
        with (
            place.work_directory(0) as work,
            storage_keep.kept(kind, scale, directory, _say, settings=SERVER) as kept,
        ):
            migrate(kept.dsn, storage_keep.LOG)
            figures += _measured(kept, work, arguments)
    print(table(figures, place.title(NAME, quick=False)))
    print(write(figures, NAME, output))
    return 0


def _measured(kept: Kept, work: Path, arguments: argparse.Namespace) -> list[Figure]:
    found: list[Figure] = []
    parts = arguments.parts.split(",")
    if "export" in parts:
        for of, days in EXPORTS:
            exported = export(kept, work, of, min(days, arguments.days))
            _say(f"{kept.kind}: {exported}")
            found += _of_export(kept.kind, exported)
    if "readers" in parts:
        read = readers(kept, work / "data", arguments.seconds, arguments.per_s)
        found += _of_readers(kept.kind, read)
    return found


def _of_export(kind: str, exported: Exported) -> list[Figure]:
    name = f"{kind}: {exported.rows:,} {exported.of} to Parquet"
    return [
        figure(name, exported.rows_per_s, "rows/s", ROWS_PER_S),
        figure(f"{name}, resident at most", exported.rss_max_mb, "MB", RSS_MB),
        figure(f"{name}, file", exported.file_mb, "MB"),
    ]


def _of_readers(kind: str, read: Read) -> list[Figure]:
    found = [
        figure(f"{kind}: ingest as fast as it goes", read.full_per_s, "spans/s"),
        figure(f"{kind}: ingest at half of it, alone", read.alone_per_s, "spans/s"),
        figure(
            f"{kind}: the same beside readers / alone",
            read.beside_per_s / read.alone_per_s,
            "",
            INGEST_SHARE,
        ),
        figure(f"{kind}: answers, p50", read.percentile(50), "ms"),
        figure(f"{kind}: answers, p95", read.percentile(95), "ms", P95_MS),
        figure(f"{kind}: answers, p99", read.percentile(99), "ms"),
    ]
    for name in read.ms:
        p50, p95 = read.percentile(50, name), read.percentile(95, name)
        found += [
            figure(f"{kind}: {name}, p50", p50, "ms"),
            figure(f"{kind}: {name}, p95", p95, "ms"),
        ]
    return found


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=NAME, description=(__doc__ or "").partition(":")[0])
    usual = Scale()
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each load (60)")
    parser.add_argument(
        "--per-s", type=float, default=READERS_PER_S, help="questions a second (20)"
    )
    parser.add_argument("--directory", type=Path, help="of the filled databases (~/.cache/…)")
    parser.add_argument("--spans", type=int, default=usual.spans)
    parser.add_argument("--points", type=int, default=usual.points)
    parser.add_argument("--runs", type=int, default=usual.runs)
    parser.add_argument("--days", type=int, default=usual.days)
    return parser.parse_args(argv)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
