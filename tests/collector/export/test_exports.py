"""Exports over REST: a job, its files, and downloads that go on where they ended."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import psycopg
import pyarrow.parquet as pq
import pytest

from crucible_collector.api import api_server, create_app
from crucible_collector.api.exports import ExportRequest
from crucible_collector.errors import ExportError
from crucible_collector.export import exports as module
from crucible_collector.export.exports import Exports
from crucible_collector.jobs import Jobs, Report, Undo, Work
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from stored import Health

WAIT_S = 20
BYTES_MAX = 10_000_000


@dataclass
class Served:
    """A collector's exports behind its API."""

    client: httpx.Client
    exports: Exports
    directory: Path

    def ask(self, **asked: Any) -> httpx.Response:
        return self.client.post("/exports", json=asked)

    def done(self, **asked: Any) -> dict[str, Any]:
        """An export when it is at its end."""
        response = self.ask(**asked)
        assert response.status_code == 202, response.text
        path, deadline = f"/exports/{response.json()['data']['job_id']}", time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.client.get(path).json()["data"]
            if found["state"] != "running":
                return found
            threading.Event().wait(0.02)
        raise AssertionError("the export does not end")


@pytest.fixture
def served(filled_plain: str, tmp_path: Path) -> Iterator[Served]:
    jobs, directory = Jobs(lambda: filled_plain, "here"), tmp_path / "exports"
    exports = Exports(
        lambda: filled_plain, jobs, "here", directory, bytes_max=BYTES_MAX, keep_s=3600
    )
    with reader_pool(filled_plain) as pool:
        server = api_server(create_app(Reader(pool), Health(), exporting=exports), stop_grace_s=1)
        host, port = server.start("127.0.0.1", 0)
        exports.begin()
        with httpx.Client(base_url=f"http://{host}:{port}/api/v1", timeout=30) as client:
            yield Served(client, exports, directory)
        server.stop()
        jobs.stop()
        exports.stop()


def test_an_export_is_made_listed_downloaded_and_removed(served: Served, tmp_path: Path) -> None:
    found = served.done(of="points", run="run-1", anonymise={"hash": ["run_id"], "key": "x" * 20})
    assert (found["state"], found["progress"], found["collector"]) == ("completed", 1.0, "here")
    assert found["request"] == {
        "of": "points",
        "format": "parquet",
        "run": "run-1",
        "anonymise": {"hash": ["run_id"]},
    }
    (file,) = found["report"]["files"]
    assert (file["name"], file["row_count"]) == ("points.parquet", 4)
    path = f"/exports/{found['job_id']}/files/points.parquet"
    answer = served.client.get(path)
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert answer.headers["content-disposition"] == 'attachment; filename="points.parquet"'
    assert len(answer.content) == file["byte_count"]
    (tmp_path / "p.parquet").write_bytes(answer.content)
    assert pq.read_metadata(tmp_path / "p.parquet").num_rows == 4
    listed = served.client.get("/exports").json()["data"]
    assert [each["job_id"] for each in listed] == [found["job_id"]]
    assert served.client.delete(f"/exports/{found['job_id']}").status_code == 200
    assert served.client.get(path).status_code == 404
    assert not list(served.directory.iterdir())


