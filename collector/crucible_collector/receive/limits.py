"""What one request and one record may ask of the collector and of the database behind it."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Limits:
    """Each with its reason; body_bytes_max, past_s and ahead_s follow the collector's settings."""

    # OTLP's own default, counted after decompression.
    body_bytes_max: int = 64 << 20
    # Sixteen of the OpenTelemetry collector's default batches. Columns take some hundred bytes a
    # record, so that a body of nothing but empty records must end somewhere.
    records_max: int = 131_072
    # What a whole request may be to a stock gRPC server: no peer takes a larger record either.
    # Holds for the attributes of a resource and of a scope as well.
    record_bytes_max: int = 4 << 20
    # Texts that identify and are indexed, alone or two or three together: an entry of a btree holds
    # 2,704 bytes. 128 characters of correlation id are at most 256 bytes in any alphabet but the
    # rarest.
    text_bytes_max: int = 256
    # Names that are grouped by and indexed: span, metric, model, service. An entry of a btree holds
    # 2,704 bytes, and a byte that is no UTF-8 becomes three (U+FFFD).
    name_bytes_max: int = 800
    # Rows lie in chunks by time: a record far in the past or in the future makes a chunk of its own.
    # A span is as old as its end, since it is sent only then: a training that took longer than this
    # must not lose its last span.
    past_s: int = 30 * DAY_S
    # But it lies in the chunk of the day that it began on, and a request could name any number of
    # days. No training takes longer than a year, which may be a leap year. Where `past_s` is more,
    # that holds for the start as well.
    start_past_s: int = 366 * DAY_S
    # Clocks of machines that train models are off by minutes; an hour forgives a wrong time zone's
    # worth of daylight saving.
    ahead_s: int = 3_600
