"""Hot questions touch little of a store of many days, whichever kind of server holds it.

The measure is pages of the database touched (EXPLAIN's buffers), not time: it is the same on a
busy machine, and a scan of everything cannot hide in it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from crucible_collector.store.connect import READ, connect
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Partitions
from crucible_collector.store.pieces import cut
from crucible_collector.store.read import compose
from databases import TestServer
from stored import at

DAYS = 10
SPANS_A_DAY = 10_000
RUNS, EXPERIMENTS = 20, 4

# Every span belongs to a run; a trace has ten spans, one in a hundred spans is an error, one in fifty
# an epoch. A run measures one series, with two points a span, and 1 % of the spans have a log record.
FILL = """
insert into crucible.experiments (experiment_id, first_seen, last_seen)
    select 'experiment-' || n, %(start)s, %(start)s from generate_series(0, %(experiments)s - 1) n;
insert into crucible.runs (run_id, experiment_id, first_seen, last_seen)
    select 'run-' || n, 'experiment-' || n %% %(experiments)s, %(start)s, %(start)s
    from generate_series(0, %(runs)s - 1) n;
insert into crucible.series (series_id, metric, source, kind, run_id, first_seen, last_seen)
    select n, 'loss', 'event', 'measurement', 'run-' || n, %(start)s, %(start)s
    from generate_series(0, %(runs)s - 1) n;
insert into crucible.spans (time, duration_ns, span_id, trace_id, resource_id, scope_id, name,
        event_name, run_id, experiment_id, correlation_id, status_code, keep_reason, step, attributes)
    select %(start)s::timestamptz + n * interval '1 day' / %(a_day)s, 1000, n,
        md5((n / 10)::text)::uuid, 0, 0, 'crucible_train.batch',
        case when n %% 50 = 0 then 'crucible_train.epoch.stop' else 'crucible_train.batch.stop' end,
        'run-' || n %% %(runs)s, 'experiment-' || n %% %(runs)s %% %(experiments)s,
        'order-' || n / 100, case when n %% 100 = 0 then 2 else 0 end,
        case when n %% 400 = 0 then 'error' when n %% 200 = 0 then 'slow' end, n, '{"crucible.rank": 3}'
    from generate_series(0, %(days)s * %(a_day)s - 1) n;
insert into crucible.points (series_id, time, step, value)
    select n %% %(runs)s, %(start)s::timestamptz + n * interval '1 day' / (2 * %(a_day)s), n, random()
    from generate_series(0, 2 * %(days)s * %(a_day)s - 1) n;
insert into crucible.logs (time, resource_id, scope_id, severity_number, run_id, experiment_id,
        trace_id, body)
    select time, 0, 0, case when step %% 1000 = 0 then 17 else 9 end, run_id, experiment_id,
        trace_id, '"a line of a log"'
    from crucible.spans where step %% 10 = 0;
"""


@dataclass
class Plans:
    """A filled store and what answering touches in it."""

    conn: psycopg.Connection[Any]
    pages: int  # of spans, points and logs together

    def touched(self, question: str, parameters: dict[str, object]) -> int:
        """Pages read, from memory or not, to answer the first page."""
        asked: dict[str, Any] = dict.fromkeys(NAMES.split())
        asked |= {"skip": 0, "limit": 101, "last_rest": 0} | parameters
        # The API leaves out what its hints say: these are the questions without any.
        asked["periods"] = cut(asked["from_time"], asked["to_time"], ())
        text, bound = compose(question, asked)
        statement = f"explain (analyze, buffers, format json) {text}".encode()
        row = self.conn.execute(statement, bound).fetchone()
        assert row is not None
        plan = row[0][0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


# Every parameter of any question here: what a case does not give is null.
NAMES = """
    experiment run event status trace correlation correlation_trace from_time to_time last_time
    last_trace last_span severity metric rank from_step to_step last_series series reason reasons
    experiments runs conditions events models statuses kinds services correlations attributes_path columns_path
    attribute others scales width rows_max fractions last_key lines x buckets odd_buckets
    group_1 group_2 group_3 group_4 name_1 name_2 name_3 name_4 others_1 others_2 others_3 others_4
