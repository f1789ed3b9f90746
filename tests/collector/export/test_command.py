"""`crucible-collector export`: to a file, a directory or standard output; whole or not at all."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crucible_collector.cli import main
from crucible_collector.export.command import _Bar


@pytest.fixture(autouse=True)
def _own_pool() -> object:
    """The command chooses where Arrow's memory comes from; the tests after it have their own again."""
    before = pa.default_memory_pool()
    yield
    pa.set_memory_pool(before)


def export(dsn: str, *arguments: str) -> int:
    return main(["export", "--database-url", dsn, *arguments])


def test_the_name_of_the_file_says_the_format(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "points.parquet"
    assert export(filled, "--of", "points", "--run", "run-1", "--out", str(out)) == 0
    assert pq.read_metadata(out).num_rows == 4
    assert capsys.readouterr().err.startswith("4 rows, ")
    assert export(filled, "--out", f"{tmp_path}/", "--format", "csv", "--fields", "name,time") == 0
    assert (tmp_path / "events.csv").read_text().startswith('"name","time"\n')
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.csv", "new"]


def test_a_directory_is_partitioned_and_never_mixed_with_what_is_there(
    filled_plain: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "events")
    assert export(filled_plain, "--partition", "--out", out) == 0
    assert len(list(Path(out).rglob("*.parquet"))) == 3
    assert "3 files" in capsys.readouterr().err
    assert export(filled_plain, "--partition", "--out", out) == 2
    assert "a directory with something in it" in capsys.readouterr().err


def test_standard_output_is_a_stream_of_nothing_but_rows(filled_plain: str) -> None:
    """What reads it may be `duckdb`, `jq`, or a program that opens an Arrow stream."""
    command = [sys.executable, "-m", "crucible_collector", "export", "--database-url", filled_plain]

    def told(*arguments: str) -> bytes:
        done = subprocess.run(
            [*command, *arguments, "--out", "-"], capture_output=True, check=True, timeout=60
        )
        return done.stdout

    lines = told("--format", "jsonl", "--of", "runs").splitlines()
    assert [json.loads(line)["run_id"] for line in lines] == ["run-1", "run-2", "run-3"]
    with pa.ipc.open_stream(told("--format", "arrow", "--of", "points")) as reader:
        assert reader.read_all().num_rows == 7


def test_what_fails_leaves_no_file(
    filled_plain: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(filled_plain, "--fields", "nope", "--out", str(tmp_path / "e.csv")) == 2
    assert "fields: there is no 'nope'" in capsys.readouterr().err
    assert export("postgresql://127.0.0.1:1/none", "--out", str(tmp_path / "e.csv")) == 1
    assert not list(tmp_path.iterdir())
    assert export(filled_plain, "--out", "-") == 2
    assert "parquet cannot be written to standard output" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert export(filled_plain, "--out", str(tmp_path / "file" / "e.csv")) == 1


def test_the_key_of_hashes_comes_from_a_file(
    filled_plain: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    out, key_file = tmp_path / "e.csv", tmp_path / "key"
    arguments = ["--anonymise", "users", "--fields", "attributes.user.id", "--out", str(out)]
    for key in ("one key of ours", "one key of ours\n", "another key"):
        key_file.write_text(key)
        assert export(filled_plain, *arguments, "--hash-key-file", str(key_file)) == 0
        found.append(out.read_text())
    assert found[0] == found[1] != found[2]
    assert "ada" not in found[0]
    assert export(filled_plain, *arguments, "--hash-key-file", str(tmp_path / "none")) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_bar_is_drawn_on_a_terminal_alone() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        bar = _Bar(out)
        bar(0.5, {"row_count": 1000, "byte_count": 5})
        bar(1.0, {"row_count": 2000, "byte_count": 9})
        bar.end()
    assert " 50%  1,000 rows" in terminal.getvalue()
    assert "100%  2,000 rows" in terminal.getvalue()
    assert file.getvalue() == ""
