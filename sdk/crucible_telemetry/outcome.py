"""What the exception that ended a scope means, in the registry's words."""

from __future__ import annotations

from crucible_telemetry import values

COMPLETED, FAILED, CANCELLED, EARLY_STOPPED = "completed", "failed", "cancelled", "early_stopped"


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