"""


@pytest.fixture(scope="module")
def plans(module_server: TestServer) -> Iterator[Plans]:
    log = logging.getLogger("tests.plans")
    with module_server.database() as dsn:
        capabilities = migrate(dsn, log)
        with psycopg.connect(dsn, autocommit=True) as conn:
            partitions = Partitions(capabilities, log)
            for relation in ("spans", "points", "logs"):
                days = [at(day * 86_400).date() for day in range(-1, DAYS + 1)]
                assert partitions.ensure(conn, relation, days)
            psycopg.ClientCursor(conn).execute(
                FILL,
                {
                    "start": at(0),
                    "days": DAYS,
                    "a_day": SPANS_A_DAY,
                    "runs": RUNS,
                    "experiments": EXPERIMENTS,
                },
            )
            conn.execute("vacuum analyze")  # which summarises the BRIN indexes, too
            row = conn.execute(
                "select sum(pg_relation_size(relid)) / 8192 from pg_stat_user_tables"
            ).fetchone()
        assert row is not None
        with connect(dsn, READ) as reading:
            yield Plans(reading, int(row[0]))


TRACE = "c4ca4238a0b923820dcc509a6f75849b"  # md5('1'): spans 10 to 19
LAST = {"last_time": at(5 * 86_400), "last_rest": 0, "last_trace": TRACE, "last_span": 0}

LAST_HOUR = {"from_time": at(9 * 86_400 + 82_800), "to_time": None}
RUN, EPOCH = ["run-7"], ["crucible_train.epoch.stop"]

# Each with the share of the store that its first page may touch.
HOT: list[tuple[str, dict[str, object], float]] = [
    ("events", {}, 0.02),
    ("events", LAST, 0.02),
    ("events", {"run": "run-7"}, 0.06),
    ("events", {"run": "run-7", **LAST}, 0.06),
    ("events", {"run": "run-7", "event": "crucible_train.epoch.stop"}, 0.15),
    ("events", {"event": "crucible_train.epoch.stop"}, 0.06),
    ("events", {"event": "crucible_train.batch.stop"}, 0.02),
    ("events", {"status": 2}, 0.06),
    ("events", {"reason": "error"}, 0.06),
    ("events", {"reasons": ["error", "slow"]}, 0.25),
    ("events", {"from_time": at(0), "to_time": at(86_400)}, 0.02),
    ("events_of_experiment", {"experiment": "experiment-1"}, 0.25),
    ("events_of_trace", {"trace": TRACE}, 0.1),
    ("events_of_trace", {"correlation": "order-7"}, 0.1),
    ("trace", {"trace": TRACE}, 0.1),
    ("trace", {"trace": TRACE, "from_time": at(0), "to_time": at(60)}, 0.03),
    ("correlation_events", {"correlation": "order-7"}, 0.1),
    # Two look-ups, each of which reads the newest pages of every day, as yet in no summary.
    ("correlation_events", {"correlation": TRACE, "correlation_trace": TRACE}, 0.2),
    ("correlation_logs", {"correlation": TRACE, "correlation_trace": TRACE}, 0.1),
    ("logs", {}, 0.02),
    ("logs", {"run": "run-10"}, 0.06),
    ("logs", {"severity": 17}, 0.06),
    ("logs_of_trace", {"trace": TRACE}, 0.1),
    ("run_latest", {"run": "run-7"}, 0.02),
    ("run_curve", {"run": "run-7", "metric": "loss"}, 0.06),
    ("run_curve", {"run": "run-7", "metric": "loss", "from_time": at(9 * 86_400)}, 0.06),
    ("series_points", {"series": 7}, 0.06),
    ("number_sums", {"metric": "count", **LAST_HOUR}, 0.02),
    ("number_sums", {"metric": "duration", "fractions": [0.5], "runs": RUN, **LAST_HOUR}, 0.02),
    ("number_sums", {"metric": "duration", "events": EPOCH, "group_1": "run", **LAST_HOUR}, 0.02),
    ("number_sums", {"metric": "count", "correlations": ["order-7"]}, 0.1),
    ("number_sums", {"metric": "errors", "statuses": [2], **LAST_HOUR}, 0.02),
    ("curve_lines", {"runs": RUN, "metric": "loss", "lines": 9, **LAST_HOUR}, 0.02),
    ("curve_whole", {"series": [7], "points": 9, **LAST_HOUR}, 0.02),
    ("curve_extent_time", {"series": 7, **LAST_HOUR}, 0.02),
    ("curve_extent_step", {"series": 7, **LAST_HOUR}, 0.02),
    ("curve_extremes", {"series": 7, "first": 0, "last": 9, "stretches": 9, **LAST_HOUR}, 0.02),
    ("run_checkpoints", {"run": "run-7"}, 0.06),
]


@pytest.mark.parametrize(
    ("question", "parameters", "share"),
    HOT,
    ids=[f"{question}-{'-'.join(parameters)}" for question, parameters, _ in HOT],
)
def test_a_hot_question_touches_little(
    plans: Plans, question: str, parameters: dict[str, object], share: float
) -> None:
    touched = plans.touched(question, parameters)
    assert touched <= share * plans.pages, f"{touched} of {plans.pages} pages"


def test_the_measure_tells_a_scan_of_everything(plans: Plans) -> None:
    everything: dict[str, object] = {"reasons": ["random", "quota"]}
    assert plans.touched("events", everything) > 0.2 * plans.pages
