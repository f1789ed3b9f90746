"""`make bench-storage`: how fast a filled database answers, from roll-ups and from raw rows, and how much
the columnstore saves.

The database, 20 million spans and 50 million points over 90 days, is filled once a kind of server and
kept outside the clone (`storage_keep`). Exit code 0 says that all was asked and that roll-ups and raw
rows said the same; whether goals were met is in the tables, which are Markdown for collector/README.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a file

from benchmarks import place, storage_keep
from benchmarks.report import DIRECTORY, Figure, at_least, at_most, figure, table, write
from benchmarks.storage_ask import Asker, Beside, Times, answers, asking, beside_raw
from benchmarks.storage_columnstore import (
    RAW_QUESTIONS,
    SETTINGS,
    Setting,
    Stored,
    Tried,
    setting_of,
    stored,
    try_settings,
)
from benchmarks.storage_keep import KINDS, Kept
from benchmarks.storage_questions import QUESTIONS
from benchmarks.storage_story import Scale
from crucible_collector.store.connect import MAINTENANCE, connect

ANSWER_MS = at_most(100)
ROLLUP_RATIO = at_least(50)
COMPRESSION = at_least(8)
CONVERTED = at_least(0.9)
NAME = "bench-storage"
_MB = 1e6


@dataclass(slots=True)
class Found:
    """All that was measured on one kind of server; times in milliseconds by question."""

    kept: Kept
    database_bytes: int = 0
    whole: dict[str, Times] = field(default_factory=dict)
    database: dict[str, Times] = field(default_factory=dict)
    beside: dict[str, Beside] = field(default_factory=dict)
    columnstore: list[Stored] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)


def measure(kept: Kept, repeats: int, raw_repeats: int, settings: Sequence[Setting]) -> Found:
    """Ask everything. RuntimeError where an answer is wrong."""
    found = Found(kept)
    with asking(kept.dsn) as asker:
        for question in QUESTIONS:
            given = answers(asker, question, kept.story, repeats)
            found.whole[question.name] = Times.of([each.whole_ms for each in given])
            found.database[question.name] = Times.of([each.database_ms for each in given])
            _say(f"{kept.kind}: {question.name}: {found.whole[question.name]}")
        for question in QUESTIONS:
            if question.raw:
                beside = beside_raw(asker, question, kept.story, raw_repeats)
                found.beside[question.name] = beside
                _say(f"{kept.kind}: {question.name}: {beside}")
        _measure_sizes(found, asker)
        if kept.kind == "timescale":
            for tried in try_settings(asker, kept.story, settings):
                found.tried.append(tried)
                _say(f"{tried}")
    return found


def _measure_sizes(found: Found, asker: Asker) -> None:
    with closing(connect(asker.dsn, MAINTENANCE)) as conn:
        row = conn.execute("select pg_database_size(current_database())").fetchone()
        found.database_bytes = int(row[0]) if row else 0
        if found.kept.kind == "timescale":
            found.columnstore = [stored(conn, "crucible", relation) for relation in RAW_QUESTIONS]


def figures(found: Found) -> list[Figure]:
    """Everything with a goal, and the sizes."""
    kind, made = found.kept.kind, []
    for name, times in found.whole.items():
        made.append(figure(f"{kind}: {name}, p95", times.p95, "ms", ANSWER_MS))
    for question in QUESTIONS:
        if beside := found.beside.get(question.name):
            goal = ROLLUP_RATIO if question.is_wide else None
            made.append(
                figure(f"{kind}: {question.name}, raw / roll-up", beside.ratio, "ratio", goal)
            )
    for each in found.columnstore:
        share = each.converted / each.chunks if each.chunks else 0.0
        made += [
            figure(
                f"{kind}: {each.relation}, rows / columnstore", each.ratio, "ratio", COMPRESSION
            ),
            figure(f"{kind}: {each.relation}, chunks in the columnstore", share, "", CONVERTED),
        ]
    made.append(figure(f"{kind}: database", found.database_bytes / _MB, "MB"))
    made.append(figure(f"{kind}: filling", found.kept.seconds["all"], "s"))
    return made


def questions_table(all_found: Sequence[Found]) -> str:
    """Milliseconds: p50, p95, largest, and p50 of the database's part."""
    heads = ["question"]
    for found in all_found:
        heads += [f"{found.kept.kind}: p50", "p95", "max", "database p50"]
    lines = []
    for question in QUESTIONS:
        cells = [question.name]
        for found in all_found:
            times = found.whole[question.name]
            within = found.database[question.name].p50
            cells += [f"{each:.1f}" for each in (times.p50, times.p95, times.max, within)]
        lines.append(cells)
    return _markdown(heads, lines)


def beside_table(all_found: Sequence[Found]) -> str:
    """Roll-ups beside raw rows, in milliseconds of the database."""
    heads = ["question", "server", "roll-up, ms", "raw rows, ms", "ratio", "largest difference"]
    lines = []
    for name in (question.name for question in QUESTIONS if question.raw):
        for found in all_found:
            beside = found.beside[name]
            figures = (f"{beside.rolled_ms:.1f}", f"{beside.raw_ms:,.0f}", f"{beside.ratio:,.0f}")
            lines.append([name, found.kept.kind, *figures, f"{beside.difference:.1g}"])
    return _markdown(heads, lines)


