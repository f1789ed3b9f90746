"""What the client sends again and what it does not, against answers that a test writes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from crucible_telemetry.client import ApiError, Client, line

REFUSED = {"error": {"code": "too_many", "message": "later", "details": {}}}


@dataclass
class Scripted:
    """Answers in turn: a status (then a JSON body), or None for a connection that is cut."""

    answers: list[tuple[int, object] | None]
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def scripted(*answers: tuple[int, object] | None) -> Iterator[Scripted]:
    script = Scripted(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            script.asked.append(f"{self.command} {self.path}")
            answer = script.answers.pop(0)
            if answer is None:
                self.close_connection = True
                return
            status, told = answer
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if status in (429, 503):
                self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - as the base class calls it

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


RUN = (200, {"data": {"run_id": "r"}})


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "_BROKEN_WAIT_S", 0.001)


def test_come_back_later_is_heeded() -> None:
    with scripted((503, REFUSED), (429, REFUSED), RUN) as script, Client(script.url) as client:
        assert client.run("r") == {"run_id": "r"}
        assert script.asked == ["GET /api/v1/runs/r"] * 3


def test_later_ends_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "PATIENCE_S", 0.0)
    with scripted((503, REFUSED)) as script, Client(script.url) as client:
        with pytest.raises(ApiError) as refused:
            client.run("r")
        assert (refused.value.status, refused.value.code) == (503, "too_many")


def test_a_question_is_asked_again_after_a_broken_connection() -> None:
    with scripted(None, None, RUN) as script, Client(script.url) as client:
        assert client.run("r") == {"run_id": "r"}


def test_what_begins_something_is_never_sent_twice(tmp_path: Path) -> None:
    with scripted(None) as script, Client(script.url) as client:
        with pytest.raises(ApiError) as broken:
            client.export("points", tmp_path / "x")
        assert (broken.value.code, broken.value.status) == ("unreachable", None)
        assert script.asked == ["POST /api/v1/exports"]


def test_an_export_that_fails_says_why(tmp_path: Path) -> None:
    job = {"job_id": "7", "state": "failed", "error": "the disk is full", "progress": 0.4}
    with (
        scripted((202, {"data": job}), (200, {"data": job})) as script,
        Client(script.url) as client,
    ):
        with pytest.raises(ApiError, match="the disk is full") as failed:
            client.export("points", tmp_path / "x")
        assert failed.value.code == "export_failed"


def test_a_file_that_would_lead_out_of_its_directory_is_refused(tmp_path: Path) -> None:
    files = [{"name": "../out.parquet", "byte_count": 1, "row_count": 1}]
    report = {"files": files, "file_count": 1}
    job = {"job_id": "7", "state": "completed", "report": report}
    with (
        scripted((202, {"data": job}), (200, {"data": job})) as script,
        Client(script.url) as client,
    ):
        with pytest.raises(ApiError, match="no name of a file"):
            client.export("points", tmp_path / "folder", partition=True)
        assert not list(tmp_path.rglob("*.parquet"))


def test_an_answer_that_no_collector_gave_is_told_as_one() -> None:
    with scripted((502, "bad gateway")) as script, Client(script.url) as client:
        with pytest.raises(ApiError, match="502") as strange:
            client.run("r")
        assert strange.value.code == "unexpected_answer"


def test_rows_too_large_for_one_answer_are_asked_for_in_smaller_pages() -> None:
    large = {"error": {"code": "answer_too_large", "message": "…", "details": {}}}
    with (
        scripted((422, large), (422, large), (404, REFUSED)) as script,
        Client(script.url) as client,
    ):
        with pytest.raises(ApiError):
            client.events()
        assert [each.rpartition("limit=")[2] for each in script.asked] == ["1000", "500", "250"]
