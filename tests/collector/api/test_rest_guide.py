"""What the guide's section on REST shows is run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stored import Api, Stored

GUIDE = Path(__file__).parents[3] / "collector" / "README.md"
SECTION = GUIDE.read_text().partition("\n## REST\n")[2].partition("\n## ")[0]
ADDRESS = "http://127.0.0.1:8080"


@pytest.fixture
def database(plain_database: str) -> str:
    """The guide is the same for both kinds."""
    return plain_database


def _blocks(api: Api, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", SECTION, re.DOTALL | re.MULTILINE)
    assert found
    return [text.replace(ADDRESS, str(api.client.base_url).rstrip("/")) for text in found]


def test_the_commands_lead_an_experiment(api: Api) -> None:
    for text in _blocks(api, "sh"):
        script = text.replace("curl ", "curl --fail-with-body -sS ")
        subprocess.run(["bash", "-euc", script], check=True, capture_output=True, timeout=30)
    found = api.ask("/experiments/lr-sweep")
    assert (found["status"], found["pause_reason"]) == ("paused", "the cluster is full")
    assert (found["hypothesis"], found["metadata"]) == ("0.1 is too large", {"ticket": "ML-7"})


def test_the_snippet_reads_runs_into_pandas(stored: Stored, api: Api) -> None:
    stored.run("run-1", status="completed")
    stored.run("run-2", status="failed")
    named: dict[str, Any] = {}
    for text in _blocks(api, "python"):
        exec(text, named)
    assert list(named["runs"].columns) == ["run_id", "condition", "started_at"]
    assert list(named["runs"]["run_id"]) == ["run-1"]
