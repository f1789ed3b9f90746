"""The benchmark of detection: the published rules of scoring, and that it can fail."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import anomalies, anomalies_cost, nab
from crucible_collector.batch import F64

ROWS = 1000
WINDOW = (600, 699)


def corpus(directory: Path) -> Path:
    """One file with a spike at row 650 and a window around it."""
    value = np.random.default_rng(1).normal(50, 5, ROWS)
    value[650] = 500.0
    times = [
        f"2024-01-{1 + row // 288:02d} {row // 12 % 24:02d}:{row % 12 * 5:02d}:00"
        for row in range(ROWS)
    ]
    (directory / "data" / "kind").mkdir(parents=True)
    with (directory / "data" / "kind" / "one.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows([("timestamp", "value"), *zip(times, value, strict=True)])
    windows = {"kind/one.csv": [[f"{times[row]}.000000" for row in WINDOW]]}
    (directory / "windows.json").write_text(json.dumps(windows))
    return directory


def of_flags(directory: Path, *rows: int) -> dict[str, nab.Result]:
    scores: F64 = np.zeros(ROWS)
    scores[list(rows)] = 1.0
    return nab.results(nab.load(directory), {"kind/one.csv": scores})


def test_scores_are_those_of_the_published_rules(tmp_path: Path) -> None:
    directory = corpus(tmp_path)
    assert of_flags(directory)["standard"].score == 0
    assert of_flags(directory, 600)["standard"].score == pytest.approx(100)
    late = of_flags(directory, 690)["standard"].score
    assert 50 < late < 75
    with_false = of_flags(directory, 600, 300)
    assert with_false["standard"].score == pytest.approx(100 * (2 - 0.11) / 2)
    assert with_false["low_fp"].score == pytest.approx(100 * (2 - 0.22) / 2)
    assert with_false["low_fn"].score == pytest.approx(100 * (3 - 0.11) / 3)
    # A flag just behind its window costs little, one within the first 15 % nothing.
    assert of_flags(directory, 600, 701)["standard"].score > 99
    assert of_flags(directory, 600, 100)["standard"].score == pytest.approx(100)


def test_scores_of_a_corpus_are_written_and_find_the_spike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = corpus(tmp_path / "corpus")
    assert nab.main([str(directory), str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "kind" / "one.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    scores = [float(row["anomaly_score"]) for row in rows]
    assert len(scores) == ROWS
    assert int(np.argmax(scores)) == 650
    assert "standard" in capsys.readouterr().out


def test_a_corpus_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no windows\.json"):
        nab.main([str(tmp_path), str(tmp_path / "out")])


def test_every_kind_has_a_cost_and_a_size() -> None:
    costs = list(anomalies_cost.cost(quick=True))
    assert len(costs) == 2 * len(anomalies_cost.KINDS) * len(anomalies_cost.QUICK_SERIES)
    sizes = list(anomalies_cost.memory(quick=True))
    assert all(each.value > 0 for each in (*costs, *sizes))
    assert all(each.met for each in sizes if each.goal)


def test_parts_that_there_are_not_are_refused() -> None:
    assert anomalies.chosen("cost,nab") == {"cost", "nab"}
    with pytest.raises(SystemExit, match="no such part: speed"):
        anomalies.chosen("cost,speed")
    with pytest.raises(SystemExit, match="needs --corpus"):
        anomalies.main(["--parts", "nab"])


def test_less_than_everything_does_not_overwrite_everythings_figures() -> None:
    everything = frozenset(anomalies.PARTS)
    assert anomalies.target(everything, quick=False) == "anomalies"
    assert anomalies.target(frozenset({"cost"}), quick=True) == "anomalies-cost-quick"
