"""`make bench-sampling`: what sampling costs, how fast it lets spans in, and how true its answers stay.

Ingest runs real collectors and databases; the other parts put streams straight into the sampler, which is
where a change of it shows without a database's noise. Exit code 0 says that all was measured and every
span was found stored or counted; whether goals were met is in the table.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a file

from benchmarks import peers, place, sampling_ingest, servers
from benchmarks.report import Figure, table, write
from benchmarks.sampling_accuracy import accuracy
from benchmarks.sampling_cost import cost, memory
from benchmarks.workload import SPANS

PARTS = ("ingest", "accuracy", "cost", "memory")
QUICK_LOAD = sampling_ingest.Load(warm_requests=16, timed_requests=128)


def measure(parts: frozenset[str], work: Path, *, quick: bool) -> Iterator[Figure]:
    """Every figure of the parts, as it is found."""
    if "ingest" in parts:
        yield from ingest(work, QUICK_LOAD if quick else sampling_ingest.Load())
    if "accuracy" in parts:
        yield from accuracy(quick=quick)
    if "cost" in parts:
        yield from cost(quick=quick)
    if "memory" in parts:
        yield from memory(quick=quick)


def ingest(work: Path, load: sampling_ingest.Load) -> Iterator[Figure]:
    """On both kinds of server, and rotel beside."""
    with servers.plain(work) as server:
        yield from sampling_ingest.figures(server, work, load)
    with servers.timescale(work) as found:
        if found is None:
            _say("no TimescaleDB was found: nothing is measured on one")
        else:
            yield from sampling_ingest.figures(found, work, load)
    if peers.are_installed():
        yield from sampling_ingest.rotel(work, load)
    else:
        _say("rotel is not installed: `make bench-peers` does that")


def _say(line: str) -> None:
    """How far it is; the table comes last."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def chosen(text: str) -> frozenset[str]:
    """The parts that a command line names."""
    parts = frozenset(text.split(","))
    if unknown := parts - set(PARTS):
        sys.exit(
            f"bench-sampling: no such part: {', '.join(sorted(unknown))};"
            f" there are {', '.join(PARTS)}"
        )
    return parts


def target(parts: frozenset[str], *, quick: bool) -> str:
    """The name of the JSON: what is less than everything does not overwrite everything's."""
    part = "" if parts == set(PARTS) else "-" + "-".join(sorted(parts))
    return f"bench-sampling{part}{'-quick' if quick else ''}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    logging.basicConfig(level=logging.WARNING)
    made = argparse.ArgumentParser(
        prog="bench-sampling", description=(__doc__ or "").partition(":")[0]
    )
    made.add_argument("--parts", default=",".join(PARTS), help="which of %(default)s")
    made.add_argument("--quick", action="store_true", help="loads a small part")
    arguments = made.parse_args(argv)
    parts, quick = chosen(arguments.parts), arguments.quick
    load = QUICK_LOAD if quick else sampling_ingest.Load()
    figures: list[Figure] = []
    with place.work_directory((load.warm_requests + load.timed_requests) * SPANS) as work:
        try:
            for each in measure(parts, work, quick=quick):
                _say(f"{each.name}: {each.value:,.3f} {each.unit}")
                figures.append(each)
        finally:
            print(table(figures, place.title("make bench-sampling", quick=quick)))
    print(write(figures, target(parts, quick=quick)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
