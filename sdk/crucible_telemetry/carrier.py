"""What travels between processes: the headers, or variables, that tell of a story.

A carrier holds W3C's `traceparent` and `baggage` and, for services that know neither, the
correlation id as `X-Correlation-Id`; in an environment the names are upper-case (OpenTelemetry,
"Environment Variables as Context Propagation Carriers").

What a reader could not guess: OpenTelemetry's own baggage propagator writes a space as `+`, which
readers other than Python's take for a plus. So baggage is written here, with `%20`, which all of
them read, its own included; it is read by the stock propagator. Of the two places for a correlation
id the baggage counts, as gateways make up an `X-Correlation-Id` where they miss one.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from crucible_schema import events as names
from crucible_telemetry import faults, values
from crucible_telemetry.faults import Fault
from crucible_telemetry.scope import CARRIED
from crucible_telemetry.staged import NEXT_INDEX
from crucible_telemetry.values import AttributeValue

TRACEPARENT, TRACESTATE, BAGGAGE = "traceparent", "tracestate", "baggage"
CORRELATION_HEADER = "X-Correlation-Id"
_FIELDS = {TRACEPARENT, TRACESTATE, BAGGAGE, CORRELATION_HEADER.lower()}
# What W3C's baggage lets every implementation expect of the others.
BAGGAGE_BYTES_MAX = 8192
_BAGGAGE_MEMBERS_MAX = 64
OURS = "crucible."  # what the names of our entries begin with
_WHOLE_NUMBERS = {names.STAGE_INDEX, names.LOOP_INDEX, NEXT_INDEX}
_TAKEN = {*CARRIED, names.PIPELINE_ID, NEXT_INDEX}
_WHOLE_NUMBER_DIGITS_MAX = 9

_trace_context = TraceContextTextMapPropagator()
_baggage = W3CBaggagePropagator()

Carrier = Mapping[str, Any] | Mapping[bytes, Any] | Iterable[tuple[Any, Any]]
Read = tuple[SpanContext, dict[str, AttributeValue], dict[str, str]]


def written(inside: Context, entries: Mapping[str, object]) -> dict[str, str]:
    """Return the headers for a span's context and the entries of a baggage."""
    carrier: dict[str, str] = {}
    _trace_context.inject(carrier, inside)
    if header := _baggage_header(entries):
        carrier[BAGGAGE] = header
    correlation_id = str(entries.get(names.CORRELATION_ID, ""))
    if correlation_id and correlation_id.isascii() and correlation_id.isprintable():
        carrier[CORRELATION_HEADER] = correlation_id  # others travel in the baggage alone
    return carrier


def _baggage_header(entries: Mapping[str, object]) -> str:
    """Return as many entries as fit, in their order; ours come first."""
    written: list[str] = []
    length = 0
    for name, value in entries.items():
        entry = f"{quote(name, safe='')}={quote(str(value), safe='')}"
        length += len(entry) + 1
        if length > BAGGAGE_BYTES_MAX or len(written) == _BAGGAGE_MEMBERS_MAX:
            faults.note(Fault.TOO_LARGE, "baggage is too large to be sent from %s on", name)
            break
        written.append(entry)
    return ",".join(written)


def read(carrier: Carrier) -> Read:
    """Return the remote span, what is told of our story, and the other entries of the baggage."""
    fields = _fields(carrier)
    with _quiet():
        found = _baggage.extract(fields, _trace_context.extract(fields, Context()))
    told: dict[str, AttributeValue] = {}
    others: dict[str, str] = {}
    for name, value in baggage.get_all(found).items():
        if not name.startswith(OURS):
            others[name] = str(value)
        elif name in _TAKEN:
            cleaned = _cleaned(name, str(value))
            if cleaned is not None:
                told[name] = cleaned
    if names.CORRELATION_ID not in told:
        header = fields.get(CORRELATION_HEADER.lower(), "")
        cleaned = _cleaned(names.CORRELATION_ID, header)
        if cleaned is not None:
            told[names.CORRELATION_ID] = cleaned
    return trace.get_current_span(found).get_span_context(), told, others


def _fields(carrier: Carrier) -> dict[str, str]:
    """Return what matters of a carrier under the names that HTTP/2 gives them."""
    pairs = carrier.items() if isinstance(carrier, Mapping) else carrier
    found: dict[str, str] = {}
    for given, value in pairs:
        name = _text(given).lower().replace("_", "-").removeprefix("http-")
        if name in _FIELDS and value is not None:
            several = isinstance(value, list | tuple)
            texts = [_text(each) for each in value] if several else [_text(value)]
            found[name] = ",".join(filter(None, [found.get(name), *texts]))
    return found


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _cleaned(name: str, value: str) -> AttributeValue | None:
    """Return a value as we would have sent it; None where nothing is left of it."""
    text = "".join(character for character in value if character.isprintable()).strip()
    if name in _WHOLE_NUMBERS:
        is_number = text.isascii() and text.isdecimal() and len(text) <= _WHOLE_NUMBER_DIGITS_MAX
        return int(text) if is_number else None
    if not text:
        return None
    if name == names.CORRELATION_ID:
        return values.bounded_correlation_id(text)
    return values.bounded_id(text)


_is_reading = contextvars.ContextVar("crucible_telemetry_is_reading", default=False)


class _quiet:  # noqa: N801 - read as an adverb after `with`
    """Keeps the propagators' lines about a bad carrier, which quote it, out of the log."""

    def __enter__(self) -> None:
        for name in (
            "opentelemetry.baggage.propagation",
            "opentelemetry.trace.propagation.tracecontext",
        ):
            logging.getLogger(name).addFilter(_not_while_reading)  # once; the list has no doubles
        self._token = _is_reading.set(True)

    def __exit__(self, *_error: object) -> None:
        _is_reading.reset(self._token)


def _not_while_reading(_record: logging.LogRecord) -> bool:
    return not _is_reading.get()
