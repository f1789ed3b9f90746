"""The guide's program that asks, about the guide's program that trains."""

from __future__ import annotations

from pathlib import Path

from harness import Collector, eventually
from snippets import run, write_programs


def test_the_program_that_asks_finds_what_the_first_program_did(
    running: Collector, tmp_path: Path
) -> None:
    write_programs(tmp_path)
    endpoint = f"http://{running.addresses['grpc']}"
    run(tmp_path, "train.py", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    eventually(
        lambda: running.get("/api/v1/runs?experiment=line-fit&status=completed")["data"],
        "the training is completed",
    )
    told = run(tmp_path, "ask.py", CRUCIBLE_API_URL=running.api)
    assert "lr=0.05 [" in told
    assert "not_comparable" in told
