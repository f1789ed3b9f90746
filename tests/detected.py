"""What detectors find, made by hand: flags and the episodes that they are part of, and their way in.

Times are seconds after `T0`; what a test does not name is valid and dull.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from typing import Any

import psycopg

from crucible_collector.detect.detector import Severity
from crucible_collector.detect.found import Episode, Flag, Found, Watched
from crucible_collector.detect.plans import Plan
from crucible_collector.detect.webhooks import Webhook
from crucible_collector.store import rollups
from crucible_collector.store.anomalies import Kept, write_found

T0 = dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)
T0_NS = round(T0.timestamp()) * 1_000_000_000
TRACE = uuid.UUID("5b8efff798038103d269b633813fc60c")
PAGER = Webhook("pager", url="http://localhost/pager", severity_min=Severity.CRITICAL)
HAND = "by hand"  # no detector of ours: severities are just those of the flags
CHAT = Webhook("chat", url="http://localhost/chat")
_FLAG = Flag(
    time_ns=T0_NS,
    value=9.5,
    expected=0.5,
    lower=None,
    upper=1.5,
    score=2.0,
    severity=Severity.WARNING,
    step=None,
    trace_id=TRACE.bytes,
    span_id=-5,
    request=0,
    index=0,
)
_LOSS = Watched(
    key=77,
    series_id=None,
    metric="loss",
    event_name="crucible_train.batch.stop",
    experiment_id="sweep",
    run_id="run-1",
    condition="a",
    model="m",
)


def time_of(seconds: float) -> dt.datetime:
    return T0 + dt.timedelta(seconds=seconds)


def watched(key: int = 77, **values: Any) -> Watched:
    """The loss of a run."""
    return dataclasses.replace(_LOSS, key=key, **values)


def flag(seconds: float = 0, score: float = 2.0, **values: Any) -> Flag:
    time_ns = T0_NS + round(seconds * 1e9)
    return dataclasses.replace(_FLAG, time_ns=time_ns, score=score, **values)


def plan(*webhooks: Webhook, **values: Any) -> Plan:
    return Plan("trend", ("ewma",), webhooks=webhooks, **values)


def episode(
    *flags: Flag,
    of: Watched | None = None,
    ended: float | None = None,
    by: Plan | None = None,
    detector: str = HAND,
    **values: Any,
) -> Episode:
    """`ended`: when the series was back, seconds; `counts` are those of the flags if none are given."""
    requests = [each.request for each in flags]
    return Episode(
        watched() if of is None else of,
        detector,
        plan() if by is None else by,
        list(flags),
        values.pop("counts", {each: requests.count(each) for each in requests}),
        ended_ns=None if ended is None else T0_NS + round(ended * 1e9),
        **values,
    )


def write(conn: psycopg.Connection[Any], *episodes: Episode, **values: Any) -> Kept:
    """What a window's transaction does with them."""
    given: dict[str, Any] = {"duplicates": set(), "careful": False, **values}
    with conn.transaction():
        return write_found(
            conn,
            Found(list(episodes)),
            given.pop("duplicates"),
            writes_parts=rollups.kind_of(conn) == "portable",
            **given,
        )


def asked(conn: psycopg.Connection[Any], question: str) -> list[Any]:
    """The answer's rows; of a question with one column, its values."""
    rows = conn.execute(question.encode()).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]
