"""Rows put straight into the database, and the real API over them: for tests of what answers say.

Each `Stored` method writes one row; a test names the columns that matter to it and the rest have
values that are valid and dull. What a row adds to portable roll-ups is written with it, as windows do.
"""

from __future__ import annotations

import functools
import itertools
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import psycopg
import pyarrow as pa
from fastapi.routing import APIRoute
from psycopg import sql
from pydantic import TypeAdapter
from starlette.routing import Match

from crucible_collector.api import ComponentStatus, api_server, create_app
from crucible_collector.api.app import PREFIX, ROUTERS
from crucible_collector.enrich.partials import partials
from crucible_collector.store import rollups
from crucible_collector.store.connect import ingest_connection, reader_pool
from crucible_collector.store.copy import copy, encode
from crucible_collector.store.experiments import Experiments
from crucible_collector.store.read import Reader
from crucible_collector.store.states import change_state
from rolled import OF_SAMPLED

T = TypeVar("T")
T0 = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
RESOURCE, SCOPE = 11, 12
_TIME = pa.timestamp("us", "UTC")
# The columns that roll-ups look at.
_ROLLED_UP: dict[str, dict[str, pa.DataType]] = {
    "points": {"time": _TIME, "series_id": pa.int64(), "value": pa.float64()},
    "spans": {
        "time": _TIME,
        "status_code": pa.int16(),
        **dict.fromkeys(("experiment_id", "run_id", "event_name", "model"), pa.string()),
        **dict.fromkeys(("duration_ns", "input_tokens", "output_tokens"), pa.int64()),
        **dict.fromkeys(("sample_probability", "cost_usd"), pa.float64()),
        **{
            f"{what}_variance": pa.float64()
            for what in ("count", "duration", "input_token", "output_token", "cost", "latency")
        },
        **dict.fromkeys(OF_SAMPLED, pa.float64()),
    },
    "anomalies": {
        "time": _TIME,
        **dict.fromkeys(("experiment_id", "run_id", "metric", "severity", "label"), pa.string()),
        "score": pa.float64(),
        "starts_period": pa.bool_(),
    },
}
_DEFAULTS = {"status_code": 0, "sample_probability": 1.0, "starts_period": False, "label": ""}
_WATCHED = {"metric": "loss", "detector": "ewma", "severity": "warning"}
TRACE = uuid.UUID("5b8efff798038103d269b633813fc60c")


def at(seconds: float) -> datetime:
    """`seconds` after the start of every test's time."""
    return T0 + timedelta(seconds=seconds)


