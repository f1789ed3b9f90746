"""Every snippet and every command of sdk/README.md runs, and what it says about settings is so."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import destination, privacy, settings
from sdk.receivers import Received, grpc_receiver, http_receiver
from sdk.verdicts import CRITICAL, serving
from snippets import README, blocks, programs, run, session, write_programs


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Received:
    """Run the snippets that are no programs one after another, as a reader does."""
    directory = tmp_path_factory.mktemp("readme")
    with grpc_receiver() as receiver, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.address}")
        patch.setenv("CRUCIBLE_SPOOL_DIR", str(directory / "spool"))
        patch.chdir(directory)
        crucible.configure(service_name="reader")
        namespace: dict[str, Any] = {"crucible": crucible}
        for block in session():
            exec(compile(block, str(README), "exec"), namespace)
        counts = crucible.counts()
        assert crucible.shutdown()
    assert not {name: count for name, count in counts.items() if name.startswith("fault")}
    return receiver


def test_the_snippets_send_what_they_say(received: Received) -> None:
    names = set(received.names)
    assert {
        "crucible_telemetry.experiment.paused",
        "crucible_telemetry.experiment.resumed",
        "crucible_framework.pipeline",
        "crucible_framework.stage",
        "crucible_train.training",
        "crucible_train.batch",
        "crucible_deployment.inference",
        "crucible_deployment.health_check.completed",
        "crucible_deployment.promote",
        "crucible_xai.explanation.generated",
        "crucible_adversary.attack.executed",
        "crucible_feedback.feedback.recorded",
        "my_team.dataset.refreshed",
    } <= names


def test_what_is_private_in_the_snippets_is_not_sent(received: Received) -> None:
    assert "never sent" not in str(received.requests)
    assert "ann@example.org" not in str(received.requests)


_APART = {"stage_train.py", "stop_early.py", "ask.py"}


@pytest.mark.parametrize("name", [name for name in programs() if name not in _APART])
def test_each_program_runs_and_sends_all_it_has(name: str, tmp_path: Path) -> None:
    write_programs(tmp_path)
    with grpc_receiver() as receiver:
        run(tmp_path, name, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.address}")
    assert len(receiver.spans) >= 2


def test_the_program_that_stops_early_does_and_says_why(tmp_path: Path) -> None:
    write_programs(tmp_path)
    with grpc_receiver() as receiver, serving() as api:
        api.data = CRITICAL
        told = run(
            tmp_path,
            "stop_early.py",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.address}",
            CRUCIBLE_API_URL=api.url,
        )
    assert told == "critical ['loss was not finite 41 times']\n"
    assert receiver.names.count("crucible_train.training") == 1
    assert receiver.names.count("crucible_train.epoch") < 20


def test_the_commands_run_the_first_program(tmp_path: Path) -> None:
    write_programs(tmp_path)
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
            assert command == ["python", "train.py"]
            given.setdefault("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{over_grpc.address}")
            run(tmp_path, "train.py", **given)
            arrived.append(
                (over_grpc.names.count("crucible_train.epoch"), len(over_http.spans) > 0)
            )
    assert arrived == [(3, False), (3, True), (3, True), (6, True)]


def test_the_table_of_settings_is_complete_and_its_defaults_are_so() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", README.read_text(), re.MULTILINE))
    assert set(rows) == set(inspect.signature(crucible.configure).parameters)
    assert float(rows["queue_spans_max"]) == settings.QUEUE_SPANS_MAX
    assert float(rows["export_interval_s"]) == settings.EXPORT_INTERVAL_S
    assert float(rows["exit_timeout_s"]) == settings.EXIT_TIMEOUT_S
    assert float(rows["heartbeat_s"]) == settings.HEARTBEAT_S
    assert float(rows["spool_bytes_max"]) == settings.SPOOL_BYTES_MAX
    assert float(rows["attributes_max"]) == privacy.ATTRIBUTES_MAX
    assert float(rows["attribute_bytes_max"]) == privacy.ATTRIBUTE_BYTES_MAX
    assert rows["protocol"].startswith(f"`{destination.GRPC}`")
