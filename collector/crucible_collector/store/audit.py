"""What changed something, and who did it: written as it happens, kept for 400 days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from crucible_collector.store.connect import MAINTENANCE, connect
from crucible_collector.store.partitions import Connection
from crucible_collector.store.replay import understood

# A year and what an audit of it takes.
KEPT = dt.timedelta(days=400)
FORGET_BATCH = 10_000

ADD = """
-- Somebody has changed something.
insert into crucible.audit (who, key_id, address, method, path, status, summary)
values (%(who)s, %(key_id)s, %(address)s, %(method)s, %(path)s, %(status)s, %(summary)s)
"""

FORGETTABLE = """
-- What was changed before then? Leans on audit_happened.
delete from crucible.audit
where audit_id = any (array(
    select audit_id from crucible.audit where happened_at < now() - %(kept)s limit %(most)s))
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `status` is that of the answer, None for a command."""

    who: str
    method: str
    path: str
    status: int | None = None
    key_id: str | None = None
    address: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)


def append(dsn: str, change: Change) -> None:
    """Write down a change. DatabaseAwayError, DatabaseError."""
    asked = {
        "who": change.who,
        "key_id": change.key_id,
        "address": change.address,
        "method": change.method,
        "path": change.path,
        "status": change.status,
        "summary": Jsonb(change.summary),
    }
    with understood("audit"):
        connection = connect(dsn, MAINTENANCE)
    with closing(connection), understood("audit"):
        connection.execute(ADD, asked)


def forget(connection: Connection) -> int:
    """Forget what is older than KEPT; how many rows went, a batch a transaction."""
    forgotten = 0
    while True:
        count = connection.execute(FORGETTABLE, {"kept": KEPT, "most": FORGET_BATCH}).rowcount
        forgotten += count
        if count < FORGET_BATCH:
            return forgotten
