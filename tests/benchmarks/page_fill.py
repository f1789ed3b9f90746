"""What the page is measured over: a very long run, and an experiment of many runs."""

from __future__ import annotations

import psycopg

LONG, MANY = "long", "many"
EVENT = "crucible_train.batch.stop"
MANY_POINTS = 1_000  # of each of the many runs
_LONG_SERIES = 1

RUN = """
insert into crucible.runs (run_id, experiment_id, condition, status, started_at, first_seen, last_seen)
select run_id, %(experiment)s, condition, 'completed', now() - interval '4 days', now() - interval '4 days', now()
from unnest(%(runs)s::text[], %(conditions)s::text[]) r (run_id, condition)
"""

SERIES = """
insert into crucible.series (series_id, metric, source, kind, run_id, experiment_id, event_name, first_seen, last_seen)
select series_id, 'loss', 'event', 'measurement', run_id, %(experiment)s, %(event)s, now() - interval '4 days', now()
from unnest(%(series)s::bigint[], %(runs)s::text[]) s (series_id, run_id)
"""

# A curve that falls and is noisy, with a spike and a NaN in it. The same numbers each time.
POINTS = """
insert into crucible.points (series_id, time, time_ns_rest, step, value)
select
    series_id,
    now() - interval '4 days' + step * interval '100 ms',
    step %% 7,
    step,
    case
        when step = %(points)s / 3 then 9
        when step = %(points)s / 2 then 'NaN'
        else 3 * exp(-5.0 * step / %(points)s) + 0.1 * sin(step * 12.9898 + series_id)
    end
from unnest(%(series)s::bigint[]) series_id, generate_series(0, %(points)s - 1) step
"""


def fill(dsn: str, kind: str, points: int, runs: int) -> None:
    """A run of so many points and so many runs of an experiment; in the columnstore where there is one."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        _runs(conn, None, [LONG], [_LONG_SERIES], points)
        names = [f"{MANY}-{number}" for number in range(runs)]
        _runs(conn, MANY, names, list(range(2, runs + 2)), MANY_POINTS)
        if kind == "timescale":
            # As its policy does: what is younger than a day stays as it is.
            conn.execute(
                "select compress_chunk(chunk, true)"
                " from show_chunks('crucible.points', older_than => interval '1 day') chunk"
            )
        conn.execute("vacuum analyze")


def _runs(
    conn: psycopg.Connection[tuple[object, ...]],
    experiment: str | None,
    runs: list[str],
    series: list[int],
    points: int,
) -> None:
    given = {
        "experiment": experiment,
        "runs": runs,
        "conditions": [f"condition {number % 4}" for number in range(len(runs))],
        "series": series,
        "event": EVENT,
        "points": points,
    }
    for statement in (RUN, SERIES, POINTS):
        conn.execute(statement.encode(), given)
    if experiment is not None:
        conn.execute(
            "insert into crucible.experiments (experiment_id, first_seen, last_seen)"
            " values (%s, now() - interval '4 days', now())",
            [experiment],
        )
