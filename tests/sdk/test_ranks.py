"""Distributed runs: ranks of one job share a run where its launcher gave the job an id."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import ranks
from crucible_telemetry.testing import capture


@pytest.fixture(autouse=True)
def _a_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_trainings", itertools.count(1))


def launched(monkeypatch: pytest.MonkeyPatch, rank: int, job_id: str) -> None:
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", job_id)


def test_ranks_of_a_job_with_an_id_share_their_runs_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    for rank in range(2):
        launched(monkeypatch, rank, "job-7")
        monkeypatch.setattr(ranks, "_trainings", itertools.count(1))
        with capture() as captured:
            for _ in range(2):
                with crucible.training():
                    pass
        stops = captured.named("crucible_train.training.stop")
        seen.append([stop.attributes["crucible.run.id"] for stop in stops])
        assert {stop.attributes["crucible.rank"] for stop in stops} == {rank}
    assert seen == [["job-7", "job-7-2"]] * 2


def test_a_job_without_an_id_leaves_each_rank_its_own_run(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, 0, "none")
    with capture(), crucible.training() as training:
        assert training.run_id == "run-1"


def test_a_run_id_that_is_given_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    launched(monkeypatch, 0, "job-7")
    with capture(), crucible.training(run_id="mine") as training:
        assert training.run_id == "mine"


def test_an_id_alone_is_no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job-7")
    with capture(), crucible.training() as training:
        assert training.run_id == "run-1"


def test_two_processes_of_one_job_come_to_the_same_id() -> None:
    program = "import crucible_telemetry as c; print(c.training().run_id, c.training().run_id)"
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={
                **os.environ, "RANK": str(rank), "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "job-7",
            },
            check=True, capture_output=True, text=True,
        ).stdout
        for rank in range(2)
    ]  # fmt: skip
    assert told == ["job-7 job-7-2\n"] * 2
