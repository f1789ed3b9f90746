"""`make bench`: the numbers of the README's table, measured in one run with everything on one machine.

Machines are noisy, so a rate is compared with references measured just before and after it, in
rounds, and the medians of the rounds' ratios are what counts. Exit code 0 says that all was measured
and every span was found stored once; whether goals were met is in the table.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a file

import numpy as np

from benchmarks import peers, place, servers
from benchmarks.ingest import TIMED_SEED, WARM_SEED, Ingested, Load, ingest
from benchmarks.reference import Rows, frozen_table_per_s, own_tables_per_s, rows
from benchmarks.report import Figure, at_least, at_most, figure, table, write
from benchmarks.stages import stages
from benchmarks.steady import paced, soak
from benchmarks.workload import SPANS, TRACES, Workload
from databases import TestServer

PARTS = ("stages", "ingest", "paced", "soak", "peers")
RUN_COUNTS = (7, 1_000)
QUICK = 10  # times shorter
ASSUMED_SPANS_PER_S = 60_000  # for the room that the soak needs, before anything is measured
# Every run and series is known by then: what a run costs once is not what a span costs.
WARM_REQUESTS = -(-max(RUN_COUNTS) // TRACES)

OWN_RATIO = {"plain": at_least(0.6), "timescale": at_least(0.8)}
FROZEN_RATIO = at_least(0.3)
CPU_US = at_most(5)
RSS_MB = at_most(700)
RSS_SLOPE_MB_MIN = at_most(2)
ACKNOWLEDGE_P99_MS = at_most(50)
VISIBLE_P99_S = at_most(2)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    parts: frozenset[str]
    load: Load
    rounds: int
    paced_s: float
    soak_s: float
    quick: bool

    @property
    def spans_at_once(self) -> int:
        """The most that lie on the disk together."""
        ingested = (self.load.warm_requests + self.load.timed_requests) * SPANS * 2
        steady_s = max(self.soak_s * ("soak" in self.parts), self.paced_s * ("paced" in self.parts))
        return max(ingested, round(steady_s * ASSUMED_SPANS_PER_S))


@dataclass(slots=True)
class Rounds:
    """One figure of each round."""

    own_per_s: list[float] = field(default_factory=list)
    frozen_per_s: list[float] = field(default_factory=list)
    ours: list[Ingested] = field(default_factory=list)

    @property
    def median(self) -> Ingested:
        return Ingested(
            *(
                float(np.median([getattr(each, name) for each in self.ours]))
                for name in ("stored_per_s", "acknowledged_per_s", "collector_cpu_us")
            )
        )

    def ratio_to(self, reference_per_s: Sequence[float]) -> float:
        """Median over the rounds of ours to the mean of the references before and after."""
        around = [(before + after) / 2 for before, after in itertools.pairwise(reference_per_s)]
        ratios = [ours.stored_per_s / near for ours, near in zip(self.ours, around, strict=True)]
        return float(np.median(ratios))


def measure_rounds(server: TestServer, work: Path, workload: Workload, plan: Plan) -> Rounds:
    """References and ingest in turn: A B ours A B ours … A B."""
    warm_workload = Workload(workload.run_count, WARM_SEED, workload.start_ns)
    warm = rows(warm_workload, plan.load.warm_requests)
    timed = rows(workload, plan.load.timed_requests)
    found = Rounds()
    _references(server, warm, timed, found)
    for number in range(plan.rounds):
        servers.settle(server)
        found.ours.append(ingest(server, work / f"ingest-{number}", workload, plan.load))
        _say(f"{server.kind}, {workload.run_count} runs: {found.ours[-1]}")
        _references(server, warm, timed, found)
    return found


def _references(
    server: TestServer, warm: Sequence[Rows], timed: Sequence[Rows], found: Rounds
) -> None:
    for measure, rates in (
        (own_tables_per_s, found.own_per_s),
        (frozen_table_per_s, found.frozen_per_s),
    ):
        servers.settle(server)
        rates.append(measure(server, warm, timed))
    _say(f"{server.kind}: A {found.own_per_s[-1]:,.0f}, B {found.frozen_per_s[-1]:,.0f} spans/s")


def ingest_figures(server: TestServer, run_count: int, found: Rounds) -> list[Figure]:
    name, ours = f"{server.kind}, {run_count:,} runs", found.median
    own, frozen = found.own_per_s, found.frozen_per_s
    own_ratio, frozen_ratio = found.ratio_to(own), found.ratio_to(frozen)
    return [
        figure(f"{name}: durable ingest", ours.stored_per_s, "spans/s"),
        figure(f"{name}: acknowledged", ours.acknowledged_per_s, "spans/s"),
        figure(f"{name}: A, COPY of the same rows", float(np.median(own)), "spans/s"),
        figure(f"{name}: B, COPY into the frozen table", float(np.median(frozen)), "spans/s"),
        figure(f"{name}: ingest / A", own_ratio, "ratio", OWN_RATIO[server.kind]),
        figure(f"{name}: ingest / B", frozen_ratio, "ratio", FROZEN_RATIO),
        figure(f"{name}: collector CPU", ours.collector_cpu_us, "µs/span", CPU_US),
    ]


def paced_figures(server: TestServer, work: Path, spans_per_s: float, plan: Plan) -> list[Figure]:
    found = paced(server, work / "paced", spans_per_s, plan.paced_s)
    sent = found.sent
    return [
        figure("half rate: sent", found.rate_per_s, "spans/s"),
        figure("half rate: acknowledged, p50", sent.latency_p50_ms, "ms"),
        figure("half rate: acknowledged, p99", sent.latency_p99_ms, "ms", ACKNOWLEDGE_P99_MS),
        figure("half rate: visible after that, p50", found.visible_p50_s, "s"),
        figure("half rate: visible after that, p99", found.visible_p99_s, "s", VISIBLE_P99_S),
        figure("half rate: sampled for visibility", found.samples, "traces"),
    ]


def soak_figures(server: TestServer, work: Path, plan: Plan) -> list[Figure]:
    name = f"full rate for {plan.soak_s:g} s"
    found = soak(server, work / "soak", plan.soak_s)
    slope = "resident memory, slope after the first fifth"
    return [
        figure(f"{name}: stored", found.stored_per_s, "spans/s"),
        figure(f"{name}: resident memory, most", found.rss_max_mb, "MB", RSS_MB),
        figure(f"{name}: {slope}", found.rss_slope_mb_min, "MB/min", RSS_SLOPE_MB_MIN),
    ]


def measure(plan: Plan, work: Path) -> Iterator[Figure]:
    """Every figure of the plan, as it is found."""
    start_ns = time.time_ns()
    if "stages" in plan.parts:
        repeats = 5 if plan.quick else 50
        yield from stages(Workload(RUN_COUNTS[0], TIMED_SEED, start_ns), repeats)
    if plan.parts - {"stages"}:
        with servers.plain(work) as server:
            _say(server.source)
            yield from _on_plain(server, work, plan, start_ns)
    if "ingest" in plan.parts:
        with servers.timescale(work) as found:
            if found is None:
                _say("no TimescaleDB was found: nothing is measured on one")
                return
            _say(found.source)
            yield from _ingest(found, work, plan, start_ns, [])


def _on_plain(server: TestServer, work: Path, plan: Plan, start_ns: int) -> Iterator[Figure]:
    ours: list[Ingested] = []
    if "ingest" in plan.parts:
        yield from _ingest(server, work, plan, start_ns, ours)
    elif plan.parts & {"paced", "peers"}:
        workload = Workload(RUN_COUNTS[0], TIMED_SEED, start_ns)
        ours.append(ingest(server, work / "rate", workload, plan.load))
    if "paced" in plan.parts:
        yield from paced_figures(server, work, ours[0].stored_per_s / 2, plan)
    if "soak" in plan.parts:
        yield from soak_figures(server, work, plan)
    if "peers" in plan.parts:
        if peers.are_installed():
            yield from peers.measure(server, work, ours[0], quick=plan.quick)
        else:
            _say("rotel and MLflow are not installed: `make bench-peers` does that")


def _ingest(
    server: TestServer, work: Path, plan: Plan, start_ns: int, ours: list[Ingested]
) -> Iterator[Figure]:
    """Adds what was reached with each number of runs to `ours`."""
    for run_count in RUN_COUNTS:
        workload = Workload(run_count, TIMED_SEED, start_ns)
        found = measure_rounds(server, work, workload, plan)
        ours.append(found.median)
        yield from ingest_figures(server, run_count, found)


def _say(line: str) -> None:
    """How far it is; the table comes last."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The plan that the command line asks for."""
    parts = {"stages"} if arguments.stages else set(arguments.parts.split(","))
    if unknown := parts - set(PARTS):
        sys.exit(f"bench: no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    shorter = QUICK if arguments.quick else 1
    return Plan(
        frozenset(parts),
        Load(WARM_REQUESTS, max(1, arguments.requests // shorter)),
        1 if arguments.quick else arguments.rounds,
        arguments.paced_s / shorter,
        arguments.soak_s / shorter,
        arguments.quick,
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").partition(":")[0])
    made.add_argument("--parts", default=",".join(PARTS), help="which of %(default)s")
    made.add_argument("--stages", action="store_true", help="only the cost of each stage")
    made.add_argument("--quick", action="store_true", help="durations and loads a tenth")
    made.add_argument("--rounds", type=int, default=3, help="ingests, each between references")
    made.add_argument("--requests", type=int, default=1_024, help=f"an ingest, of {SPANS} spans")
    made.add_argument("--soak-s", type=float, default=300.0, help="seconds at full rate")
    made.add_argument("--paced-s", type=float, default=60.0, help="seconds at half rate")
    return made


def target(plan: Plan) -> str:
    """The name of the JSON: what is less than everything does not overwrite everything's."""
    parts = "" if plan.parts == set(PARTS) else "-" + "-".join(sorted(plan.parts))
    return f"bench{parts}{'-quick' if plan.quick else ''}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the JSON."""
    logging.basicConfig(level=logging.WARNING)
    plan = plan_of(parser().parse_args(argv))
    figures: list[Figure] = []
    with place.work_directory(plan.spans_at_once) as work:
        try:
            for each in measure(plan, work):
                figures.append(each)  # noqa: PERF402 - what was found stays when the next one fails
        finally:
            print(table(figures, place.title("make bench", quick=plan.quick)))
    print(write(figures, target(plan)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
