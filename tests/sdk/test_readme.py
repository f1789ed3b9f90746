"""Every snippet and every command of sdk/README.md runs, and what it says about settings is so."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import destination, settings
from sdk.receivers import Received, grpc_receiver, http_receiver

README = Path(__file__).parents[2] / "sdk" / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Received:
    """Run the Python snippets one after another, as a reader does, and return what arrived."""
    with grpc_receiver() as receiver, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.address}")
        patch.chdir(tmp_path_factory.mktemp("readme"))
        namespace: dict[str, Any] = {}
        for block in blocks("python"):
            exec(compile(block, str(README), "exec"), namespace)
        counts = crucible.counts()
        assert crucible.shutdown()
    assert set(counts) == {"accepted", "delivered", "dropped", "failed", "waiting"}
    return receiver


def test_the_snippets_send_what_they_say(received: Received) -> None:
    assert received.names.count("crucible_train.training") == 5
    assert received.names.count("crucible_train.batch") == 3 * 25 + 1 + 2
    assert received.names.count("crucible_train.checkpoint.saved") == 1
    assert received.resource["service.name"] == "trainer"


def test_the_commands_run_the_first_snippet(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(blocks("python")[0])
    arrived = []
    with grpc_receiver() as over_grpc, http_receiver() as over_http:
        for line in "".join(blocks("sh")).splitlines():
            words = shlex.split(
                line.replace("127.0.0.1:4317", over_grpc.address).replace(
                    "127.0.0.1:4318", over_http.address
                )
            )
            given = dict(word.split("=", 1) for word in words if "=" in word)
            command = [word for word in words if "=" not in word]
            assert command[0] == "python"
            subprocess.run(
                [sys.executable, *command[1:]],
                env={**os.environ, **given},
                cwd=tmp_path,
                check=True,
                timeout=60,
            )
            arrived.append(
                (over_grpc.names.count("crucible_train.epoch"), len(over_http.spans) > 0)
            )
    assert arrived == [(3, False), (3, True), (3, True)]


def test_the_table_of_settings_is_complete_and_its_defaults_are_so() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", README.read_text(), re.MULTILINE))
    assert set(rows) == set(inspect.signature(crucible.configure).parameters)
    assert float(rows["queue_spans_max"]) == settings.QUEUE_SPANS_MAX
    assert float(rows["export_interval_s"]) == settings.EXPORT_INTERVAL_S
    assert float(rows["exit_timeout_s"]) == settings.EXIT_TIMEOUT_S
    assert rows["protocol"].startswith(f"`{destination.GRPC}`")
