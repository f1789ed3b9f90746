"""Did what an event tells of go wrong? The packages say so in a dozen ways.

Not taken for a failure: what is an event's own finding. An attack without success is a result, and so
is an unhealthy deployment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import crucible_schema
from crucible_schema import Phase

_FAILED = frozenset({"error", "failed", "failure", "exception"})
_NOT = frozenset({"", "false", "nil", "null", "none"})
_RAISED = frozenset({"error", "exit", "throw"})
_REASONS = ("error", "exception", "reason", "error_reason")


def failure_of(
    event: str, phase: Phase | None, metadata: Mapping[str, Any], measurements: Mapping[str, Any]
) -> Any | None:
    """What went wrong, as far as it is told ("" where it is not); None where nothing did."""
    is_failure = (
        phase is Phase.EXCEPTION
        or any(_is_true(metadata.get(name)) for name in ("error", "exception"))
        or metadata.get("ok") is False
        or (metadata.get("success") is False and not _is_finding(event))
        or any(_is_failed(metadata.get(name)) for name in ("status", "result", "outcome"))
        or any(_is_failed(measurements.get(name)) for name in ("status", "result"))
        or ("reason" in metadata and _is_raised(metadata.get("kind")))
    )
    if not is_failure:
        return None
    told = (metadata.get(name) for name in _REASONS)
    return next((each for each in told if _is_true(each) and each is not True), "")


def _is_finding(event: str) -> bool:
    key = crucible_schema.metadata_key(event, "success")
    return key is not None and key.startswith("crucible.attack.")


def _is_raised(kind: Any) -> bool:
    """A list or a map, which JSON may have there, is no kind of exception (nor hashable)."""
    return isinstance(kind, str) and kind in _RAISED


def _is_true(value: Any) -> bool:
    return bool(value) and not (isinstance(value, str) and value.lower() in _NOT)


def _is_failed(value: Any) -> bool:
    """`error`, or `{:error, reason}`, which JSON has as a list."""
    if isinstance(value, list) and value:
        value = value[0]
    return isinstance(value, str) and value.lower().removeprefix(":") in _FAILED
