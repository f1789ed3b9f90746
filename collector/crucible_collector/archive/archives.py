"""Archives of a running collector: each piece of work on one is a job (api.routes.archives.Archiving)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from crucible_collector.api.archives import ArchiveRequest, told
from crucible_collector.archive.contents import known, verify
from crucible_collector.archive.create import NewArchive, begin, resume
from crucible_collector.archive.destination import url_of
from crucible_collector.archive.drop import drop
from crucible_collector.archive.restore import adopt, restore
from crucible_collector.archive.work import Report
from crucible_collector.errors import ArchiveError, CollectorError, SettingsError
from crucible_collector.jobs import Jobs, Progress
from crucible_collector.store.archives import state
from crucible_collector.store.archives.slices import Asked
from crucible_collector.store.jobs import Kind
from crucible_collector.store.partitions import RELATIONS

_Work = Callable[[uuid.UUID, Progress], Report]


class Archives:
    """Any thread may ask."""

    def __init__(self, dsn: Callable[[], str], jobs: Jobs, url: str | None) -> None:
        """`dsn` tells where the database is when it is asked; `url`: where archives go, None: nowhere."""
        self._dsn = dsn
        self._jobs = jobs
        self._url = url

    def create(self, asked: ArchiveRequest, asked_by: str) -> uuid.UUID:
        """Begin an archive; its id. SettingsError, DatabaseAwayError, OverloadedError."""
        if self._url is None:
            raise SettingsError("archive_url is not set: nobody said where archives go")
        dsn, archive_id = self._dsn(), uuid.uuid4()
        wanted = Asked(
            asked.experiment, asked.from_time, asked.to_time, asked.relations or RELATIONS
        )

        def work(job_id: uuid.UUID, progress: Progress) -> Report:
            if not asked.drop:
                return resume(dsn, archive_id, progress, job_id=job_id)
            report = resume(dsn, archive_id, _part(progress, 0.0), job_id=job_id)
            return {**report, **drop(dsn, archive_id, _part(progress, 0.5), job_id=job_id)}

        begin(dsn, NewArchive(archive_id, url_of(self._url), wanted, asked_by))
        try:
            self._start("archive", archive_id, work, asked_by, **told(asked))
        except CollectorError:
            with state.working(dsn) as conn:
                state.forget(conn, archive_id)
            raise
        return archive_id

    def resume(self, archive_id: uuid.UUID, asked_by: str) -> None:
        """Go on with what was interrupted. ArchiveError, DatabaseAwayError, OverloadedError."""
        dsn = self._dsn()
        with state.working(dsn) as conn:
            kept = state.find(conn, archive_id)
        if kept is not None and kept.state == "dropping":
            self.drop(archive_id, asked_by)
            return
        if kept is None or kept.manifest_sha256 is not None or not kept.is_own:
            is_now = "unknown here" if kept is None else kept.state
            raise ArchiveError(f"archive {archive_id} is not to be resumed: it is {is_now}")
        self._start(
            "archive",
            archive_id,
            lambda job_id, progress: resume(dsn, archive_id, progress, job_id=job_id),
            asked_by,
            action="resume",
        )

    def verify(self, archive_id: uuid.UUID, asked_by: str) -> None:
        """Read one back. ArchiveError, DatabaseAwayError, OverloadedError."""
        dsn = self._finished(archive_id)
        self._start(
            "archive",
            archive_id,
            lambda job_id, progress: verify(dsn, archive_id, progress, job_id=job_id),
            asked_by,
            action="verify",
        )

    def drop(self, archive_id: uuid.UUID, asked_by: str) -> None:
        """Read one back and drop the rows that it has. ArchiveError, DatabaseAwayError, OverloadedError."""
        dsn = self._finished(archive_id)
        self._start(
            "archive",
            archive_id,
            lambda job_id, progress: drop(dsn, archive_id, progress, job_id=job_id),
            asked_by,
            action="drop",
        )

    def restore(self, archive_id: uuid.UUID, asked_by: str) -> None:
        """Bring one back. ArchiveError, DatabaseAwayError, OverloadedError, ChangedMeanwhileError."""
        dsn = self._dsn()
        adopt(dsn, archive_id, None if self._url is None else url_of(self._url), asked_by)
        self._finished(archive_id)
        self._start(
            "restore",
            archive_id,
            lambda job_id, progress: restore(dsn, archive_id, progress, job_id=job_id),
            asked_by,
        )

    def cancel(self, archive_id: uuid.UUID) -> None:
        """Have what works on it end, whichever collector runs it. DatabaseAwayError."""
        with state.working(self._dsn()) as conn:
            job_id = state.job_of(conn, archive_id)
        if job_id is not None:
            self._jobs.cancel(job_id)

    def _finished(self, archive_id: uuid.UUID) -> str:
        """The database of an archive that has a manifest; ArchiveError."""
        dsn = self._dsn()
        with state.working(dsn) as conn:
            known(conn, archive_id)
        return dsn

    def _start(
        self, kind: Kind, archive_id: uuid.UUID, work: _Work, asked_by: str, **asked: Any
    ) -> None:
        request = {"archive_id": str(archive_id), **asked}
        job_id = self._jobs.start(kind, request, work, asked_by)
        # The work says so, too, as soon as it begins; who asks before that is not to see the last job.
        with state.working(self._dsn()) as conn:
            state.works(conn, archive_id, job_id)


def _part(progress: Progress, start: float) -> Progress:
    """Half of the way, from `start` on."""

    def halved(share: float, report: Report | None = None) -> None:
        progress(start + share / 2, report)

    return halved
