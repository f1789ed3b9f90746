"""`instrument()` finds the adapter, imports nothing for it, and says what it takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

import crucible_telemetry as crucible
from crucible_telemetry.testing import capture
from sdk.integrations.conformance import only

LIBRARIES = (
    "keras",
    "kedro",
    "lightning",
    "numpy",
    "pytorch_lightning",
    "sklearn",
    "torch",
    "transformers",
)


@pytest.mark.parametrize("wrong", [None, 3, "model", [], object()])
def test_what_it_does_not_know_is_a_wrong_argument(wrong: object) -> None:
    with pytest.raises(TypeError, match=f"{type(wrong).__name__} object.*DataLoader"):
        crucible.instrument(wrong)


def test_nothing_is_imported_to_find_out() -> None:
    program = f"""
import sys
import crucible_telemetry as crucible
try:
    crucible.instrument(object())
except TypeError:
    pass
print([name for name in {LIBRARIES!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_function_becomes_a_stage() -> None:
    def tokenise(text: str) -> list[str]:
        return text.split()

    with capture() as captured, crucible.pipeline("words"):
        assert crucible.instrument(tokenise)("to be") == ["to", "be"]
    stage = only(captured, "crucible_framework.stage.stop")
    assert stage.attributes["crucible.stage.name"] == "tokenise"


def test_an_option_that_an_adapter_does_not_have_is_a_wrong_argument() -> None:
    def tokenise(text: str) -> list[str]:
        return text.split()

    with pytest.raises(TypeError, match="no_such_option"):
        crucible.instrument(tokenise, no_such_option=1)
