"""Not configured, or switched off: objects as always, nothing recorded, hardly any time."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

import crucible_telemetry as crucible
from crucible_telemetry import telemetry
from crucible_telemetry.point import emit_point
from crucible_telemetry.scope import current_scope


@pytest.fixture(params=["never configured", "CRUCIBLE_TELEMETRY=0", "OTEL_SDK_DISABLED"])
def _off(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "CRUCIBLE_TELEMETRY=0":
        monkeypatch.setenv("CRUCIBLE_TELEMETRY", "0")
        crucible.configure()
    elif request.param == "OTEL_SDK_DISABLED":
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        crucible.configure()


@pytest.mark.usefixtures("_off")
def test_objects_have_what_they_always_have() -> None:
    seen = []
    with crucible.experiment("sweep") as experiment, experiment.training(first_step=5) as training:
        assert training.run_id
        assert training.correlation_id
        for epoch in training.epochs(2):
            for batch in epoch.batches("ab"):
                batch.log(loss=0.5)
                batch.log({"optim/entropy": 1})
                seen.append((batch.data, batch.index, batch.step))
            with epoch.batch("c", step=90 + epoch.index) as batch:
                assert batch.parent is epoch
                assert batch.correlation_id == training.correlation_id
                seen.append((batch.data, batch.index, batch.step))
            assert epoch.batch_count == 3
    assert seen == [
        *(("a", 0, 5), ("b", 1, 6), ("c", 2, 90)),
        *(("a", 0, 91), ("b", 1, 92), ("c", 2, 91)),
    ]
    assert telemetry.current().tracer is None
    assert current_scope.get() is None


@pytest.mark.usefixtures("_off")
def test_exceptions_and_breaks_pass_through() -> None:
    with pytest.raises(ValueError, match="boom"), crucible.training() as training:
        for epoch in training.epochs(2):
            for batch in epoch.batches(range(9)):
                if batch.index == 1:
                    break
            else:
                pytest.fail("not left")
        raise ValueError("boom")
    emit_point("my_app.seen", {"k": "v"})
    assert crucible.flush()
    assert crucible.counts()["accepted"] == 0


@pytest.mark.usefixtures("_off")
def test_asyncio_works_as_always() -> None:
    async def run() -> int:
        with crucible.training() as training:
            for epoch in training.epochs(1):
                for batch in epoch.batches(range(3)):
                    await asyncio.sleep(0)
                    batch.log(loss=1.0)
            return epoch.batch_count

    assert asyncio.run(run()) == 3


def test_the_switch_loads_no_transport() -> None:
    code = (
        "import sys, crucible_telemetry as crucible; crucible.configure();"
        "training = crucible.training(); training.open(); training.close();"
        "print([name for name in ('grpc', 'requests', 'google.protobuf') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"CRUCIBLE_TELEMETRY": "0"},
    )
    assert (run.stdout.strip(), run.stderr) == ("[]", "")
