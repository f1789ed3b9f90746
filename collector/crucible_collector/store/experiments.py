"""Experiments as people lead them: made before their first run, described, paused, stopped, put aside.

A change is a statement at its time, like what an experiment's own process sends: of status and description the
newest word counts (`ingest/experiments.sql`). Nothing that is sent is refused because of it: what comes while an
experiment is paused or archived is stored as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

Action = Literal["pause", "resume", "stop", "archive", "unarchive"]
Connection = psycopg.Connection[Any]
# What may be said of one; the rest of its row follows from what is sent.
DESCRIBED = ("name", "hypothesis", "tags", "owner", "experiment_type", "sample_size")


@dataclass(frozen=True, slots=True)
class Move:
    """From which statuses an action leads, and to which."""

    before: tuple[str, ...]
    after: str


MOVES: Mapping[Action, Move] = {
    "pause": Move(("running",), "paused"),
    "resume": Move(("paused",), "running"),
    "stop": Move(("running", "paused"), "stopped"),
    "archive": Move(("stopped",), "archived"),
    "unarchive": Move(("archived",), "stopped"),
}

CREATE = """
-- Makes an experiment that nothing was sent of yet; no row where there is one. By the primary key.
insert into crucible.experiments (
    experiment_id, name, hypothesis, tags, owner, experiment_type, sample_size, metadata, status, status_at,
    described_at, first_seen, last_seen
)
values (
    %(experiment)s, %(name)s, %(hypothesis)s, %(tags)s, %(owner)s, %(experiment_type)s, %(sample_size)s,
    %(metadata)s, 'running', now(), now(), now(), now()
)
on conflict (experiment_id) do nothing
returning 1
"""

DESCRIBE = """
-- Describes an experiment anew; of its metadata what is named is set, or taken out. By the primary key.
update crucible.experiments
set described_at = now(), metadata = (coalesce(metadata, '{{}}') || %(metadata)s) - %(gone)s::text[]{}
where experiment_id = %(experiment)s
returning 1
"""

STATUS = """
-- Which status has it, and keeps it while this goes on? By the primary key.
select status from crucible.experiments where experiment_id = %(experiment)s for update
"""

# A clock that is ahead may have told of its status already; archiving is no sign of life.
MOVE = """
-- Gives an experiment another status. By the primary key.
update crucible.experiments
set
    status = %(after)s,
    status_at = greatest(now(), status_at),
    pause_reason = case %(after)s when 'paused' then %(reason)s else pause_reason end,
    last_seen = case when %(is_alive)s then greatest(now(), last_seen) else last_seen end
where experiment_id = %(experiment)s
"""

PAUSE = """
-- Begins a pause.
insert into crucible.experiment_pauses (experiment_id, reason, paused_by)
values (%(experiment)s, %(reason)s, %(by)s)
"""

GO_ON = """
-- Ends the pauses that are not at an end; one that its own process has ended, then. By the primary key.
update crucible.experiment_pauses p
set ended_at = case e.status when 'paused' then now() else least(now(), greatest(e.status_at, p.paused_at)) end
from crucible.experiments e
where p.experiment_id = %(experiment)s and p.ended_at is null and e.experiment_id = p.experiment_id
"""


class Experiments:
    """Api.routes.leading.Leads over a database; any thread may ask. Raises DatabaseAwayError."""

    def __init__(self, writing: Callable[[], AbstractContextManager[Connection]]) -> None:
        """`writing` opens a connection for one change."""
        self._writing = writing

    def create(self, experiment_id: str, told: Mapping[str, Any]) -> bool:
        """Make one with what is told of it (see DESCRIBED), and `metadata`; False where there is one."""
        values = {name: told.get(name) for name in DESCRIBED}
        metadata = Jsonb(told.get("metadata") or {})
        with self._writing() as connection:
            asked = {"experiment": experiment_id, **values, "metadata": metadata}
            return connection.execute(CREATE, asked).fetchone() is not None

    def describe(self, experiment_id: str, told: Mapping[str, Any]) -> bool:
        """Change what is told, null taking out; False where there is none of that id."""
        metadata = told.get("metadata") or {}
        names = [name for name in DESCRIBED if name in told]
        assigned = [
            sql.SQL(", {} = {}").format(sql.Identifier(name), sql.Placeholder(name))
            for name in names
        ]
        asked = {
            "experiment": experiment_id,
            "metadata": Jsonb({key: value for key, value in metadata.items() if value is not None}),
            "gone": [key for key, value in metadata.items() if value is None],
            **{name: told[name] for name in names},
        }
        with self._writing() as connection:
            statement = sql.SQL(DESCRIBE).format(sql.SQL("").join(assigned))
            return connection.execute(statement, asked).fetchone() is not None

    def move(self, experiment_id: str, action: Action, by: str, reason: str | None) -> str | None:
        """Do it where its status lets it; which status that was, None where there is no such experiment."""
        move = MOVES[action]
        asked = {"experiment": experiment_id, "by": by, "reason": reason}
        with self._writing() as connection, connection.transaction():
            row = connection.execute(STATUS, asked).fetchone()
            if row is None:
                return None
            status: str = row[0]
            if status in move.before:
                connection.execute(GO_ON, asked)
                if action == "pause":
                    connection.execute(PAUSE, asked)
                is_alive = "archived" not in {status, move.after}
                connection.execute(MOVE, {**asked, "after": move.after, "is_alive": is_alive})
            return status
