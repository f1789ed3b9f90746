"""Damaged journals, full disks and unlucky directories: what is hit is counted, the rest goes on."""

from __future__ import annotations

import contextlib
import logging
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from crucible_collector import decode, kernels
from crucible_collector.store import binary_copy
from databases import TestServer
from harness import Collector, collector, eventually
from traffic import batch_span, export, trace_request

LOG = logging.getLogger("test")
NOBODY_DATABASE = "host=/nonexistent dbname=nowhere"
SPANS_PER_REQUEST = 8
REQUESTS = 12


def filled_journal(tmp_path: Path) -> tuple[Collector, list[list[bytes]]]:
    """A stopped collector whose journal holds REQUESTS requests, and the span ids of each.

    Its database was away all the time, so nothing is stored yet.
    """
    one = Collector(tmp_path / "data", NOBODY_DATABASE, ("--stop-grace-s", "0"))
    one.start()
    sent = []
    try:
        for index in range(REQUESTS):
            spans = [batch_span(index * SPANS_PER_REQUEST + n) for n in range(SPANS_PER_REQUEST)]
            export(one.addresses["grpc"], trace_request(spans))
            sent.append([span.span_id for span in spans])
        # SIGKILL: a clean end could hide what recovery has to find by itself.
        one.kill()
    finally:
        one.close()
    return one, sent


def segment_with(tmp_path: Path, needle: bytes) -> tuple[Path, int]:
    """The journal file that holds these bytes, and where."""
    for path in sorted((tmp_path / "data" / "journal").rglob("*")):
        if path.is_file() and (at := path.read_bytes().find(needle)) >= 0:
            return path, at
    raise AssertionError("the journal does not hold these bytes")


def stored_ids(dsn: str) -> set[bytes]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("select span_id from crucible.spans").fetchall()
    return {(row[0] & (2**64 - 1)).to_bytes(8, "big") for row in rows}


def test_flipped_bytes_in_the_journal_cost_that_request_alone_and_are_counted(
    tmp_path: Path, plain_database: str
) -> None:
    one, sent = filled_journal(tmp_path)
    path, at = segment_with(tmp_path, sent[4][0])
    with path.open("r+b") as segment:
        segment.seek(at)
        segment.write(bytes(byte ^ 0xFF for byte in sent[4][0]))
    one.database_url = plain_database
    try:
        one.start()
        expected = {span_id for index, ids in enumerate(sent) if index != 4 for span_id in ids}
        eventually(lambda: stored_ids(plain_database) == expected, "all others are stored")
        ledger = eventually(
            lambda: (c := one.ledger()["spans"]) and ("rejected", "corrupt") in c and c,
            "the damage is in the ledger",
        )
        assert ledger["rejected", "corrupt"] == SPANS_PER_REQUEST
        assert ledger["received", ""] == REQUESTS * SPANS_PER_REQUEST
        assert ledger["stored", ""] == (REQUESTS - 1) * SPANS_PER_REQUEST
        assert 'crucible_journal_damaged_records_total{kind="corrupt"} 1.0' in one.metrics()
        assert any((tmp_path / "data" / "journal" / "damaged").iterdir())
        export(one.addresses["grpc"], trace_request([batch_span(1000)]))
        eventually(lambda: len(stored_ids(plain_database)) == len(expected) + 1, "it goes on")
    finally:
        one.close()