def test_a_download_goes_on_where_it_ended_unless_the_file_is_another(served: Served) -> None:
    path = f"/exports/{served.done(of='events', format='csv')['job_id']}/files/events.csv"
    whole = served.client.get(path)
    half = {"Range": "bytes=100-", "If-Range": whole.headers["etag"]}
    rest = served.client.get(path, headers=half)
    assert (rest.status_code, rest.content) == (206, whole.content[100:])
    assert (
        rest.headers["content-range"] == f"bytes 100-{len(whole.content) - 1}/{len(whole.content)}"
    )
    other = served.client.get(path, headers={**half, "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)
    beyond = served.client.get(path, headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416


def test_files_of_partitions_are_named_as_the_report_names_them(served: Served) -> None:
    found = served.done(of="events", partition=True)
    assert found["report"]["file_count"] == 3
    for file in found["report"]["files"]:
        name = file["name"].replace("%", "%25")
        answer = served.client.get(f"/exports/{found['job_id']}/files/{name}")
        assert (answer.status_code, len(answer.content)) == (200, file["byte_count"])


@pytest.mark.parametrize("name", ["../../x", "%2e%2e/x", "nope.csv", "a//b", "%00", "x" * 5000])
def test_no_other_file_is_given(served: Served, tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_text("secret")
    export_id = served.done(of="runs")["job_id"]
    answer = served.client.get(f"/exports/{export_id}/files/{name}")
    assert answer.status_code in {404, 422}
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"of": "events", "severity": "warn"}, "severity: events cannot be chosen by that"),
        ({"of": "events", "frmat": "csv"}, "frmat: there is no such key"),
        ({}, "of: field required"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_before_anything_is_begun(
    served: Served, asked: dict[str, Any], message: str
) -> None:
    answer = served.ask(**asked)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith(message)
    assert served.client.get("/exports").json()["data"] == []


def test_an_export_that_fails_says_why_and_leaves_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there is no 'nope'" in served.done(of="events", fields=["nope"])["error"]
    monkeypatch.setattr(served.exports, "_bytes_max", 20)
    found = served.done(of="events")
    assert (found["state"], "more than the 20 bytes" in found["error"]) == ("failed", True)
    assert not list(served.directory.iterdir())
    (served.directory / "full").write_bytes(bytes(21))
    assert "exports_bytes_max" in served.done(of="events")["error"]


def test_files_of_another_collector_are_said_to_be_there(served: Served, filled_plain: str) -> None:
    export_id = served.done(of="runs", format="csv")["job_id"]
    with psycopg.connect(filled_plain, autocommit=True) as conn:
        conn.execute(
            "update crucible.jobs set collector = 'far:away', job_id = %s", [uuid.UUID(int=5)]
        )
    path = f"/exports/{uuid.UUID(int=5)}"
    for answer in (served.client.get(f"{path}/files/runs.csv"), served.client.delete(path)):
        assert answer.status_code == 409
        assert "with the collector far:away" in answer.json()["error"]["message"]
    assert served.client.get(f"/exports/{export_id}").status_code == 404


@pytest.mark.parametrize("collector", ["here", "far:away"])
def test_an_export_that_is_removed_just_before_it_ends_leaves_no_files(
    served: Served, filled_plain: str, monkeypatch: pytest.MonkeyPatch, collector: str
) -> None:
    """Whichever collector is asked: the files are whole and have their name, the job's end is not told yet."""
    keep, stopped, told = served.exports._keep, threading.Event(), threading.Event()

    def kept(*arguments: Any) -> None:
        keep(*arguments)
        stopped.set()
        assert told.wait(WAIT_S)

    monkeypatch.setattr(served.exports, "_keep", kept)
    job = served.ask(of="runs").json()["data"]["job_id"]
    assert stopped.wait(WAIT_S)
    if collector == "here":
        assert served.client.delete(f"/exports/{job}").json()["data"]["state"] == "cancelled"
    else:
        Jobs(lambda: filled_plain, collector).cancel(uuid.UUID(job))
        assert list(served.directory.iterdir())
    told.set()
    for thread in [each for each in threading.enumerate() if each.name == "job-export"]:
        thread.join(WAIT_S)
    assert not list(served.directory.iterdir())
    assert served.client.get(f"/exports/{job}").json()["data"]["state"] == "cancelled"


def test_an_export_that_ends_elsewhere_while_it_is_removed_is_said_to_be_there(
    served: Served, filled_plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = served.done(of="runs")["job_id"]
    end = "update crucible.jobs set collector = 'far:away', state = %s where job_id = %s"
    cancel = served.exports.cancel
    with psycopg.connect(filled_plain, autocommit=True) as conn:
        conn.execute(end, ["running", job])

        def ends_first(job_id: uuid.UUID) -> None:
            conn.execute(end, ["completed", job])
            cancel(job_id)

        monkeypatch.setattr(served.exports, "cancel", ends_first)
        answer = served.client.delete(f"/exports/{job}")
    assert answer.status_code == 409
    assert "with the collector far:away" in answer.json()["error"]["message"]


def test_leftovers_go_at_a_start_and_what_is_too_old_with_time(
    filled_plain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SWEEP_S", 0.01)
    for name in ("killed.part", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.csv").touch()
    jobs = Jobs(lambda: filled_plain, "here")
    exports = Exports(lambda: filled_plain, jobs, "here", tmp_path, bytes_max=1, keep_s=0.05)
    exports.begin()
    deadline = time.monotonic() + WAIT_S
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    exports.stop()
    assert not list(tmp_path.iterdir())


class ByHand:
    """Takes work, and leaves it to the test to do it."""

    def __init__(self) -> None:
        self.works: list[Work] = []

    def start(self, _kind: str, _told: Any, work: Work, _asked_by: str, *, undo: Undo) -> uuid.UUID:
        del undo
        self.works.append(work)
        return uuid.uuid4()


def by_hand(dsn: str, directory: Path, bytes_max: int) -> tuple[Work, Work]:
    """Two exports of the same, which nobody works on yet."""
    jobs = ByHand()
    exports = Exports(
        lambda: dsn, cast("Jobs", jobs), "here", directory, bytes_max=bytes_max, keep_s=3600
    )
    for _ in range(2):
        exports.start(ExportRequest.model_validate({"of": "points"}), "")
    first, second = jobs.works
    return first, second


def test_exports_at_the_same_time_have_the_room_together_and_one_that_is_gone_has_none(
    filled_plain: str, tmp_path: Path
) -> None:
    first, _ = by_hand(filled_plain, tmp_path / "measured", BYTES_MAX)
    size = first(uuid.UUID(int=1), lambda *_: None)["byte_count"]
    first, second = by_hand(filled_plain, tmp_path / "kept", size + size // 2)
    refused: list[str] = []

    def meanwhile(share: float, report: Report | None = None) -> None:
        if share == 1.0:
            with pytest.raises(ExportError) as error:
                second(uuid.UUID(int=3), lambda *_: None)
            refused.append(str(error.value))

    first(uuid.UUID(int=2), meanwhile)
    assert refused == [f"the export is more than the {size // 2} bytes that there is room for"]
    (whole,) = (tmp_path / "kept").iterdir()
    whole.rename(tmp_path / "elsewhere")
    assert second(uuid.UUID(int=3), lambda *_: None)["byte_count"] == size


def test_an_export_is_kept_from_its_end_on_however_long_it_took(
    filled_plain: str, tmp_path: Path
) -> None:
    work, _ = by_hand(filled_plain, tmp_path, BYTES_MAX)

    def begun_long_ago(share: float, report: Report | None = None) -> None:
        if share == 1.0:
            os.utime(tmp_path / f"{uuid.UUID(int=1)}.part", (0, 0))

    began = time.time()
    work(uuid.UUID(int=1), begun_long_ago)
    assert (tmp_path / str(uuid.UUID(int=1))).stat().st_mtime >= began - 1
