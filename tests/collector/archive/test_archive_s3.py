"""Archives in a real S3 store over HTTP, which slows down, answers too little or wrongly, or sees us killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator

import obstore
import pytest
from obstore.store import from_url

import archived
from archived import BY_TIME, command, contents, made, quiet
from crucible_collector.archive.contents import verify, verify_there
from crucible_collector.archive.create import NewArchive, create
from crucible_collector.archive.drop import drop
from crucible_collector.archive.restore import restore
from crucible_collector.errors import ArchiveError
from crucible_collector.store.archives.slices import Asked
from object_store import KEY, SECRET, ObjectStore, object_store


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    with object_store() as store:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        yield store


def test_a_store_that_slows_down_and_cuts_and_garbles_answers_is_asked_again(
    plain_database: str, s3: ObjectStore
) -> None:
    with archived.filled(plain_database):
        pass
    before = contents(plain_database)
    s3.faults.slowed, s3.faults.cut, s3.faults.garbled = 12, 2, 1
    archive_id = made(plain_database, s3.url, rows_max=40)
    assert (s3.faults.slowed, s3.faults.cut, s3.faults.garbled) == (0, 0, 0)
    s3.faults.slowed, s3.faults.cut = 4, 1
    drop(plain_database, archive_id, quiet)
    assert not any(contents(plain_database, BY_TIME).values())
    s3.faults.garbled = 1
    restore(plain_database, archive_id, quiet)
    assert contents(plain_database) == before


def test_nothing_is_dropped_that_does_not_read_back(plain_database: str, s3: ObjectStore) -> None:
    with archived.filled(plain_database):
        pass
    before = contents(plain_database)
    archive_id = made(plain_database, s3.url, rows_max=40)
    s3.faults.garbled = 2
    with pytest.raises(ArchiveError, match=r"parquet has another SHA-256 than when it was written"):
        drop(plain_database, archive_id, quiet)
    store = from_url(s3.url)
    paths = [str(each["path"]) for some in obstore.list(store) for each in some]
    lost = next(path for path in paths if "/logs/" in path)
    obstore.delete(store, lost)
    with pytest.raises(ArchiveError, match=r"logs/day=.* is not there"):
        drop(plain_database, archive_id, quiet)
    assert contents(plain_database) == before
    with pytest.raises(ArchiveError, match="is not there"):
        verify(plain_database, archive_id, quiet)


def test_one_that_was_killed_goes_on_and_writes_no_file_twice(
    plain_database: str, s3: ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with archived.filled(plain_database):
        pass
    before = contents(plain_database)
    s3.faults.hold_at = 6
    process = subprocess.Popen(
        [
            *(
                sys.executable,
                "-m",
                "crucible_collector",
                "archive",
                "create",
                "--from",
                "2000-01-01",
            ),
            *("--at", s3.url, "--database-url", plain_database),
        ],
        env={**os.environ, **s3.environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert s3.faults.is_held.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        said = process.stderr.read() if process.stderr else ""
    archive = said.split("archive ")[1].split()[0]
    written = sum(s3.faults.written.values())
    s3.faults.hold_at = None
    s3.faults.release.set()
    with pytest.raises(ArchiveError, match=r"has no manifest\.json"):
        verify_there(s3.url, uuid.UUID(archive), quiet)
    report = command(capsys, plain_database, "resume", archive, "--drop")
    assert report["state"] == "dropped"
    assert written == 6
    assert set(s3.faults.written.values()) <= {1, 2}
    assert sum(count == 2 for count in s3.faults.written.values()) <= 1  # the one that was held
    assert command(capsys, plain_database, "restore", archive)["state"] == "restored"
    assert contents(plain_database) == before


def test_one_that_was_killed_can_be_cleaned_up_and_leaves_nothing(
    plain_database: str, s3: ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with archived.filled(plain_database):
        pass
    whole = made(plain_database, s3.url)

    def stop(share: float, report: object = None) -> None:
        if share > 0.3 and report is None:
            raise KeyboardInterrupt

    archive_id = uuid.uuid4()
    new = NewArchive(archive_id, s3.url, Asked("sweep"))
    with pytest.raises(KeyboardInterrupt):
        create(plain_database, new, stop, rows_max=10)
    (cleaned,) = command(capsys, plain_database, "clean")
    assert cleaned["archive_id"] == str(archive_id)
    assert cleaned["file_count"] > 3
    assert not [some for some in obstore.list(from_url(s3.url), str(archive_id)) if some]
    assert verify_there(s3.url, whole, quiet)["state"] == "verified"
    assert [each["archive_id"] for each in command(capsys, plain_database, "list")] == [str(whole)]


def test_no_secret_is_in_a_manifest_an_error_or_the_database(
    plain_database: str, s3: ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with archived.filled(plain_database):
        pass
    arguments = ("--experiment", "sweep", "--at")
    said = command(
        capsys, plain_database, "create", *arguments, f"s3://{KEY}:{SECRET}@archives/telemetry"
    )
    assert "credentials are taken from the environment only" in said
    assert command(capsys, plain_database, "list") == []
    nowhere = command(capsys, plain_database, "create", *arguments, "s3://no-such-bucket/x")
    assert "cannot write s3://no-such-bucket/x/" in nowhere
    assert command(capsys, plain_database, "create", *arguments, s3.url)["state"] == "verified"
    told = said + nowhere + json.dumps(command(capsys, plain_database, "list"))
    store = from_url(s3.url)
    for some in obstore.list(store):
        for each in some:
            if str(each["path"]).endswith("manifest.json"):
                told += bytes(obstore.get(store, str(each["path"])).bytes()).decode()
    assert '"weight_sum"' in told
    assert KEY not in told
    assert SECRET not in told