def test_a_truncated_journal_keeps_what_lies_before_the_cut(
    tmp_path: Path, plain_database: str
) -> None:
    one, sent = filled_journal(tmp_path)
    path, at = segment_with(tmp_path, sent[9][3])
    os.truncate(path, at)
    one.database_url = plain_database
    try:
        one.start()
        expected = {span_id for ids in sent[:9] for span_id in ids}
        eventually(lambda: stored_ids(plain_database) == expected, "what was whole is stored")
        again = batch_span(5000)
        export(one.addresses["grpc"], trace_request([again]))
        eventually(lambda: again.span_id in stored_ids(plain_database), "it goes on")
    finally:
        one.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_full_disk_is_told_to_clients_and_loses_nothing(
    tmp_path: Path, plain_database: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    arguments = ("--journal-segment-bytes", str(4 << 20), "--stop-grace-s", "0")
    one = Collector(tmp_path / "disk" / "data", NOBODY_DATABASE, arguments)
    try:
        one.start()
        acknowledged = fill(one)
        assert len(acknowledged) > 1000
        assert not is_ready(one)
        # Space returns: what had been in the way goes.
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        late = batch_span(1)
        eventually(lambda: refused(one, [late]) is None, "clients are taken again")
        one.kill()
        one.database_url = plain_database
        one.start()
        expected = acknowledged | {late.span_id}
        eventually(lambda: stored_ids(plain_database) == expected, "all acknowledged is stored")
    finally:
        one.close()
        subprocess.run(["umount", "-l", str(disk)], check=False)


def fill(one: Collector) -> set[bytes]:
    """Send until the collector says that it has no room; returns what it acknowledged."""
    acknowledged: set[bytes] = set()
    for start in range(0, 200_000, 512):
        spans = [batch_span(start + n, run="x" * 200) for n in range(512)]
        refusal = refused(one, spans)
        if refusal is not None:
            assert refusal.code() in {
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            }
            assert "google.rpc.retryinfo-bin" in str(refusal.trailing_metadata())
            return acknowledged
        acknowledged.update(span.span_id for span in spans)
    raise AssertionError("the disk never got full")


def refused(one: Collector, spans: list[Span]) -> grpc.RpcError | None:
    """What the collector said instead of acknowledging; None if it did."""
    try:
        export(one.addresses["grpc"], trace_request(spans))
    except grpc.RpcError as error:
        return error
    return None


def is_ready(one: Collector) -> bool:
    try:
        one.get("/readyz")
    except OSError:
        return False
    return True


def test_a_second_collector_on_one_data_directory_says_so_and_exits(tmp_path: Path) -> None:
    with collector(tmp_path / "data") as first:
        command = [sys.executable, "-m", "crucible_collector", "serve", "--data-dir"]
        ports = [f"--{name}=127.0.0.1:0" for name in ("grpc", "http", "api")]
        answer = subprocess.run(
            [*command, str(first.data_dir), *ports],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert answer.returncode == 1
        assert str(first.running.pid) in answer.stderr
        assert answer.stderr.strip().count("\n") == 0
        assert first.get("/readyz")["data"]["database"]["is_ready"]


def test_an_address_in_use_stops_the_start_as_a_wrong_setting_does(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "crucible_collector", "serve", "--log-level=error"]
        places = [f"--data-dir={tmp_path}", f"--database-url={NOBODY_DATABASE}", f"--api={address}"]
        answer = subprocess.run(
            [*command, *places, "--grpc=127.0.0.1:0", "--http=127.0.0.1:0"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"crucible-collector: api = {address}: cannot listen there")
    assert answer.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a directory that only root may enter")
def test_the_embedded_database_works_under_a_directory_that_only_root_may_enter(
    tmp_path: Path,
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with collector(private / "data") as one:
        span = batch_span(0)
        export(one.addresses["grpc"], trace_request([span]))
        eventually(
            lambda: one.ledger().get("spans", {}).get(("stored", "")) == 1, "the span is stored"
        )


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_the_collector_runs_as_an_ordinary_user(users_home: Path, user_python: list[str]) -> None:
    """As `nobody`, with a home of its own: journal, kernels and database are all that user's."""
    missing = give_kernels(users_home)
    ports = [f"--{name}=127.0.0.1:0" for name in ("grpc", "http", "api")]
    data = users_home / "data"
    process = subprocess.Popen(
        [*user_python, "-m", "crucible_collector", "serve", f"--data-dir={data}", *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **as_nobody(users_home),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready"), process.communicate(timeout=60)[1][-2000:]
        address = dict(part.split("=", 1) for part in line.split()[1:])["grpc"]
        export(address, trace_request([batch_span(0)]))
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert (data / "database").stat().st_uid == NOBODY.pw_uid
    assert {each.stat().st_uid for each in missing if each.exists()} == {NOBODY.pw_uid}


NOBODY = pwd.getpwnam("nobody")


def as_nobody(home: Path) -> dict[str, Any]:
    return {
        "user": NOBODY.pw_uid,
        "group": NOBODY.pw_gid,
        "extra_groups": [],
        "cwd": home,
        "env": {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": os.pathsep.join(each for each in sys.path if each),
        },
    }


def give_kernels(home: Path) -> list[Path]:
    """All kernels but one, as compiling all takes a minute; returns where that one's index may be."""
    decode.warm_up(LOG)
    binary_copy.warm_up()
    shared = kernels.directory_in_use()
    assert shared is not None
    own = home / ".cache" / "crucible-collector" / shared.name
    shutil.copytree(shared, own)
    for path in [home / ".cache", *(home / ".cache").rglob("*")]:
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    missing = list(own.rglob("binary_copy._begin_rows-*.nbi"))
    for each in missing:
        each.unlink()
    return missing


@pytest.fixture
def users_home() -> Iterator[Path]:
    """A directory that `nobody` owns."""
    home = Path(f"/tmp/crucible-nobody-{os.getpid()}")
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    yield home
    shutil.rmtree(home)


@pytest.fixture
def user_python(users_home: Path) -> list[str]:
    """An interpreter of this version that `nobody` may run with this one's packages."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run(
                [candidate, "-c", "import crucible_collector.settings"],
                check=True,
                capture_output=True,
                **as_nobody(users_home),
            )
            return [candidate]
    pytest.skip("no interpreter of this version that an ordinary user may run")


def test_a_database_that_is_too_old_or_refuses_stops_the_start_with_one_line(
    tmp_path: Path, plain_server: TestServer
) -> None:
    with plain_server.database(migrated=False) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("create schema crucible")
            connection.execute("create table crucible.migrations (name text, sha256 text)")
            connection.execute("insert into crucible.migrations values ('9999_future.sql', 'x')")
        one = Collector(tmp_path / "data", dsn)
        with pytest.raises(AssertionError, match="newer collector"):
            one.start()
        one.close()


def test_a_collector_that_is_told_to_stop_while_it_starts_never_says_ready(tmp_path: Path) -> None:
    """Whichever step it is in: it ends well, and the next start finds what it needs."""
    ports = [f"--{name}=127.0.0.1:0" for name in ("grpc", "http", "api")]
    command = [sys.executable, "-m", "crucible_collector", "serve", f"--data-dir={tmp_path / 'd'}"]
    process = subprocess.Popen(
        [*command, *ports], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    eventually((tmp_path / "d" / "journal").exists, "the start has begun", 60)
    process.terminate()
    said, logged = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, ""), logged
    assert "stopped while starting" in logged
    with collector(tmp_path / "d") as one:
        assert one.get("/readyz")["data"]["database"]["is_ready"]
