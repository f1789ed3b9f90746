"""What the exception that ended a scope means, in the registry's words."""

from __future__ import annotations

import traceback
from typing import NamedTuple

from opentelemetry.trace import Status, StatusCode

from crucible_schema import events as names
from crucible_telemetry import values
from crucible_telemetry.privacy import Policy
from crucible_telemetry.values import AttributeValue

COMPLETED, FAILED, CANCELLED, EARLY_STOPPED = "completed", "failed", "cancelled", "early_stopped"


class Aborted(BaseException):
    """What the scopes of an experiment that is given up are closed with. It is never raised."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(reason or "aborted")
        self.reason = reason


def is_failure(error: BaseException) -> bool:
    """Whether an exception means that something went wrong, not that somebody ended it.

    KeyboardInterrupt, GeneratorExit and asyncio's CancelledError are no `Exception`s.
    """
    if isinstance(error, SystemExit):
        return error.code not in {None, 0}
    return isinstance(error, Exception)


def outcome(error: BaseException | None) -> str:
    """Return the run status that an ending means."""
    if error is None:
        return COMPLETED
    return FAILED if is_failure(error) else CANCELLED


def kind_of(error: BaseException) -> str:
    """Return the name of the exception's class, as OpenTelemetry writes `exception.type`."""
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def reason_of(error: BaseException) -> str:
    """Return the message in one line."""
    try:
        return values.bounded_text(" ".join(str(error).split()))
    except Exception:  # noqa: BLE001 - an exception that cannot be printed is still a failure
        return ""


def why_cancelled(error: BaseException) -> str:
    """Return who or what ended a scope that did not fail: the message, else the exception's kind."""
    return kind_of(error) if isinstance(error, SystemExit) else reason_of(error) or kind_of(error)


class Failure(NamedTuple):
    """What the end of a span tells of an exception."""

    attributes: dict[str, AttributeValue]
    status: Status
    exception_attributes: dict[str, AttributeValue]  # of the span event named `exception`


def failure(error: BaseException, policy: Policy) -> Failure:
    """Describe an exception in the registry's words and in OpenTelemetry's."""
    kind, reason = kind_of(error), reason_of(error)
    reason = policy.text(names.ERROR_REASON, reason)
    return Failure(
        policy.applied({names.ERROR_KIND: kind, names.ERROR_REASON: reason}),
        Status(StatusCode.ERROR, f"{kind}: {reason}"),
        policy.applied(
            {
                names.EXCEPTION_TYPE: kind,
                names.EXCEPTION_MESSAGE: _message(error),
                names.EXCEPTION_STACKTRACE: "".join(traceback.format_exception(error)),
                "exception.escaped": "True",  # it came out of the scope
            }
        ),
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - as in reason_of
        return ""
