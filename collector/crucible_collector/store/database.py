"""The database as the service sees it: its own or a given one, brought up to date before it is used.

A given database that is away is not an error, at the start or later: the journal takes what comes,
and the pipeline asks again until it is there. The collector's own database must start.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
import psycopg
import pyarrow as pa
from psycopg_pool import ConnectionPool

from crucible_collector.cost.price_table import PriceTable
from crucible_collector.detect.settings import Detection
from crucible_collector.errors import DatabaseAwayError
from crucible_collector.rows import WindowRows
from crucible_collector.sample.rules import Rules
from crucible_collector.settings import Settings
from crucible_collector.store import budgets, states, versions
from crucible_collector.store.connect import (
    MAINTENANCE,
    alerts_connection,
    check_understood,
    connect,
    ingest_connection,
    reader_pool,
)
from crucible_collector.store.embedded import EmbeddedServer
from crucible_collector.store.experiments import Experiments
from crucible_collector.store.maintenance import Maintenance
from crucible_collector.store.migrate import migrate
from crucible_collector.store.partitions import Partitions, days_of
from crucible_collector.store.read import Reader
from crucible_collector.store.servers import Capabilities
from crucible_collector.store.stalls import Patience

log = logging.getLogger("crucible.database")

T = TypeVar("T")

EMBEDDED_DIRECTORY = "database"
MAINTENANCE_POLL_S = 0.5
STOP_TIMEOUT_S = 10.0


class Database:
    """Owns the embedded server and the readers' pool; the writer's connection is the pipeline's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._embedded: EmbeddedServer | None = None
        self._pool: ConnectionPool[Any] | None = None
        self._reader: Reader | None = None
        self._stopping = threading.Event()
        self._supervisor: threading.Thread | None = None
        self._migrating = threading.Lock()
        self._maintenance = threading.Thread(
            target=self._maintain, name="database-maintenance", daemon=True
        )
        self._partitions: Partitions | None = None
        self.capabilities: Capabilities | None = None  # None until it was brought up to date
        self.experiments = Experiments(self._writing)
        self.dsn = settings.database_url or ""
        check_understood(self.dsn)

    def start(self) -> None:
        """Start or reach the database. DatabaseError where it can never be used as it is."""
        if not self.dsn:
            embedded = EmbeddedServer(
                self._settings.data_dir / EMBEDDED_DIRECTORY, self._settings.postgres_bin, log
            )
            self.dsn = embedded.start()
            self._embedded = embedded
            self._supervisor = threading.Thread(
                target=embedded.supervise,
                args=(self._stopping,),
                name="database-supervise",
                daemon=True,
            )
            self._supervisor.start()
        try:
            self.bring_up_to_date()
        except psycopg.OperationalError as error:
            log.warning(
                "the database is away; the journal takes what comes: %s", str(error).strip()
            )
        queries_max = self._settings.queries_max
        self._pool = reader_pool(
            self.dsn, timeout_s=self._settings.query_timeout_s, readers_max=queries_max
        )
        self._pool.open(wait=False)
        self._reader = Reader(self._pool, queries_max=queries_max)
        self._maintenance.start()

    def bring_up_to_date(self) -> None:
        """Migrate once in the life of the process; psycopg.Error, DatabaseError."""
        with self._migrating:
            if self.capabilities is None:
                self.capabilities = migrate(
                    self.dsn,
                    log,
                    timescaledb=self._settings.timescaledb,
                    retention=self._settings.retention,
                )

    def connect(self) -> psycopg.Connection[Any]:
        """A connection for writing windows, to a database that is up to date."""
        self.bring_up_to_date()
        return ingest_connection(self.dsn)

    def connect_alerts(self) -> psycopg.Connection[Any]:
        """A connection for the outbox of alerts, to a database that is up to date."""
        self.bring_up_to_date()
        return alerts_connection(self.dsn)

    def make_room(self, connection: psycopg.Connection[Any], rows: WindowRows) -> None:
        """Have partitions for the times of a window's rows; the writer calls it before each."""
        if self._partitions is None:
            if self.capabilities is None:
                return
            self._partitions = Partitions(self.capabilities, log)
        for table in rows.tables:
            time_us = table.batch.column("time").cast(pa.int64()).to_numpy()
            self._partitions.ensure(connection, table.relation, days_of(time_us))
        flagged = [flag.time_ns // 1000 for each in rows.found.episodes for flag in each.flags]
        self._partitions.ensure(connection, "anomalies", days_of(np.array(flagged, np.int64)))

    def _maintain(self) -> None:
        """The body of the maintenance thread: begins once the database is up to date."""
        while self.capabilities is None:
            if self._stopping.wait(MAINTENANCE_POLL_S):
                return
        settings = self._settings
        Maintenance(
            lambda: connect(self.dsn, MAINTENANCE),
            self.capabilities,
            log,
            patience=Patience(settings.stall_after_intervals, settings.stall_after_min_s),
            past=dt.timedelta(days=settings.past_days),
        ).run(self._stopping)

    def json_rows(self, question: str, /, **parameters: object) -> list[str]:
        """What the API asks (see store.read.Reads); DatabaseAwayError while there is no schema."""
        return self._reading().json_rows(question, **parameters)

    def array_rows(
        self, question: str, made_of: Callable[[dict[str, Any]], T], /, **parameters: object
    ) -> list[T]:
        """The same of store.read.ReadsArrays."""
        return self._reading().array_rows(question, made_of, **parameters)

    def _reading(self) -> Reader:
        if self._reader is None or self.capabilities is None:
            raise DatabaseAwayError("the database has not been reached yet")
        return self._reader

    def put_sampling(self, rules: Rules, changed_by: str, reason: str, follows: int | None) -> int:
        """Put sampling rules in force and return their version (see `Versions.put`)."""
        form, digest = rules.as_json(), rules.digest()
        return self._put(versions.SAMPLING, form, digest, changed_by, reason, follows)

    def put_detection(
        self, detection: Detection, changed_by: str, reason: str, follows: int | None
    ) -> int:
        """Put settings of detection in force and return their version (see `Versions.put`)."""
        form, digest = detection.as_json(), detection.digest()
        return self._put(versions.DETECTION, form, digest, changed_by, reason, follows)

    def put_prices(
        self, table: PriceTable, changed_by: str, reason: str, follows: int | None
    ) -> int:
        """Put prices in force and return their version (see `Versions.put`)."""
        form, digest = table.as_json(), table.digest()
        return self._put(versions.PRICES, form, digest, changed_by, reason, follows)

    def _put(
        self,
        kind: versions.Versions,
        form: Mapping[str, Any],
        digest: UUID,
        changed_by: str,
        reason: str,
        follows: int | None,
    ) -> int:
        told = {"changed_by": changed_by, "reason": reason}
        with self._writing() as connection:
            return kind.put(connection, form, digest, **told, follows=follows)

    def put_budget(
        self, experiment_id: str, usd_per_day: float, changed_by: str, reason: str
    ) -> None:
        """Give an experiment a budget (see `budgets.put`)."""
        with self._writing() as connection:
            budgets.put(connection, experiment_id, usd_per_day, changed_by, reason)

    def delete_budget(self, experiment_id: str) -> bool:
        """Take it away; False where there is none."""
        with self._writing() as connection:
            return budgets.delete(connection, experiment_id)

    def change_period(self, period_id: UUID, state: str, by: str, reason: str) -> bool:
        """Have a period of anomalies be what a person says (see `states.change_state`)."""
        with self._writing() as connection:
            return states.change_state(connection, period_id, state, by, reason)

    @contextmanager
    def _writing(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of its own, for what is written by a person's word."""
        if self.capabilities is None:
            raise DatabaseAwayError("the database has not been reached yet")
        try:
            with closing(ingest_connection(self.dsn)) as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise DatabaseAwayError("the database does not answer") from error

    def stop(self) -> None:
        """Close the pool, end the embedded server: last in the stop order but for the journal."""
        self._stopping.set()
        if self._maintenance.is_alive():
            self._maintenance.join(STOP_TIMEOUT_S)
        if self._pool is not None:
            self._pool.close()
        if self._embedded is not None:
            self._embedded.stop()
        if self._supervisor is not None:
            self._supervisor.join(STOP_TIMEOUT_S)

    def describe(self) -> str:
        """Which database this is, in a few words, without secrets."""
        if self.capabilities is None:
            return "not reached yet"
        kind = "embedded " if self._embedded else ""
        timescale = self.capabilities.timescaledb
        with_ = f", TimescaleDB {timescale}" if timescale else ""
        return f"{kind}PostgreSQL {self.capabilities.server_version}{with_}"
