"""Compiling, or loading, every kernel before the first request has to wait for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import numpy as np

from crucible_collector.batch import SLOT_KEYS, Signal
from crucible_collector.decode.canonical import canonical
from crucible_collector.decode.glance import SpanBounds, sound_span_count
from crucible_collector.decode.groups import differs, distinct
from crucible_collector.decode.hashes import attribute_set_hash
from crucible_collector.decode.json_text import attributes_json
from crucible_collector.decode.messages import span_events_json
from crucible_collector.decode.official import REQUEST
from crucible_collector.decode.signals import decode_spans
from crucible_collector.decode.slot_texts import read_texts
from crucible_collector.decode.text import text_array
from crucible_collector.kernels import directory_in_use

# After this long without news a person wonders whether the program hangs; loading takes less.
NEWS_AFTER_S = 2.0


def warm_up(log: logging.Logger, *others: Callable[[], None]) -> None:
    """Make every kernel ready, with what `others` do for theirs; say so where it takes long."""
    started = time.monotonic()
    news = threading.Timer(NEWS_AFTER_S, _tell, (log,))
    news.name = "decoder-news"
    news.daemon = True
    news.start()
    try:
        for exercise in (_exercise, *others):
            exercise()
    finally:
        news.cancel()
    log.info("kernels ready after %.1f s", time.monotonic() - started)


def _tell(log: logging.Logger) -> None:
    log.info(
        "compiling kernels for this machine, about half a minute; kept for the next start in %s",
        directory_in_use() or "no place: none can be written to",
    )


def _exercise() -> None:
    """Call every kernel on a request with one span that has something for each."""
    request = REQUEST[Signal.TRACES]()
    span = request.resource_spans.add().scope_spans.add().spans.add()  # type: ignore[attr-defined]
    span.attributes.add(key=b"key").value.string_value = b"value"
    span.events.add(name=b"event")
    body = canonical(Signal.TRACES, request.SerializeToString(), records_max=1)
    anything = SpanBounds(0, 0, 0, 0, np.zeros(len(SLOT_KEYS), dtype=np.int64))
    sound_span_count(body, anything, records_max=1)
    spans = decode_spans(
        np.frombuffer(body, dtype=np.uint8),
        np.zeros(1, dtype=np.int64),
        np.array([len(body)], dtype=np.int64),
    )
    text_array(spans.buffer, spans.name)
    distinct(spans.span_id)
    read_texts(spans.slots[:, 0], spans.attributes, np.zeros(1, np.int64), np.zeros(1, np.int32))
    differs(spans.buffer, spans.name, np.zeros(1, np.int64), np.zeros(1, np.int64))
    attributes_json(spans, lifted=True)
    attribute_set_hash(spans)
    span_events_json(spans)
