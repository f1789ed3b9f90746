"""Run PostgreSQL as a child process in the data directory: the store when no database URL is given.

It listens on a Unix socket only, in a directory that nobody else may enter, and accepts only the
collector's operating-system user (`peer`), so there is no password to keep and no port to guard.

Start it after the journal is locked: whatever then runs in the directory is a leftover and is ended.
After a SIGKILL of either process the next start recovers: PostgreSQL replays its log, and a
directory whose initdb was cut short is not taken for a finished one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import conninfo, sql

from crucible_collector.errors import DatabaseError
from crucible_collector.store import leftovers
from crucible_collector.store.account import Account, runnable, server_account, user_name
from crucible_collector.store.binaries import Binaries, find
from crucible_collector.store.places import Doorway, clear_socket, socket_directory

DATABASE = "crucible"
ROLE = "collector"  # not named as the schema, which would be searched without being asked for
SOCKET_NOTE = "socket.path"
PORT = 5432  # only names the socket: no TCP port is opened
READY_TIMEOUT_S = 300.0  # recovery after a crash replays at most MAX_WAL_SIZE
READY_POLL_S = 0.02
STOP_ESCALATION = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
WATCH_S = 0.25
RESTART_DELAY_S, RESTART_DELAY_MAX_S = 0.5, 30.0
LOG_BYTES_MAX = 1 << 20  # at a start; while it runs, only its life-cycle is written

# For a store that is appended to at full rate on a laptop that has other work.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "50",
    "shared_buffers": "256MB",
    "wal_buffers": "16MB",
    # Few, long checkpoints: each makes every page's next change a full-page image in the log.
    "max_wal_size": "2GB",
    "min_wal_size": "160MB",
    "checkpoint_timeout": "15min",
    # Queries over many parts look costly to the planner, and compiling them is not worth it.
    "jit": "off",
    "autovacuum_naptime": "10s",  # also how soon a BRIN index learns about new rows
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # Errors reach the collector, which logs them; a statement in a log would be a payload.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
}

TIMESCALEDB_SETTINGS: Mapping[str, str] = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    # Of which TimescaleDB may take 16: with PostgreSQL's 8 most jobs of a new store fail to start.
    "max_worker_processes": "32",
}


class EmbeddedServer:
    """A PostgreSQL in `directory`, which is made when missing.

    `start`, `stop` and `supervise` are called by their owner's one thread each, in that order;
    `is_alive` and `dsn` by anybody. `settings` override SETTINGS.
    """

    def __init__(
        self,
        directory: Path,
        bin_dir: Path | None,
        log: logging.Logger,
        *,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self._data = self.directory / "pgdata"
        self._bin_dir = bin_dir
        self._log = log
        self._settings = settings or {}
        self._account: Account | None = None
        self._binaries: Binaries | None = None
        self._sockets: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()  # between supervise's restart and stop
        self._stopping = False

    @property
    def dsn(self) -> str:
        """How to connect; stays the same over restarts."""
        return self._dsn(DATABASE)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def version(self) -> str:
        """The server's version, known once it was started."""
        return self._binaries.version if self._binaries else ""

    def start(self) -> str:
        """Start the server, initialising the directory at first; return the DSN when it answers.

        Raises DatabaseError with the reason where it cannot be started.
        """
        self._account = server_account()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._binaries = runnable(find(self._bin_dir, self._data_major()), self._account)
        if self._data_major() is None:
            self._initialise(self._account, self._binaries)
        leftovers.end(self._data, self._log)
        self._sockets = socket_directory(self.directory, self._account, PORT)
        (self.directory / SOCKET_NOTE).write_text(str(self._sockets), encoding="utf-8")
        self._stopping = False
        self._launch()
        return self.dsn

    def is_alive(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None

    def supervise(self, stopping: threading.Event) -> None:
        """Restart the server whenever it ends, until `stopping` is set: the body of a thread."""
        delay_s = RESTART_DELAY_S
        while not stopping.wait(WATCH_S):
            if self.is_alive():
                delay_s = RESTART_DELAY_S
                continue
            self._log.error("the embedded database ended (%s); restarting it", self._facts())
            try:
                with self._guard:
                    if self._stopping:
                        return
                    leftovers.end(self._data, self._log)
                    self._launch()
            except (DatabaseError, OSError) as error:
                self._log.error("the embedded database does not start: %s", error)
                stopping.wait(delay_s)
                delay_s = min(delay_s * 2, RESTART_DELAY_MAX_S)

    def stop(self) -> None:
        """End the server, its connections included; returns when it is gone. Repeatable."""
        self._stopping = True
        with self._guard:
            self._end_process()
            if self._sockets and self._sockets.parent != self.directory:
                shutil.rmtree(self._sockets, ignore_errors=True)

    def _launch(self) -> None:
        account, binaries = self._account, self._binaries
        if account is None or binaries is None or self._sockets is None:
            raise DatabaseError("the embedded database was not started")
        self._write_access_rules(account)
        clear_socket(self._sockets, PORT)
        log_path = self._fresh_log()
        with (
            log_path.open("ab") as output,
            Doorway(self._data, account) as data,
            Doorway(self._sockets, account) as sockets,
        ):
            begin = output.tell()
            self._process = subprocess.Popen(
                self._command(binaries, data.path, sockets.path),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                # Ctrl-C is for the collector, which stops the database last.
                start_new_session=True,
                pass_fds=data.descriptors + sockets.descriptors,
                **account.popen_options,
            )
        self._await_ready(log_path, begin)
        self._log.info("the embedded database is up (%s)", self._facts())

    def _command(self, binaries: Binaries, data: str, sockets: str) -> list[str]:
        """Settings go on the command line: they are this version's, not those of the first start."""
        settings = {
            **SETTINGS,
            **(TIMESCALEDB_SETTINGS if binaries.has_timescaledb else {}),
            **self._settings,
            "port": str(PORT),
            "unix_socket_directories": f'"{sockets}"',
            "unix_socket_permissions": "0700",
        }
        options = [f"--{key}={value}" for key, value in settings.items()]
        return [str(binaries.directory / "postgres"), "-D", data, *options]

    def _await_ready(self, log_path: Path, begin: int) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            if not self.is_alive():
                with log_path.open("rb") as lines:
                    lines.seek(begin)
                    said = lines.read(4000).decode(errors="replace").strip()
                raise DatabaseError(f"PostgreSQL did not start in {self._data}: {said}")
            with contextlib.suppress(psycopg.OperationalError):
                self._ensure_database()
                return
            if self._stopping or time.monotonic() > deadline:
                self._end_process()
                raise DatabaseError(f"PostgreSQL in {self._data} was stopped before it answered")
            time.sleep(READY_POLL_S)

    def _ensure_database(self) -> None:
        with psycopg.connect(self._dsn("postgres"), autocommit=True, connect_timeout=5) as conn:
            exists = conn.execute(
                "select from pg_database where datname = %s", (DATABASE,)
            ).fetchone()
            if exists is None:
                conn.execute(
                    sql.SQL("create database {} template template0 encoding 'UTF8'").format(
                        sql.Identifier(DATABASE)
                    )
                )

    def _initialise(self, account: Account, binaries: Binaries) -> None:
        """Make the data directory beside its place and move it there complete."""
        draft = self.directory / "pgdata.initialising"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        account.own(draft)
        self._log.info("initialising the embedded database in %s", self._data)
        with Doorway(draft, account) as door:
            answer = subprocess.run(
                [
                    binaries.directory / "initdb",
                    f"--pgdata={door.path}",
                    f"--username={ROLE}",
                    "--encoding=UTF8",
                    "--locale=C",  # bytes in order: the fastest comparison there is
                    "--auth=peer",
                    "--data-checksums",
                ],
                capture_output=True,
                text=True,
                check=False,
                env=_environment(),
                pass_fds=door.descriptors,
                **account.popen_options,
            )
        if answer.returncode != 0:
            raise DatabaseError(f"initdb failed in {draft}: {answer.stderr.strip()}")
        draft.rename(self._data)

    def _write_access_rules(self, account: Account) -> None:
        """Only the collector's operating-system user may connect, as the one role there is."""
        rules = {
            "pg_hba.conf": "local all all peer map=collector\n",
            "pg_ident.conf": f'collector "{user_name()}" {ROLE}\n',
        }
        for name, text in rules.items():
            path = self._data / name
            path.write_text(text)
            account.own(path)

    def _fresh_log(self) -> Path:
        path = self.directory / "postgres.log"
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        return path

    def _end_process(self) -> None:
        if self._process is None:
            return
        for number, patience_s in STOP_ESCALATION:
            if self._process.poll() is not None:
                break
            self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience_s)

    def _data_major(self) -> int | None:
        """The major version that made the directory; None where there is none yet."""
        with contextlib.suppress(FileNotFoundError):
            return int((self._data / "PG_VERSION").read_text())
        return None

    def _dsn(self, database: str) -> str:
        return conninfo.make_conninfo(
            host=str(self._sockets), port=PORT, user=ROLE, dbname=database
        )

    def _facts(self) -> str:
        code = self._process.returncode if self._process else None
        ended = "" if code is None else f", exit code {code}"
        return f"PostgreSQL {self.version}, pid {self.pid}{ended}"


def running_dsn(directory: Path) -> str | None:
    """How to reach the server that another process runs in `directory`; None: none runs there.

    The server notes where its socket lies, which is not in the data directory where paths are long.
    """
    try:
        sockets = Path((directory / SOCKET_NOTE).read_text(encoding="utf-8"))
    except OSError:
        return None
    if not (sockets / f".s.PGSQL.{PORT}").exists():
        return None
    return conninfo.make_conninfo(host=str(sockets), port=PORT, user=ROLE, dbname=DATABASE)


def _environment() -> dict[str, str]:
    """Nothing of the collector's: PGDATA, PGPORT or a locale would change what is started."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