@dataclass
class Stored:
    """Writes rows; everything is committed at once."""

    conn: psycopg.Connection[Any]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1000))

    @functools.cached_property
    def _writes_parts(self) -> bool:
        return rollups.kind_of(self.conn) == "portable"

    def _add_parts(self, relation: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if not self._writes_parts or relation not in _ROLLED_UP:
            return
        columns = _ROLLED_UP[relation]
        batch = pa.RecordBatch.from_pydict(
            {
                name: pa.array([row.get(name, _DEFAULTS.get(name)) for row in rows], kind)
                for name, kind in columns.items()
            }
        )
        for part in partials(relation, batch):
            copy(self.conn, part.relation, part.batch.schema.names, encode(part.batch))

    def insert(self, relation: str, values: Mapping[str, Any]) -> None:
        names = sql.SQL(", ").join(map(sql.Identifier, values))
        places = sql.SQL(", ").join([sql.Placeholder()] * len(values))
        statement = sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier("crucible", relation), names, places
        )
        self.conn.execute(statement, [_adapted(value) for value in values.values()])
        self._add_parts(relation, [values])

    def experiment(self, experiment_id: str = "sweep", **values: Any) -> None:
        row = {"experiment_id": experiment_id, "first_seen": at(0), "last_seen": at(9)}
        self.insert("experiments", {**row, **values})

    def run(self, run_id: str = "run-1", **values: Any) -> None:
        row = {"run_id": run_id, "status": "running", "first_seen": at(0), "last_seen": at(9)}
        self.insert("runs", {**row, **values})

    def resource(self, resource_id: int = RESOURCE, **values: Any) -> None:
        row = {"resource_id": resource_id, "service_name": "trainer", "first_seen": at(0)}
        self.insert("resources", {**row, **values})

    def span(self, **values: Any) -> str:
        """Returns the span id as answers print it."""
        span_id: int = values.pop("span_id") if "span_id" in values else next(self._numbers)
        row = {
            "time": at(0),
            "duration_ns": 0,
            "trace_id": TRACE,
            "span_id": span_id,
            "name": "work",
            "event_name": values.get("name", "work"),
            "resource_id": RESOURCE,
            "scope_id": SCOPE,
        }
        self.insert("spans", {**row, **values})
        return f"{span_id & (1 << 64) - 1:016x}"

    def spans(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Many at once, each with the same columns; `name` is the event's, too."""
        whole = [
            {
                "span_id": next(self._numbers),
                "event_name": row["name"],
                "resource_id": RESOURCE,
                "scope_id": SCOPE,
                **row,
            }
            for row in rows
        ]
        names = list(whole[0])
        statement = sql.SQL("insert into crucible.spans ({}) values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join([sql.Placeholder()] * len(names)),
        )
        with self.conn.cursor() as cursor:
            cursor.executemany(
                statement, [[_adapted(row[name]) for name in names] for row in whole]
            )
        self._add_parts("spans", whole)

    def log(self, **values: Any) -> None:
        row = {"time": at(0), "resource_id": RESOURCE, "scope_id": SCOPE}
        self.insert("logs", {**row, **values})

    def series(self, series_id: int, metric: str = "loss", **values: Any) -> str:
        """Returns the series id as answers print it."""
        row = {
            "series_id": series_id,
            "metric": metric,
            "source": "event",
            "kind": "measurement",
            "first_seen": at(0),
            "last_seen": at(9),
        }
        self.insert("series", {**row, **values})
        return f"{series_id:016x}"

    def point(self, series_id: int, **values: Any) -> None:
        self.insert("points", {"series_id": series_id, "time": at(0), "value": 1.0, **values})

    def points(self, series_id: int, values: Sequence[float | None], *, start: int = 0) -> None:
        """One a second, steps counted from `start`."""
        with self.conn.cursor().copy(
            "copy crucible.points (series_id, time, step, value) from stdin"
        ) as copying:
            for step, value in enumerate(values, start):
                copying.write_row((series_id, at(step), step, value))
        rows = [
            {"series_id": series_id, "time": at(step), "value": value}
            for step, value in enumerate(values, start)
        ]
        self._add_parts("points", rows)

    def histogram(self, series_id: int, **values: Any) -> None:
        self.insert("histograms", {"series_id": series_id, "time": at(0), "count": 3, **values})

    def anomaly(self, period_id: uuid.UUID, **values: Any) -> None:
        """One value that was flagged."""
        row = {"time": at(0), "score": 2.0, "period_id": period_id, **_WATCHED}
        self.insert("anomalies", {**row, **values})

    def period(self, number: int = 1, **values: Any) -> uuid.UUID:
        """A period of anomalies, of a series of its own unless it is given one; returns its id."""
        period_id = uuid.UUID(int=number)
        row = {
            "period_id": period_id,
            "watch_key": number,
            **dict.fromkeys(("started_at", "last_flag_at", "state_at", "peak_at"), at(number)),
            "flag_count": 1,
            "peak_score": 2.0,
            "peak_value": 5.0,
            **_WATCHED,
        }
        self.insert("anomaly_periods", {**row, **values})
        return period_id

    def fed(self, kind: str = "opened", **body: Any) -> int:
        """An entry of the feed of anomalies, as a window adds it; returns its id."""
        row = self.conn.execute(
            "insert into crucible.anomaly_feed (period_id, kind, body) values (%s, %s, %s)"
            " returning feed_id",
            (uuid.UUID(int=1), kind, json.dumps({"severity": "warning", **body})),
        ).fetchone()
        assert row is not None
        return int(row[0])


def _adapted(value: Any) -> Any:
    is_json = isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict))
    return json.dumps(value) if is_json else value


