"""Jobs go on by themselves, are told of everywhere, and end when somebody wants it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest

from crucible_collector import metrics
from crucible_collector.errors import DatabaseAwayError, ExportError, OverloadedError
from crucible_collector.jobs import Jobs, Progress, Report, runner
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from harness import eventually

WAIT_S = 20


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RENEW_S", 0.0)


@pytest.fixture
def jobs(plain_database: str) -> Iterator[Jobs]:
    made = Jobs(lambda: plain_database, "here:/data")
    yield made
    made.stop()


class Waiting:
    """Work that says how far it is until it is let go, or told to end."""

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()

    def __call__(self, _job_id: uuid.UUID, progress: Progress) -> Report:
        while not self.let_go.wait(0.005):
            progress(0.5, {"rows": 7})
            self.begun.set()
        return {"rows": 14}


def row(dsn: str, job_id: uuid.UUID) -> Mapping[str, Any]:
    with psycopg.connect(dsn) as conn:
        cursor = conn.cursor(row_factory=psycopg.rows.dict_row)
        found = cursor.execute("select * from crucible.jobs where job_id = %s", [job_id]).fetchone()
    assert found is not None
    return found


def ended(dsn: str, job_id: uuid.UUID) -> Mapping[str, Any]:
    found: Mapping[str, Any] = eventually(
        lambda: told if (told := row(dsn, job_id))["finished_at"] else None, "the end of a job"
    )
    return found


def test_a_job_is_told_of_while_it_runs_and_when_it_has_ended(
    jobs: Jobs, plain_database: str
) -> None:
    work = Waiting()
    job_id = jobs.start("export", {"of": "events"}, work, asked_by="ada")
    assert work.begun.wait(WAIT_S)
    running = row(plain_database, job_id)
    assert (running["state"], running["progress"], running["report"]) == (
        "running",
        0.5,
        {"rows": 7},
    )
    assert (running["collector"], running["asked_by"]) == ("here:/data", "ada")
    work.let_go.set()
    found = ended(plain_database, job_id)
    assert (found["state"], found["progress"], found["report"]) == ("completed", 1, {"rows": 14})


def test_a_job_is_cancelled_here_and_by_another_collector(jobs: Jobs, plain_database: str) -> None:
    elsewhere = Jobs(lambda: plain_database, "there:/data")
    for asked in (jobs, elsewhere):
        work = Waiting()
        job_id = jobs.start("archive", {}, work)
        assert work.begun.wait(WAIT_S)
        asked.cancel(job_id)
        thread_of = {each.name for each in threading.enumerate()}
        found = ended(plain_database, job_id)
        assert (found["state"], found["error"]) == ("cancelled", None)
        assert "job-archive" in thread_of
        eventually(
            lambda: "job-archive" not in {each.name for each in threading.enumerate()},
            "the end of its thread",
        )


def test_two_of_a_kind_run_at_a_time_and_others_beside_them(jobs: Jobs) -> None:
    works = [Waiting() for _ in range(3)]
    for work in works[:2]:
        jobs.start("export", {}, work)
    with pytest.raises(OverloadedError, match="2 jobs of the kind export are running"):
        jobs.start("export", {}, works[2])
    jobs.start("restore", {}, works[2])
    assert works[2].begun.wait(WAIT_S)
    works[0].let_go.set()
    again = Waiting()
    eventually(lambda: _starts(jobs, again), "room for a job")


def _starts(jobs: Jobs, work: Waiting) -> bool:
    try:
        jobs.start("export", {}, work)
    except OverloadedError:
        return False
    return True


def test_a_job_that_fails_says_why(jobs: Jobs, plain_database: str) -> None:
    def fail(job_id: uuid.UUID, progress: Progress) -> Report:
        raise ExportError("the disk is full")

    found = ended(plain_database, jobs.start("export", {}, fail))
    assert (found["state"], found["error"]) == ("failed", "the disk is full")


def test_an_uncaught_error_fails_the_job_alone_and_is_counted(
    jobs: Jobs, plain_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(job_id: uuid.UUID, progress: Progress) -> Report:
        raise ZeroDivisionError

    counter = metrics.UNCAUGHT_ERRORS.labels("job")
    before = counter._value.get()
    found = ended(plain_database, jobs.start("export", {}, break_down))
    assert (found["state"], "its log has it" in found["error"]) == ("failed", True)
    assert counter._value.get() == before + 1
    assert "uncaught error in a job" in caplog.text


def test_a_collector_that_stops_ends_its_jobs_and_takes_no_more(plain_database: str) -> None:
    jobs, work = Jobs(lambda: plain_database, "here"), Waiting()
    job_id = jobs.start("reprice", {}, work)
    assert work.begun.wait(WAIT_S)
    jobs.stop()
    found = row(plain_database, job_id)
    assert (found["state"], found["error"]) == (
        "cancelled",
        "the collector that ran it was stopped",
    )
    with pytest.raises(OverloadedError):
        jobs.start("reprice", {}, work)


def test_of_a_job_that_says_nothing_for_five_minutes_nobody_is_left(
    jobs: Jobs, plain_database: str
) -> None:
    job_id = jobs.start("export", {}, lambda _job, _progress: {})
    ended(plain_database, job_id)
    with psycopg.connect(plain_database, autocommit=True) as conn:
        conn.execute(
            "update crucible.jobs set state = 'running', finished_at = null,"
            " updated_at = now() - interval '5 minutes 1 second'"
        )
    with reader_pool(plain_database) as pool:
        (told,) = Reader(pool).json_rows("job", kind="export", job=job_id)
    assert '"state":"failed"' in told
    assert "the collector that ran it has gone" in told


def test_where_there_is_no_database_no_job_is_begun() -> None:
    jobs = Jobs(lambda: "host=127.0.0.1 port=1", "here")
    for _ in range(3):  # and none is counted as running
        with pytest.raises(DatabaseAwayError):
            jobs.start("export", {}, Waiting())


def test_the_newest_of_a_kind_are_kept(
    jobs: Jobs, plain_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crucible_collector.store.jobs.KEPT_MAX", 3)
    made = []
    for _ in range(5):
        made.append(jobs.start("export", {}, lambda _job, _progress: {}))
        ended(plain_database, made[-1])
    with psycopg.connect(plain_database) as conn:
        kept = {found for (found,) in conn.execute("select job_id from crucible.jobs")}
    assert kept == set(made[2:])
