"""Functions in front of which an inference stands: what they were, and a call each time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

import crucible_telemetry as crucible
from crucible_telemetry.testing import capture
from sdk.registered import only

STOP = "crucible_deployment.inference.stop"
EXCEPTION = "crucible_deployment.inference.exception"


def test_a_decorated_function_reads_its_result_and_returns_it() -> None:
    @crucible.inference("m", provider="p")
    def ask(question: str) -> Any:
        """Ask."""
        crucible.current_inference().input(question)
        return SimpleNamespace(id="chatcmpl-1", usage={"prompt_tokens": 1, "completion_tokens": 2})

    with capture() as captured:
        assert ask("why").id == "chatcmpl-1"
        ask("how")
    assert ask.__name__ == "ask"
    assert ask.__doc__ == "Ask."
    calls = captured.named(STOP)
    assert [call.measurements["input_size"] for call in calls] == [3, 3]
    assert [call.attributes["gen_ai.usage.output_tokens"] for call in calls] == [2, 2]
    assert len({call.span.context.trace_id for call in calls}) == 2


def test_a_decorated_coroutine_function_is_one_still() -> None:
    @crucible.inference("m")
    async def ask() -> str:
        await asyncio.sleep(0)
        return "four"

    assert asyncio.iscoroutinefunction(ask)
    with capture() as captured:
        assert asyncio.run(ask()) == "four"
    assert only(captured, STOP).measurements["output_size"] == 4


def test_a_decorated_method_fails_as_it_did() -> None:
    class Client:
        @crucible.inference("m")
        def ask(self) -> None:
            raise LookupError("gone")

    with capture() as captured, pytest.raises(LookupError, match="gone"):
        Client().ask()
    assert only(captured, EXCEPTION).attributes["crucible.error.kind"] == "LookupError"