@dataclass
class Health:
    """A `StatusSource` whose answers a test sets."""

    components: dict[str, ComponentStatus] = field(
        default_factory=lambda: {"database": ComponentStatus(is_ready=True, detail="18.6")}
    )
    text: bytes = b"crucible_requests_total 7.0\n"

    def health(self) -> dict[str, ComponentStatus]:
        return self.components

    def metrics_text(self) -> bytes:
        return self.text


@dataclass
class Api:
    """The API on a real socket. Whatever it answers is held against the model it is described by."""

    client: httpx.Client
    routes: list[APIRoute]
    health: Health

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        named = {name.rstrip("_"): value for name, value in parameters.items()}
        response = self.client.get(path, params=named)
        if response.is_success and path.startswith(PREFIX):
            self._hold_against_model(response)
        return response

    def ask(self, path: str, **parameters: Any) -> Any:
        """`data` of a successful answer."""
        response = self.get(f"{PREFIX}{path}", **parameters)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def pages(self, path: str, **parameters: Any) -> Iterator[list[Any]]:
        """`data` of each page, following the cursors."""
        cursor: dict[str, str] = {}
        while True:
            response = self.get(f"{PREFIX}{path}", **parameters, **cursor)
            assert response.status_code == 200, response.text
            answer = response.json()
            yield answer["data"]
            if not answer["meta"]["has_more"]:
                return
            cursor = {"cursor": answer["meta"]["next_cursor"]}

    def _hold_against_model(self, response: httpx.Response) -> None:
        path = response.request.url.raw_path.decode().partition("?")[0].removeprefix(PREFIX)
        scope = {"type": "http", "method": "GET", "path": path}
        route = next(each for each in self.routes if each.matches(scope)[0] == Match.FULL)
        _adapter(route.response_model).validate_json(response.content, strict=True)


class NoDatabase:
    """Reads for an API that asks it nothing."""

    def json_rows(self, question: str, /, **_parameters: object) -> list[str]:
        raise AssertionError(question)

    def array_rows(
        self, question: str, _made_of: Callable[[dict[str, Any]], T], /, **_parameters: object
    ) -> list[T]:
        raise AssertionError(question)


class Switched:
    """What the API reads from: a database a test, while the API itself stays."""

    def __init__(self) -> None:
        self.reads: Reader | None = None

    def json_rows(self, question: str, /, **parameters: object) -> list[str]:
        return self._reading().json_rows(question, **parameters)

    def array_rows(
        self, question: str, made_of: Callable[[dict[str, Any]], T], /, **parameters: object
    ) -> list[T]:
        return self._reading().array_rows(question, made_of, **parameters)

    def _reading(self) -> Reader:
        assert self.reads is not None, "asked between two tests"
        return self.reads


@dataclass
class Changing:
    """Who changes the state of periods of anomalies in the database of a test."""

    dsn: str = ""

    def change_period(self, period_id: uuid.UUID, state: str, by: str, reason: str) -> bool:
        with ingest_connection(self.dsn) as connection:
            return change_state(connection, period_id, state, by, reason)


class Served:
    """The API on a socket. Making its routes takes longer than most tests of it."""

    def __init__(self) -> None:
        self.reads, self.health, self.changes = Switched(), Health(), Changing()
        leads = Experiments(lambda: ingest_connection(self.changes.dsn))
        app = create_app(self.reads, self.health, changes=self.changes, leads=leads)
        self.server = api_server(app, stop_grace_s=1)
        host, port = self.server.start("127.0.0.1", 0)
        self.url = f"http://{host}:{port}"
        routes = [route for make in ROUTERS for route in make(self.reads).routes]
        self.routes = [each for each in routes if isinstance(each, APIRoute)]


_idle: list[Served] = []


def stop_serving() -> None:
    """Stop the servers that `serving` has kept."""
    while _idle:
        _idle.pop().server.stop()


@contextmanager
def serving(dsn: str) -> Iterator[Api]:
    """The API over a database, until the block ends."""
    served = _idle.pop() if _idle else Served()
    vars(served.health).update(vars(Health()))
    served.changes.dsn = dsn
    with reader_pool(dsn) as pool:
        served.reads.reads = Reader(pool)
        with httpx.Client(base_url=served.url, timeout=30) as client:
            yield Api(client, served.routes, served.health)
    _idle.append(served)


@functools.cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)
