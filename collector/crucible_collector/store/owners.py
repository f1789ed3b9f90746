"""Whose runs are: asked at the door, of those that a key for some experiments names."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import replace

from crucible_collector.store.connect import READ, connect
from crucible_collector.store.replay import understood

# Who sends waits for it.
TIMEOUT_S = 2.0
_ASK = replace(
    READ,
    name="crucible owners",
    settings={**READ.settings, "statement_timeout": f"{TIMEOUT_S:.0f}s"},
)

OWNERS = """
-- Of which experiments are these runs, as far as they are known? The primary key.
select run_id, experiment_id
from crucible.runs
where run_id = any (%s::text[])
"""


def owners_of(dsn: str, run_ids: Collection[str]) -> dict[str, str | None]:
    """The experiment of each run that is known; None: of none. DatabaseAwayError, DatabaseError."""
    with understood("owners of runs"), closing(connect(dsn, _ASK)) as connection:
        rows = connection.execute(OWNERS, [list(run_ids)]).fetchall()
    return dict(rows)
