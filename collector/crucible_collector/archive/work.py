"""What every piece of work on an archive has: a claim on it, its place, and a note of why it stopped."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from crucible_collector.errors import CollectorError
from crucible_collector.jobs import CancelledError, Progress
from crucible_collector.store.archives import state
from crucible_collector.store.partitions import Connection

Report = Mapping[str, Any]

__all__ = ["Progress", "Report", "Steps", "claimed"]


@dataclass(slots=True)
class Steps:
    """Counts rows against those that there are to do, and says so."""

    progress: Progress
    row_count: int
    passes: int = 1  # how often each row is met
    done: int = field(default=0, init=False)

    def did(self, row_count: int, report: Report | None = None) -> None:
        """So many rows more. CancelledError where it is to end."""
        self.done += row_count
        share = self.done / max(self.row_count * self.passes, 1)
        self.progress(min(share, 1.0), report)


@contextmanager
def claimed(
    dsn: str, archive_id: uuid.UUID, job_id: uuid.UUID | None = None
) -> Iterator[Connection]:
    """A connection that is the only one to work on an archive; why it stopped is noted.

    ChangedMeanwhileError where another works on it; DatabaseAwayError, DatabaseError.
    """
    with state.working(dsn) as connection:
        state.claim(connection, archive_id, job_id)
        try:
            yield connection
        except (CollectorError, CancelledError) as error:
            # Where it is the database that went away, this cannot be noted there.
            with suppress(Exception):
                state.stopped(connection, archive_id, str(error) or "cancelled")
            raise
        finally:
            with suppress(Exception):
                state.release(connection, archive_id)
