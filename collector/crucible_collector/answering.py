"""What answers over REST in a running collector, put together: the application and all that works for it.

What goes on by itself (jobs, exports, scans) ends with the stack that it is handed, before the API's server
is stopped.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from fastapi import FastAPI

from crucible_collector.access.doors import Doors
from crucible_collector.api import Access, create_app
from crucible_collector.api.status import StatusSource
from crucible_collector.archive.archives import Archives
from crucible_collector.checkup import Checkup
from crucible_collector.export.exports import Exports
from crucible_collector.in_process import InProcess
from crucible_collector.jobs import Jobs
from crucible_collector.receive import EventsIntake, Intake
from crucible_collector.reprice.work import Recomputing
from crucible_collector.scan.scans import Scans
from crucible_collector.settings import Settings
from crucible_collector.simulate.simulation import Simulation
from crucible_collector.store.database import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service has before it answers; `collector` is how this one is called."""

    settings: Settings
    database: Database
    doors: Doors
    collector: str

    def dsn(self) -> str:
        """Where the database is; the embedded one's is known once it runs."""
        return self.database.dsn


def application(
    parts: Parts, here: InProcess, status: StatusSource, intake: Intake, stack: ExitStack
) -> FastAPI:
    """The application; `stack` ends what works for it."""
    settings, database, dsn = parts.settings, parts.database, parts.dsn
    jobs = Jobs(dsn, parts.collector)
    stack.callback(jobs.stop)
    exports = Exports(
        dsn,
        jobs,
        parts.collector,
        settings.data_dir / "exports",
        bytes_max=settings.exports_bytes_max,
        keep_s=settings.exports_keep_s,
    )
    exports.begin()
    stack.callback(exports.stop)
    scans = Scans(dsn, here.detection_in_force)
    stack.callback(scans.stop)
    return create_app(
        database,
        status,
        EventsIntake(intake),
        here,
        Simulation(dsn),
        changes=database,
        leads=database.experiments,
        detects=here,
        priced=here,
        budgets=database,
        recomputes=Recomputing(jobs, dsn, here.prices_in_force),
        scanning=scans,
        archiving=Archives(dsn, jobs, settings.archive_url),
        exporting=exports,
        doctor=Checkup(settings, dsn),
        access=Access(parts.doors.guard("api"), dsn, parts.doors.origins("api")),
    )
