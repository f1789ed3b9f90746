"""`make bench-anomalies`: what detection costs and holds, what it finds, and what it takes for anomalies.

`cost` and `memory` put numbers straight into the engine, as many live series as there may be; `nab` needs a
corpus (`--corpus DIR`, see nab.py); `trainings` lets things go wrong in real ones. Exit code 0 says that all
was measured; whether goals were met is in the table.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a file

from benchmarks import nab, place
from benchmarks.anomalies_cost import cost, memory
from benchmarks.anomalies_trainings import trainings
from benchmarks.report import Figure, at_least, figure, table, write
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.warm import warm_up
from crucible_collector.kernels import cache_directory

PARTS = ("cost", "memory", "nab", "trainings")
NAB_STANDARD = at_least(65)
# What each would be worth alone. The others are about what a corpus of levels has not: steps, courses.
SINGLE = ("rarity", "ewma", "zscore", "modified_z", "iqr", "proportion")


def measure(parts: frozenset[str], corpus: Path | None, *, quick: bool) -> Iterator[Figure]:
    """Every figure of the parts, as it is found."""
    cache_directory()
    warm_up()
    if "cost" in parts:
        yield from cost(quick=quick)
    if "memory" in parts:
        yield from memory(quick=quick)
    if "nab" in parts and corpus is not None:
        yield from of_corpus(corpus)
    if "trainings" in parts:
        yield from trainings(quick=quick)


def of_corpus(corpus: Path) -> Iterator[Figure]:
    """The defaults by every profile, and each detector alone."""
    files = nab.load(corpus)
    found = nab.results(files, {name: nab.score_with(file) for name, file in files.items()})
    for profile, result in found.items():
        goal = NAB_STANDARD if profile == "standard" else None
        yield figure(f"nab, defaults, {profile}", result.score, "of 100", goal)
    yield figure("nab, defaults, standard: threshold", found["standard"].threshold, "score")
    for name in SINGLE:
        assert name in DETECTORS
        scores = {path: nab.score_with(file, [name]) for path, file in files.items()}
        result = nab.results(files, scores)["standard"]
        yield figure(f"nab, {name} alone, standard", result.score, "of 100")


def _say(line: str) -> None:
    """How far it is; the table comes last."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def chosen(text: str) -> frozenset[str]:
    """The parts that a command line names."""
    parts = frozenset(text.split(","))
    if unknown := parts - set(PARTS):
        sys.exit(
            f"bench-anomalies: no such part: {', '.join(sorted(unknown))};"
            f" there are {', '.join(PARTS)}"
        )
    return parts


def target(parts: frozenset[str], *, quick: bool) -> str:
    """The name of the JSON: what is less than everything does not overwrite everything's."""
    part = "" if parts == set(PARTS) else "-" + "-".join(sorted(parts))
    return f"anomalies{part}{'-quick' if quick else ''}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    logging.basicConfig(level=logging.WARNING)
    made = argparse.ArgumentParser(
        prog="bench-anomalies", description=(__doc__ or "").partition(":")[0]
    )
    made.add_argument("--parts", default=",".join(PARTS), help="which of %(default)s")
    made.add_argument("--corpus", type=Path, help="for nab: a directory with windows.json")
    made.add_argument("--quick", action="store_true", help="loads a small part")
    arguments = made.parse_args(argv)
    parts, quick = chosen(arguments.parts), arguments.quick
    if "nab" in parts and arguments.corpus is None:
        if parts == {"nab"}:
            sys.exit("bench-anomalies: nab needs --corpus DIR")
        _say("no --corpus was named: nab is not measured")
        parts -= {"nab"}
    figures: list[Figure] = []
    try:
        for each in measure(parts, arguments.corpus, quick=quick):
            _say(f"{each.name}: {each.value:,.3f} {each.unit}")
            figures.append(each)
    finally:
        print(table(figures, place.title("make bench-anomalies", quick=quick)))
    print(write(figures, target(parts, quick=quick)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
