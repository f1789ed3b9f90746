"""Checkpoints of a run: each with what was measured at it, by the rows of its events."""

from __future__ import annotations

from typing import Any

from stored import Api, Stored, at


def saved(stored: Stored, seconds: float, step: int, attributes: dict[str, Any]) -> None:
    stored.span(
        time=at(seconds),
        run_id="run-1",
        event_name="crucible_train.checkpoint.saved",
        step=step,
        attributes=attributes,
    )


def test_checkpoints_come_oldest_first_with_what_was_measured_at_each(
    stored: Stored, api: Api
) -> None:
    stored.run("run-1")
    good = {"crucible.checkpoint.path": "b.pt", "crucible.measurement.accuracy": 0.9}
    lost = {
        "crucible.checkpoint.path": "a.pt",
        "crucible.measurement.loss": {"$double": "NaN"},
        "crucible.measurement.model_size_bytes": 812,
    }
    saved(stored, 2, 20, good)
    saved(stored, 1, 10, lost)
    stored.span(time=at(3), run_id="run-1", event_name="crucible_train.batch.stop")
    first, second = api.ask("/runs/run-1/checkpoints")
    assert (first["step"], first["path"], second["step"], second["path"]) == (
        10,
        "a.pt",
        20,
        "b.pt",
    )
    assert (first["metrics"], first["model_size_bytes"]) == ({"loss": "NaN"}, 812)
    assert (second["metrics"], second["model_size_bytes"]) == ({"accuracy": 0.9}, None)


def test_they_come_in_pages_and_none_of_another_run(stored: Stored, api: Api) -> None:
    stored.run("run-1")
    stored.run("run-2")
    for number in range(5):
        saved(stored, number, number, {})
    pages = list(api.pages("/runs/run-1/checkpoints", limit=2))
    assert [[each["step"] for each in page] for page in pages] == [[0, 1], [2, 3], [4]]
    assert api.ask("/runs/run-2/checkpoints") == []
    assert api.get("/api/v1/runs/run-3/checkpoints").status_code == 404
