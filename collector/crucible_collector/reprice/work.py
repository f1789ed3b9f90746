"""Computations as jobs of a collector that runs: api.routes.recompute.Recomputes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from crucible_collector.cost.price_table import PriceTable
from crucible_collector.cost.pricing import Pricing
from crucible_collector.jobs import Jobs, Progress
from crucible_collector.reprice.asked import Asked
from crucible_collector.reprice.recompute import recompute


class Recomputing:
    """Starts them; any thread may ask."""

    def __init__(self, jobs: Jobs, dsn: Callable[[], str], table: Callable[[], PriceTable]) -> None:
        """`dsn` tells where the database is, `table` which prices are in force, when either is asked."""
        self._jobs = jobs
        self._dsn = dsn
        self._table = table

    def start(
        self,
        start: dt.datetime | None,
        end: dt.datetime | None,
        experiment: str | None,
        *,
        dry_run: bool,
        asked_by: str,
    ) -> uuid.UUID:
        """Begin a job. SettingsError, DatabaseAwayError; OverloadedError while two run."""
        asked = Asked.of(start, end, experiment, dry_run=dry_run)
        pricing = Pricing(self._table())

        def work(_: uuid.UUID, progress: Progress) -> Mapping[str, Any]:
            return recompute(self._dsn(), pricing, asked, progress)

        return self._jobs.start("reprice", asked.as_json(), work, asked_by)

    def cancel(self, job_id: uuid.UUID) -> None:
        """Have a job end; what it has done stays."""
        self._jobs.cancel(job_id)
