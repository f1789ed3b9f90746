"""What the README shows an analyst: from which condition is better to a Parquet file in pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from analysed import CONDITIONS, EPOCHS, RUNS_EACH, sweep
from harness import collector
from test_readme import at, blocks


def test_five_calls_tell_which_condition_is_better_and_give_its_points(tmp_path: Path) -> None:
    (example,) = blocks("analysis")
    with collector(tmp_path / "data") as running:
        sweep(running, tmp_path)
        answer = subprocess.run(
            [sys.executable, "-W", "error", "-c", at(running, example)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            check=False,
        )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.count("completed") == RUNS_EACH * len(CONDITIONS)
    assert f"{CONDITIONS[1]} is better than {CONDITIONS[0]}" in answer.stdout
    assert "cost_usd" in answer.stdout
    assert f"val_accuracy   {float(RUNS_EACH * EPOCHS * 2):.1f}" in answer.stdout
