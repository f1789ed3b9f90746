"""What was captured of pipelines and their stages."""

from __future__ import annotations

from typing import Any

from crucible_telemetry.testing import Captured

STAGE, PIPELINE = "crucible_framework.stage", "crucible_framework.pipeline"


def ends(captured: Captured) -> list[tuple[str, str, str]]:
    return [
        (
            event.name.rpartition(".")[2],
            event.attributes["crucible.stage.name"],
            event.attributes["crucible.status"],
        )
        for event in captured.events
        if event.name in {f"{STAGE}.stop", f"{STAGE}.exception"}
    ]


def stages(captured: Captured) -> list[tuple[Any, ...]]:
    return [
        (
            event.attributes["crucible.stage.name"],
            event.attributes["crucible.stage.index"],
            event.attributes["crucible.stage.attempt"],
            event.attributes["crucible.status"],
        )
        for event in captured.events
        if event.name in {f"{STAGE}.stop", f"{STAGE}.exception"}
    ]