def columnstore_table(found: Found) -> str:
    """What is in the columnstore of the store itself."""
    heads = ["relation", "chunks", "rows, MB", "indexes, MB", "columns, MB", "indexes, MB", "ratio"]
    heads.append("ratio without indexes")
    return _markdown(
        heads,
        [
            [each.relation, f"{each.converted} of {each.chunks}", *_sizes(each)]
            for each in found.columnstore
        ],
    )


def settings_tables(found: Found) -> str:
    """What each setting did to one day's rows, a table a relation."""
    tables = []
    for relation, names in RAW_QUESTIONS.items():
        tried = [each for each in found.tried if each.stored.relation == relation]
        if not tried:
            continue
        heads = ["setting", "rows, MB", "indexes, MB", "columns, MB", "indexes, MB", "ratio"]
        heads += ["ratio without indexes", "converted in, s", *(f"{name}, ms" for name in names)]
        lines = [
            [
                each.setting,
                *_sizes(each.stored),
                f"{each.convert_s:.1f}",
                *(f"{each.ms[name]:.1f}" for name in names),
            ]
            for each in tried
        ]
        tables.append(f"{tried[0].rows:,} rows of {relation}\n\n{_markdown(heads, lines)}")
    return "\n\n".join(tables)


def _sizes(each: Stored) -> list[str]:
    if not each.converted:
        return [""] * 6
    bytes_ = (
        each.before_table_bytes,
        each.before_index_bytes,
        each.after_table_bytes,
        each.after_index_bytes,
    )
    return [
        *(f"{size / _MB:,.1f}" for size in bytes_),
        f"{each.ratio:.1f}",
        f"{each.table_ratio:.1f}",
    ]


def _markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---" if place == 0 else "---:" for place in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *lines))


def report(all_found: Sequence[Found], scale: Scale) -> str:
    """The tables."""
    what = f"{scale.spans:,} spans, {scale.points:,} points, {scale.runs:,} runs, {scale.days} days"
    parts = [
        table(
            [each for found in all_found for each in figures(found)], place.title(what, quick=False)
        ),
        questions_table(all_found),
        beside_table(all_found),
    ]
    for found in all_found:
        if found.columnstore:
            parts.append(columnstore_table(found))
        if found.tried:
            parts.append(settings_tables(found))
    return "\n\n".join(parts)


def write_all(all_found: Sequence[Found], directory: Path) -> Path:
    """Write the figures as other benchmarks do, and beside them everything that was measured."""
    made = [each for found in all_found for each in figures(found)]
    path = write(made, NAME, directory)
    whole: list[dict[str, Any]] = []
    for found in all_found:
        facts = {name: value for name, value in asdict(found).items() if name != "kept"}
        whole.append({"kind": found.kept.kind, "server": found.kept.version, **facts})
    path.with_name(f"{NAME}-all.json").write_text(json.dumps(whole, indent=2) + "\n")
    return path


def _say(line: str) -> None:
    """How far it is; the tables come last."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def settings_asked(text: str) -> Sequence[Setting]:
    """What --columnstore means."""
    if text == "none":
        return ()
    if text == "default":
        return SETTINGS
    try:
        return [setting_of(each) for each in text.split("|")]
    except ValueError as error:
        sys.exit(f"{NAME}: --columnstore {error}")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog=NAME, description=(__doc__ or "").partition(":")[0])
    made.add_argument("--kinds", default=",".join(KINDS), help="which of %(default)s")
    scale = Scale()
    for name in ("spans", "points", "runs", "days"):
        made.add_argument(f"--{name}", type=int, default=getattr(scale, name), help="%(default)s")
    made.add_argument("--directory", type=Path, help="instead of one in the user's cache")
    made.add_argument("--refill", action="store_true", help="throw away what was filled in before")
    made.add_argument("--fill-only", action="store_true", help="ask nothing")
    made.add_argument("--repeats", type=int, default=50, help="of each question (%(default)s)")
    made.add_argument("--raw-repeats", type=int, default=3, help="the same of raw rows")
    made.add_argument(
        "--columnstore",
        default="default",
        help="settings to compare on a day's rows: none, default, or 'spans: run_id; time desc; bloom(trace_id)|points: …'",
    )
    return made


def main(argv: Sequence[str] | None = None, output: Path = DIRECTORY) -> int:
    """Fill what is missing, ask, print the tables, write the JSON."""
    logging.basicConfig(level=logging.WARNING)
    arguments = parser().parse_args(argv)
    kinds = arguments.kinds.split(",")
    if unknown := set(kinds) - set(KINDS):
        sys.exit(
            f"{NAME}: no such kind: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}"
        )
    settings = settings_asked(arguments.columnstore)
    scale = Scale(arguments.spans, arguments.points, arguments.runs, arguments.days)
    directory = arguments.directory or storage_keep.default_directory(scale)
    all_found = []
    for kind in kinds:
        with storage_keep.kept(kind, scale, directory, _say, refill=arguments.refill) as kept:
            _say(f"{kind}: {kept.version}, {kept.spans:,} spans, {kept.points:,} points")
            if not arguments.fill_only:
                all_found.append(measure(kept, arguments.repeats, arguments.raw_repeats, settings))
    if all_found:
        print(report(all_found, scale))
        print(write_all(all_found, output))
    return 0


if __name__ == "__main__":
    sys.exit(main())
