"""Questions about anomalies touch a bounded part of the store, whatever has piled up in it.

What is compared is pages read, as in `test_plans`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from crucible_collector.store.connect import READ, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Partitions
from crucible_collector.store.read import compose
from databases import TestServer
from stored import at

DAYS, A_DAY = 10, 3000
# Of 30,000 flags ten each make a period, of which one in a hundred is not over. A run has fifteen of
# them, an experiment three hundred.
FILL = """
insert into crucible.experiments (experiment_id, first_seen, last_seen)
    select 'experiment-' || n, %(start)s, %(start)s from generate_series(0, 9) n;
insert into crucible.runs (run_id, experiment_id, first_seen, last_seen)
    select 'run-' || n, 'experiment-' || n %% 10, %(start)s, %(start)s from generate_series(0, 199) n;
insert into crucible.anomaly_periods (period_id, watch_key, series_id, started_at, ended_at,
        last_flag_at, state_at, flag_count, peak_score, metric, detector, severity, state, run_id,
        experiment_id)
    select md5(n::text)::uuid, n, n %% 1000, %(start)s::timestamptz + n * interval '1 day' / %(a_day)s * 10,
        case when n %% 100 <> 0 then %(start)s::timestamptz + (n + 1) * interval '1 day' / %(a_day)s * 10 end,
        %(start)s, %(start)s, 10, 2, 'loss', 'ewma',
        (array['info', 'warning', 'critical'])[1 + n %% 3],
        case when n %% 100 <> 0 then 'resolved' else 'active' end,
        'run-' || n %% 200, 'experiment-' || n %% 10
    from generate_series(0, %(days)s * %(a_day)s / 10 - 1) n;
insert into crucible.anomalies (time, score, period_id, series_id, metric, detector, severity, run_id,
        experiment_id)
    select %(start)s::timestamptz + n * interval '1 day' / %(a_day)s, 2, md5((n / 10)::text)::uuid,
        n / 10 %% 1000, 'loss', 'ewma', 'info', 'run-' || n / 10 %% 200, 'experiment-' || n / 10 %% 10
    from generate_series(0, %(days)s * %(a_day)s - 1) n;
insert into crucible.anomaly_feed (period_id, kind, body)
    select md5((n / 10)::text)::uuid, 'continued', jsonb_build_object('text', repeat('a body', 100))
    from generate_series(0, %(days)s * %(a_day)s - 1) n;
"""
PERIOD = uuid.UUID("c4ca4238a0b923820dcc509a6f75849b")  # md5('1')
# Every parameter of any question here: what a case does not give is null.
NAMES = """
    run experiment condition event metric model detector series severities from_time to_time
    period state status last_time last_period last_seen last_id kind parent prefix within from to
"""


@dataclass
class Plans:
    """A filled store and what answering touches in it."""

    conn: psycopg.Connection[Any]

    def touched(self, question: str, parameters: dict[str, object]) -> int:
        asked: dict[str, Any] = dict.fromkeys(NAMES.split())
        asked |= {"skip": 0, "limit": 101, "last_rest": 0, "label": "", "is_open": False}
        text, bound = compose(question, asked | parameters)
        statement = f"explain (analyze, buffers, format json) {text}".encode()
        row = self.conn.execute(statement, bound).fetchone()
        assert row is not None
        plan = row[0][0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.fixture(scope="module")
def plans(module_server: TestServer) -> Iterator[Plans]:
    log = logging.getLogger("tests.plans")
    with module_server.database() as dsn:
        capabilities = migrate(dsn, log)
        with psycopg.connect(dsn, autocommit=True) as conn:
            days = [at(day * 86_400).date() for day in range(-1, DAYS + 1)]
            assert Partitions(capabilities, log).ensure(conn, "anomalies", days)
            filled = {"start": at(0), "days": DAYS, "a_day": A_DAY}
            psycopg.ClientCursor(conn).execute(FILL, filled)
            conn.execute("vacuum analyze")
        with connect(dsn, READ) as reading:
            yield Plans(reading)


RUN: dict[str, object] = {"run": "run-7"}
EXPERIMENT: dict[str, object] = {"experiment": "experiment-7"}
WORSE = ["critical"]
AFTER: dict[str, object] = {"last_time": at(5 * 86_400), "last_period": PERIOD}
DAY: dict[str, object] = {"from_time": at(86_400), "to_time": at(2 * 86_400)}

# Pages of the database that the first page of an answer may touch: one a row, at worst. Most take half.
TOUCHED_MAX = 100
HOT: list[tuple[str, dict[str, object]]] = [
    ("anomalies", {}),
    ("anomalies", AFTER),
    ("anomalies", DAY),
    ("anomalies", RUN),
    ("anomalies", {**RUN, **AFTER}),
    ("anomalies", EXPERIMENT),
    ("anomalies", {"series": 7}),
    ("anomalies", {"period": PERIOD}),
    ("anomalies_of_period", {"period": PERIOD}),
    ("anomaly_periods", {}),
    ("anomaly_periods", AFTER),
    ("anomaly_periods", RUN),
    ("anomaly_periods", EXPERIMENT),
    ("anomaly_periods", {"state": "active"}),
    ("anomaly_periods", {"is_open": True}),
    ("anomaly_periods", {"severities": WORSE}),
    ("anomaly_period", {"period": PERIOD}),
    ("anomaly_periods_beside", {"period": PERIOD, "before": timedelta(minutes=10)}),
    ("anomaly_feed", {"after": DAYS * A_DAY - 100}),
    ("anomaly_feed", {"after": 100}),
    ("anomaly_feed_extent", {}),
    ("run_health", {**RUN, "limit": 100}),
    ("run", RUN),
    ("runs", {"limit": 21}),
    ("runs", {**EXPERIMENT, "limit": 21}),
    ("experiment_health", {**EXPERIMENT, "limit": 100}),
]


@pytest.mark.parametrize(
    ("question", "parameters"),
    HOT,
    ids=[f"{question}-{'-'.join(parameters)}" for question, parameters in HOT],
)
def test_a_hot_question_touches_little(
    plans: Plans, question: str, parameters: dict[str, object]
) -> None:
    assert plans.touched(question, parameters) <= TOUCHED_MAX


def test_the_measure_tells_a_scan_of_everything(plans: Plans) -> None:
    assert plans.touched("anomalies", {"condition": "no index"}) > 5 * TOUCHED_MAX
