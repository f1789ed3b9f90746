"""`make nab CORPUS=DIR OUT=DIR`: how well detectors find what people marked, by the Numenta Anomaly Benchmark.

A corpus is a directory with windows.json ({file: [[start, end], ...]}, times) and data/<file> (CSV: timestamp,
value). Every file is sent as one series of a metric that nobody knows through the engine, window by window, in
order; the larger score of its detectors goes to OUT/<file> (the rows of the file, and their scores). The rules
of the scoring are published (Lavin and Ahmad 2015, arXiv 1510.03336; NAB 1.1): one threshold for the whole
corpus, the best there is; a window counts by its earliest flag, flags outside by how far behind one they are;
the first 15 % of a file, at most 750 rows, are not scored. 0 is what finding nothing scores, 100 is perfect.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a file

import numpy as np

from collector.detect.numbers import observations
from crucible_collector.batch import F64, I64
from crucible_collector.detect.engine import Engine
from crucible_collector.detect.observations import Source, Subject
from crucible_collector.detect.settings import Detection
from crucible_collector.kernels import cache_directory

WINDOW_ROWS = 1000
METRIC = "benchmark.value"
SCORE_MAX = 1e6  # of a value that is not finite

_PROBATION_SHARE, _PROBATION_ROWS_MAX = 0.15, 750


@dataclass(frozen=True, slots=True)
class Profile:
    """What a missed window costs, and a false flag."""

    miss: float
    false_flag: float


PROFILES = {
    "standard": Profile(1.0, 0.11),
    "low_fp": Profile(1.0, 0.22),
    "low_fn": Profile(2.0, 0.11),
}


@dataclass(frozen=True, slots=True)
class File:
    """One series; windows are rows, both ends included."""

    timestamps: list[str]
    time_ns: I64
    value: F64
    windows: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Result:
    """The score of a profile, and the threshold that it was reached with."""

    score: float
    threshold: float


def load(corpus: Path) -> dict[str, File]:
    """Every file that windows.json names."""
    marked = json.loads((corpus / "windows.json").read_text())
    return {
        name: _file(corpus / "data" / name, windows) for name, windows in sorted(marked.items())
    }


def _file(path: Path, windows: Sequence[tuple[str, str]]) -> File:
    with path.open(newline="") as handle:
        rows = list(csv.reader(handle))[1:]
    times = [_time_ns(row[0]) for row in rows]
    first = {time: row for row, time in reversed(list(enumerate(times)))}
    return File(
        [row[0] for row in rows],
        np.array(times),
        np.array([float(row[1]) for row in rows]),
        [(first[_time_ns(begin)], first[_time_ns(end)]) for begin, end in windows],
    )


def _time_ns(text: str) -> int:
    """Whole seconds: the windows' times have six decimals, the rows' none."""
    time = dt.datetime.fromisoformat(text.partition(".")[0]).replace(tzinfo=dt.UTC)
    return int(time.timestamp()) * 1_000_000_000


def score_with(file: File, detectors: Sequence[str] = ()) -> F64:
    """The score of each row, 0 where there is none; without names by the defaults."""
    rule = {"metrics": [METRIC]} | ({"detectors": list(detectors)} if detectors else {})
    engine = Engine(Detection.parse({"rules": [rule]}))
    found = np.zeros(len(file.value))
    for begin in range(0, len(found), WINDOW_ROWS):
        rows = slice(begin, begin + WINDOW_ROWS)
        window = observations(
            file.value[rows], Subject(Source.METRIC, "", METRIC), with_steps=False
        )
        window.time_ns[:] = file.time_ns[rows]
        # What `Engine.look` tells of a value that is not above 1 is nothing: the threshold is swept here.
        for looked in engine.told(window):
            scores = np.nan_to_num(looked.scored.score, posinf=SCORE_MAX)
            np.maximum.at(found, begin + looked.rows, scores)
    return found


def results(files: Mapping[str, File], scores: Mapping[str, F64]) -> dict[str, Result]:
    """The best of any threshold, by profile."""
    rows = [row for name, file in files.items() for row in _weighed(name, file, scores[name])]
    rows.sort(key=lambda row: -row[0])
    return {name: _best(rows, profile) for name, profile in PROFILES.items()}


_Row = tuple[float, float, tuple[str, int] | None]  # score, worth of a flag, its window


def _weighed(name: str, file: File, scores: F64) -> Iterator[_Row]:
    """What flagging each row that is scored is worth: within a window, or behind one."""
    count = len(file.value)
    behind: tuple[int, int] | None = None
    windows = list(enumerate(file.windows))
    for row in range(count):
        while windows and row > windows[0][1][1]:
            behind = windows.pop(0)[1]
        if row < min(math.floor(_PROBATION_SHARE * count), _PROBATION_ROWS_MAX):
            continue
        if windows and row >= windows[0][1][0]:
            number, (begin, end) = windows[0]
            worth = _worth((row - end - 1) / (end - begin + 1)) / _worth(-1.0)
            yield float(scores[row]), worth, (name, number)
        elif behind is None:
            yield float(scores[row]), -1.0, None
        else:
            begin, end = behind
            yield float(scores[row]), _worth((row - end) / (end - begin)), None


def _worth(position: float) -> float:
    """By where a flag is: -1 at the begin of a window, 0 at its end, 1 a window's length behind."""
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0 if position <= 3.0 else -1.0


def _best(rows: Sequence[_Row], profile: Profile) -> Result:
    """`rows`: by falling score. Rows of one score are flagged together."""
    hits = {window: -profile.miss for _, _, window in rows if window is not None}
    nothing = now = best = -profile.miss * len(hits)
    threshold = math.inf
    for at, (score, worth, window) in enumerate(rows):
        if window is None:
            now += profile.false_flag * worth
        elif worth > hits[window]:
            now += worth - hits[window]
            hits[window] = worth
        is_last = at + 1 == len(rows) or rows[at + 1][0] < score
        if is_last and now > best:
            best, threshold = now, score
    return Result(100.0 * (best - nothing) / (len(hits) - nothing), threshold)


def write(file: File, scores: F64, path: Path) -> None:
    """One row a row of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as handle:
        to = csv.writer(handle)
        to.writerow(["timestamp", "value", "anomaly_score"])
        rows = zip(file.timestamps, file.value.tolist(), scores.tolist(), strict=True)
        to.writerows((time, repr(value), repr(score)) for time, value, score in rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the scores of the defaults for each file, and print what they are worth."""
    made = argparse.ArgumentParser(prog="nab", description=(__doc__ or "").partition(":")[2])
    made.add_argument("corpus", type=Path, help="with windows.json and data/")
    made.add_argument("out", type=Path, help="where the scores go")
    arguments = made.parse_args(argv)
    if not (arguments.corpus / "windows.json").is_file():
        sys.exit(f"nab: there is no windows.json in {arguments.corpus}")
    cache_directory()
    files = load(arguments.corpus)
    scores = {name: score_with(file) for name, file in files.items()}
    for name, file in files.items():
        write(file, scores[name], arguments.out / name)
    for name, result in results(files, scores).items():
        print(f"{name:9s} {result.score:5.1f}   threshold {result.threshold:g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
