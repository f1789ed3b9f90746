"""What collector/README.md says of exports can be done as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from crucible_collector.cli import main
from stored import Stored

GUIDE = (Path(__file__).parents[3] / "collector" / "README.md").read_text("utf-8")
SECTION = GUIDE.partition("\n## Exports\n")[2].partition("\n## ")[0]
COMMANDS = re.findall(r"^crucible-collector (export .*?)(?:\s+#.*)?$", SECTION, re.MULTILINE)
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)


def test_the_commands_and_the_program_run(
    filled_plain: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    with psycopg.connect(filled_plain, autocommit=True) as conn:
        stored = Stored(conn)
        for number in range(2):
            stored.span(experiment_id="lr-sweep", duration_ns=number * 2_000_000_000)
        stored.series(9, experiment_id="lr-sweep")
        stored.points(9, [3.0, 2.0])
    monkeypatch.chdir(tmp_path)
    pool = pa.default_memory_pool()
    try:
        for command in COMMANDS:
            assert main([*shlex.split(command), "--database-url", filled_plain]) == 0
    finally:
        pa.set_memory_pool(pool)
    assert len(COMMANDS) == 5
    assert b'"severity_number":17' in capfdbinary.readouterr().out
    found: dict[str, object] = {}
    exec(PROGRAM, found)
    assert {name: len(found[name]) for name in ("points", "curve", "slow", "events")} == {  # type: ignore[arg-type]
        "points": 2,
        "curve": 2,
        "slow": 1,
        "events": 2,
    }
