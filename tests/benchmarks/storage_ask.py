"""Ask a filled database the questions, over HTTP as a dashboard does, and time each answer.

Two times of one answer: of the whole request, and of what the database did for it. The second is what
raw rows are compared with, which are asked without HTTP around them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import httpx
import numpy as np
import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from benchmarks.storage_questions import Question, Request
from benchmarks.storage_story import Story
from crucible_collector.api.app import create_app
from crucible_collector.api.serve import api_server
from crucible_collector.store.connect import MAINTENANCE, connect, reader_pool
from crucible_collector.store.read import Reader
from stored import Health

WARM_COUNT = 3
TIMEOUT_S = 60.0
# Of percentiles; everything else that roll-ups say is the same but for the order of a sum.
TOLERANCE = 0.01
_RAW = Path(__file__).with_name("storage_raw")


@dataclass(frozen=True, slots=True)
class Statement:
    """What the API had the database execute."""

    text: str
    parameters: Any
    ms: float


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; times in milliseconds."""

    rows: list[dict[str, Any]]
    whole_ms: float
    statements: list[Statement]

    @property
    def database_ms(self) -> float:
        return sum(each.ms for each in self.statements)


@dataclass(frozen=True, slots=True)
class Times:
    """Of many answers to one question, in milliseconds."""

    p50: float
    p95: float
    max: float

    @classmethod
    def of(cls, found: Sequence[float]) -> Times:
        p50, p95, largest = np.percentile(found, (50, 95, 100), method="higher").tolist()
        return cls(p50, p95, largest)


@dataclass(frozen=True, slots=True)
class Beside:
    """One question to roll-ups and to raw rows: medians of the database's time, in milliseconds."""

    rolled_ms: float
    raw_ms: float
    ratio: float
    difference: float  # largest, relative


class _Heard:
    """A pool of connections that remembers what is executed on them, and how long each took."""

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool
        self.statements: list[Statement] = []

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[psycopg.Connection[Any]]:
        heard = self.statements

        class Heard(psycopg.Cursor[Any]):
            def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
                began_s = time.perf_counter()
                super().execute(query, params, **options)
                elapsed_ms = (time.perf_counter() - began_s) * 1e3
                heard.append(Statement(str(query), params, elapsed_ms))
                return self

            def stream(self, query: Any, params: Any = None, **options: Any) -> Iterator[Any]:
                began_s = time.perf_counter()
                rows = list(super().stream(query, params, **options))
                elapsed_ms = (time.perf_counter() - began_s) * 1e3
                heard.append(Statement(str(query), params, elapsed_ms))
                return iter(rows)

        with self._pool.connection(timeout) as conn:
            usual, conn.cursor_factory = conn.cursor_factory, Heard
            try:
                yield conn
            finally:
                conn.cursor_factory = usual  # the pool asks whether it is alive with the same


class Asker:
    """The API over one database; `asking` makes it."""

    def __init__(self, client: httpx.Client, heard: _Heard, dsn: str) -> None:
        self._client = client
        self._heard = heard
        self.dsn = dsn

    def ask(self, request: Request) -> Answer:
        """RuntimeError where the answer is none."""
        self._heard.statements = []
        began_s = time.perf_counter()
        response = self._client.get(request.url)
        whole_ms = (time.perf_counter() - began_s) * 1e3
        if response.status_code != httpx.codes.OK:
            raise RuntimeError(f"{request.url}: {response.status_code} {response.text[:300]}")
        return Answer(response.json()["data"], whole_ms, self._heard.statements)


@contextmanager
def asking(dsn: str) -> Iterator[Asker]:
    """Serve the API over a database until the block ends."""
    with reader_pool(dsn) as pool:
        heard = _Heard(pool)
        reader = Reader(cast("ConnectionPool[Any]", heard))
        server = api_server(create_app(reader, Health()), stop_grace_s=1)
        host, port = server.start("127.0.0.1", 0)
        try:
            with httpx.Client(base_url=f"http://{host}:{port}", timeout=TIMEOUT_S) as client:
                yield Asker(client, heard, dsn)
        finally:
            server.stop()


def answers(asker: Asker, question: Question, story: Story, count: int) -> list[Answer]:
    """Ask `count` times with other parameters each, after a warm-up with yet others."""
    requests = question.requests(story, WARM_COUNT + count)
    found = []
    for number, request in enumerate(requests):
        answer = asker.ask(request)
        if len(answer.rows) < question.rows_min:
            raise RuntimeError(f"{question.name}: {len(answer.rows)} rows from {request.url}")
        if number >= WARM_COUNT:
            found.append(answer)
    return found


def beside_raw(asker: Asker, question: Question, story: Story, count: int) -> Beside:
    """Ask roll-ups and raw rows the same; RuntimeError where they do not say the same."""
    text = (_RAW / f"{question.raw}.sql").read_text(encoding="utf-8")
    rolled_ms, raw_ms, differences = [], [], []
    with closing(connect(asker.dsn, MAINTENANCE)) as conn:
        for number, request in enumerate(question.requests(story, 1 + count)):
            answer = asker.ask(request)
            began_s = time.perf_counter()
            rows = _raw_rows(conn, text, request)
            elapsed_ms = (time.perf_counter() - began_s) * 1e3
            differences.append(difference(question, answer.rows, rows))
            if number:
                rolled_ms.append(answer.database_ms)
                raw_ms.append(elapsed_ms)
    ratio = float(np.median(np.array(raw_ms) / np.array(rolled_ms)))
    rolled, raw = float(np.median(rolled_ms)), float(np.median(raw_ms))
    return Beside(rolled, raw, ratio, max(differences))


def _raw_rows(conn: psycopg.Connection[Any], text: str, request: Request) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text.encode(), request.raw).fetchall()


def difference(
    question: Question, rolled: list[dict[str, Any]], raw: list[dict[str, Any]]
) -> float:
    """Return the largest relative difference; RuntimeError where it is more than TOLERANCE."""
    ours, theirs = _by_key(question, rolled), _by_key(question, raw)
    if ours.keys() != theirs.keys():
        apart = sorted(map(str, ours.keys() ^ theirs.keys()))[:5]
        raise RuntimeError(f"{question.name}: rows are not the same: {apart}")
    largest = 0.0
    for key, row in theirs.items():
        for name in row.keys() - set(question.key):
            value, other = row[name] or 0.0, ours[key][name] or 0.0
            apart_by = abs(value - other) / max(abs(value), abs(other), math.ulp(0))
            if apart_by > TOLERANCE:
                raise RuntimeError(f"{question.name}: {name} of {key} is {other}, not {value}")
            largest = max(largest, apart_by)
    return largest


def _by_key(
    question: Question, rows: list[dict[str, Any]]
) -> dict[tuple[str | None, ...], dict[str, Any]]:
    return {tuple(_plain(row[name]) for name in question.key): row for row in rows}


def _plain(value: Any) -> str | None:
    """A time to the second, whether it came as JSON or as a datetime."""
    if value is None or isinstance(value, str):
        is_time = value is not None and value[4:5] == "-" and value[10:11] == "T"
        return value[:19] if value is not None and is_time else value
    return str(value.isoformat())[:19]
