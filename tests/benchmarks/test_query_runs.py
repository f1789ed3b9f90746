"""The benchmark of questions itself: that it exports, asks everything beside ingest, and can fail."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import query
from benchmarks.query_questions import FURTHER, mixed
from benchmarks.query_readers import Read
from benchmarks.storage_questions import QUESTIONS
from benchmarks.storage_story import Scale, Story

SMALL = Scale(spans=16_000, points=40_000, runs=40, days=3)
STORY = Story(SMALL, dt.datetime(2026, 11, 20, tzinfo=dt.UTC))
ARGUMENTS = (
    *("--kinds", "plain", "--seconds", "4"),
    *("--spans", "16000", "--points", "40000", "--runs", "40", "--days", "3"),
)


def test_every_question_is_asked_equally_often_and_the_same_ones_each_time() -> None:
    kinds = len(QUESTIONS) + len(FURTHER)
    asked = mixed(STORY, 3 * kinds)
    assert set(Counter(each.name for each in asked).values()) == {3}
    assert len({each.name for each in asked}) == kinds
    assert asked == mixed(STORY, 3 * kinds)


def test_percentiles_are_of_all_answers_or_of_one_question() -> None:
    read = Read(1.0, 1.0, 1.0, {"fast": [1.0] * 99, "slow": [500.0]})
    assert (read.percentile(50), read.percentile(100)) == (1.0, 500.0)
    assert read.percentile(50, "slow") == 500.0


def test_it_exports_and_asks_beside_ingest(tmp_path: Path) -> None:
    where = ("--directory", str(tmp_path / "filled"))
    assert query.main([*ARGUMENTS, *where], output=tmp_path) == 0
    found = {each["name"]: each for each in json.loads((tmp_path / "bench-query.json").read_text())}
    assert found["plain: answers, p95"]["value"] > 0
    assert found["plain: the same beside readers / alone"]["value"] > 0.5
    assert any("points to Parquet" in name and "resident" in name for name in found)
    for each in FURTHER:
        assert f"plain: {each.name}, p95" in found


def test_it_says_which_part_there_is_not() -> None:
    with pytest.raises(SystemExit, match="no such part: exports"):
        query.main([*ARGUMENTS, "--parts", "exports"])
