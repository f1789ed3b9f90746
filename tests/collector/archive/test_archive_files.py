"""What files of archives are: for DuckDB, for who reads the manifest, and for who does not believe it."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pytest

import archived
from archived import command, made, quiet
from crucible_collector.archive import manifest as manifests
from crucible_collector.archive.contents import verify_there
from crucible_collector.archive.destination import Destination, url_of
from crucible_collector.errors import ArchiveError, SettingsError
from crucible_collector.store.archives.slices import Asked

GUIDE = (Path(__file__).parents[3] / "collector" / "README.md").read_text()


def test_the_line_of_the_guide_reads_an_archive_where_it_lies(
    plain_database: str, tmp_path: Path
) -> None:
    with archived.filled(plain_database):
        pass
    archive_id = made(plain_database, tmp_path.as_uri())
    (line,) = re.findall(
        r"^```sql\n(select .*?read_parquet.*?)```$", GUIDE, re.MULTILINE | re.DOTALL
    )
    place = re.search(r"'(s3://[^/']+/[^/']+/[^/']+)/", line)
    assert place is not None
    with duckdb.connect() as duck:
        rows = duck.execute(line.replace(place[1], f"{tmp_path}/{archive_id}")).fetchall()
    # Of 54 spans 18 stand for more: each of the three kinds has its weight.
    assert {row[0] for row in rows} == {"sweep", "other"}
    assert sum(row[1] for row in rows) == pytest.approx(36 + 18 / 0.3)


def test_a_manifest_says_what_is_there(plain_database: str, tmp_path: Path) -> None:
    with archived.filled(plain_database):
        pass
    archive_id = made(plain_database, tmp_path.as_uri(), Asked("sweep"))
    manifest = json.loads((tmp_path / str(archive_id) / "manifest.json").read_bytes())
    assert manifest["format"] == "crucible-archive/1"
    assert manifest["row_counts"]["spans"] == 27
    assert manifest["sampling"]["spans"] == {
        "sampled_row_count": 9,
        "probability_min": 0.3,
        "probability_max": 1.0,
        "weight_sum": pytest.approx(18 + 9 / 0.3),
    }
    columns = {each["name"]: each["type"] for each in manifest["files"][0]["columns"]}
    assert (columns["trace_id"], columns["attributes"]) == ("uuid", "jsonb")
    there = {
        str(each.relative_to(tmp_path / str(archive_id)))
        for each in (tmp_path / str(archive_id)).rglob("*.parquet")
    }
    assert there == {each["path"] for each in manifest["files"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "spans/../../../etc/x.parquet"}, "which is none of an archive's"),
        ({"relation": "api_keys"}, r"files\.0\.relation"),
        ({"from_time": None}, "too much, of the times"),
        ({"columns": [{"name": "a b", "type": "text"}]}, r"files\.0\.columns\.0\.name"),
        ({"row_count": -1}, r"files\.0\.row_count"),
    ],
)
def test_a_manifest_that_leads_elsewhere_is_not_believed(
    plain_database: str, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with archived.filled(plain_database):
        pass
    archive_id = made(plain_database, tmp_path.as_uri(), Asked("sweep", relations=("spans",)))
    path = tmp_path / str(archive_id) / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["files"][0] |= change
    path.write_text(json.dumps(manifest))
    with pytest.raises(ArchiveError, match=message):
        manifests.read(Destination(tmp_path.as_uri(), archive_id))


def test_a_file_that_was_cut_or_changed_is_told(plain_database: str, tmp_path: Path) -> None:
    with archived.filled(plain_database):
        pass
    archive_id = made(plain_database, tmp_path.as_uri(), Asked(relations=("points",)), rows_max=100)
    file = next((tmp_path / str(archive_id) / "points").rglob("*.parquet"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    with pytest.raises(ArchiveError, match=rf"has {len(whole) - 7} bytes, and had {len(whole)}"):
        verify_there(tmp_path.as_uri(), archive_id, quiet)
    file.write_bytes(whole[:-1] + b"x")
    with pytest.raises(ArchiveError, match="has another SHA-256"):
        verify_there(tmp_path.as_uri(), archive_id, quiet)


def test_places_are_urls_or_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert url_of("kept/here") == f"file://{tmp_path}/kept/here"
    assert url_of("s3://bucket/prefix/") == "s3://bucket/prefix"
    for wrong in (
        "s3://me@bucket/x",
        "s3://k:v@bucket",
        "az://a/b?sig=1",
        "file://host/x",
        "x://y",
    ):
        with pytest.raises(SettingsError):
            url_of(wrong)


def test_the_command_says_what_is_wrong(
    plain_database: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for arguments, message in (
        (("create",), "say what to archive"),
        (("create", "--experiment", "x"), "say where archives lie"),
        (("create", "--of", "spams", "--at", "x"), "--of spams: there are spans, points"),
        (
            ("create", "--from", "2026-11-02", "--to", "2026-11-01", "--at", "x"),
            "--from before --to",
        ),
        (("restore", "seven"), "'seven' is no id of an archive"),
        (("restore", str(uuid.uuid4())), "knows no archive"),
        (("restore", str(uuid.uuid4()), "--at", str(tmp_path)), "has no manifest.json"),
        (("verify", str(uuid.uuid4())), "knows no archive"),
        (("clean", str(uuid.uuid4())), "is none that was never finished here"),
    ):
        assert message in command(capsys, plain_database, *arguments)
