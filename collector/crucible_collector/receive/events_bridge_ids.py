"""Trace and span ids for events that come without: the same event gets the same ids, whenever sent.

The packages know no spans, but other ids that belong together: a run's, a request's, the reference
that an Erlang span puts on its start and its stop. From these the ids are hashed, so that a stop and
its start, a batch and its epoch find each other though they come in different requests. An epoch is a
trace of its own, as the SDK has it; a stage in a loop that does not say which round it is could be any
of them, and gets ids of its own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{22}(?:==)?")
_SPAN_ID = re.compile(r"[0-9a-fA-F]{16}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_TRAINING, _PIPELINE = "crucible_train.training", "crucible_framework.pipeline"
_EPOCH, _STAGE = "crucible_train.epoch", "crucible_framework.stage"
_TRAIN = "crucible_train."


@dataclass(frozen=True, slots=True)
class Ids:
    """Of one span; `parent_span_id` is empty where none is known."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes = b""


def trace_id_of(value: str) -> bytes | None:
    """The 16 bytes of a UUID, 32 hex digits or 22 characters of base64url; None for anything else."""
    if _UUID.fullmatch(value):
        found = bytes.fromhex(value.replace("-", ""))
    elif _BASE64URL.fullmatch(value):
        try:
            found = base64.urlsafe_b64decode(value[:22] + "==")
        except binascii.Error:
            return None
    else:
        return None
    return found if any(found) else None


def traceparent_of(value: str) -> tuple[bytes, bytes] | None:
    """Trace and span id of a W3C traceparent."""
    match = _TRACEPARENT.fullmatch(value.strip().lower())
    if match is None:
        return None
    trace_id, span_id = bytes.fromhex(match[1]), bytes.fromhex(match[2])
    return (trace_id, span_id) if any(trace_id) and any(span_id) else None


@dataclass(frozen=True, slots=True)
class Known:
    """What an event says of where it belongs; every id as text, None where it says nothing."""

    scope: str  # the event's name without start, stop or exception; a point's own name
    is_start: bool
    is_lifecycle: bool
    values: Mapping[str, str | None]
    fingerprint: bytes  # of the event's whole content

    def __getitem__(self, name: str) -> str | None:
        return self.values.get(name)


NAMES = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "traceparent",
    "telemetry_span_context",
    "request_id",
    "run_id",
    "correlation_id",
    "epoch",
    "stage_name",
    "stage_index",
    "loop_name",
    "loop_index",
    "attempt",
)


def named(values: Mapping[str, Any]) -> dict[str, str | None]:
    """The ids among an event's fields, as text."""
    found: dict[str, str | None] = {}
    for name in NAMES:
        value = values.get(name)
        is_there = isinstance(value, str | int | float) and not isinstance(value, bool)
        found[name] = str(value) if is_there and value != "" else None
    return found


def is_in_ids(name: str, value: Any) -> bool:
    """Whether the span's ids say all that this field does."""
    if not isinstance(value, str):
        return False
    if name == "trace_id":
        return trace_id_of(value) is not None
    return name in {"span_id", "parent_span_id"} and _SPAN_ID.fullmatch(value) is not None


def ids_of(known: Known) -> Ids:
    """The ids of an event's span."""
    carried = traceparent_of(known["traceparent"] or "")
    trace_id = _trace_id(known, carried)
    own = _span_id(known["span_id"]) if known["span_id"] else None
    paired = _paired(known, trace_id) if own is None else own
    parent = _given_parent(known, carried) or _parent(known, trace_id)
    if known.is_start and known.is_lifecycle:
        if paired is None:
            return Ids(trace_id, _hash("start", known.fingerprint)[:8], parent)
        return Ids(trace_id, _hash("start", paired, known.fingerprint)[:8], paired)
    return Ids(trace_id, paired or _hash("span", known.fingerprint)[:8], parent)


def _trace_id(known: Known, carried: tuple[bytes, bytes] | None) -> bytes:
    given = known["trace_id"]
    if given is not None:
        return trace_id_of(given) or _hash("trace", given)
    if carried is not None:
        return carried[0]
    if known["request_id"] is not None:
        return _hash("request", known["request_id"])
    if known["run_id"] is not None:
        return _trace_id_in_run(known, known["run_id"])
    correlation_id, context = known["correlation_id"], known["telemetry_span_context"]
    if correlation_id is not None:
        return trace_id_of(correlation_id) or _hash("correlation", correlation_id)
    return _hash("context", context) if context is not None else _hash("event", known.fingerprint)


def _trace_id_in_run(known: Known, run_id: str) -> bytes:
    """A training and each of its epochs are traces of their own; everything else of a run is one."""
    if not known.scope.startswith(_TRAIN):
        return _hash("run", run_id)
    if known.scope != _TRAINING and known["epoch"] is not None:
        return _hash("run", run_id, "epoch", known["epoch"])
    return _hash("run", run_id, "training")


def _paired(known: Known, trace_id: bytes) -> bytes | None:
    """The id that the start and the end of one life come to alike; None where nothing tells."""
    if not known.is_lifecycle:
        return None
    names: tuple[str, ...] = ("run_id",)
    is_told = known["run_id"] is not None
    if known["telemetry_span_context"] is not None or known["request_id"] is not None:
        names, is_told = ("telemetry_span_context", "request_id"), True
    elif known.scope == _EPOCH:
        names, is_told = ("run_id", "epoch"), is_told and known["epoch"] is not None
    elif known.scope == _STAGE:
        names = ("run_id", "stage_name", "stage_index", "loop_name", "loop_index", "attempt")
        is_told = is_told and not (known["stage_index"] is None and known["loop_index"] is None)
    elif known.scope not in {_TRAINING, _PIPELINE}:
        is_told = False
    return _life(trace_id, known.scope, *(known[name] for name in names)) if is_told else None


def _given_parent(known: Known, carried: tuple[bytes, bytes] | None) -> bytes:
    given = known["parent_span_id"]
    if given is not None:
        return _span_id(given)
    return carried[1] if carried is not None else b""


def _parent(known: Known, trace_id: bytes) -> bytes:
    """A batch, a checkpoint of an epoch; a stage of a pipeline."""
    run_id, epoch = known["run_id"], known["epoch"]
    if run_id is None:
        return b""
    if known.scope == _STAGE:
        return _life(trace_id, _PIPELINE, run_id)
    is_within = known.scope.startswith(_TRAIN) and known.scope not in {_EPOCH, _TRAINING}
    return _life(trace_id, _EPOCH, run_id, epoch) if is_within and epoch is not None else b""


def _life(trace_id: bytes, scope: str, *parts: str | None) -> bytes:
    return _hash("life", trace_id, scope, *parts)[:8]


def _span_id(given: str) -> bytes:
    """16 hex digits as they are; any other id, a UUID say, by its hash."""
    if _SPAN_ID.fullmatch(given) and int(given, 16):
        return bytes.fromhex(given)
    return _hash("span id", given)[:8]


def _hash(*parts: str | bytes | None) -> bytes:
    """16 bytes that follow from the parts and their borders; None counts as empty."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else (part or "").encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(4))
        state.update(data)
    return state.digest()


def fingerprint(*parts: str | bytes) -> bytes:
    """What identifies an event that has no id of its own."""
    return _hash("fingerprint", *parts)
