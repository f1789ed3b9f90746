"""Wire bytes of OTLP requests into columns, without an object a span.

| module | what it does |
|---|---|
| `canonical` | the door: a request the kernels read, or a refusal; asks `official` about odd ones |
| `glance` | the usual request of spans that have nothing wrong, known in one pass |
| `survey`, `fill` | the two passes over the bytes: check and count, then store |
| `plan` | what they do with each field, as tables: field numbers come from OTLP's descriptors |
| `wire` | how one tag, number or length is read, never beyond its message |
| `envelope`, `layouts`, `metric_layout` | and where its value goes, declared |
| `columns`, `signals` | the passes put together; from cells to `batch.Spans`, `Metrics`, `Logs` |
| `slots`, `slot_texts`, `measurements` | the attributes that matter, found by key |
| `json_text`, `json_values`, `doubles`, `text` | attributes as JSON, numbers and texts exactly |
| `messages` | span events, span links and exemplars as JSON |
| `subset` | some rows as records of their own |
| `hashes`, `groups` | XXH64 of texts and attribute sets; which words or texts are equal |
| `warm` | all of its kernels made ready at a start |

What one could not guess: everything here may be called from several threads at once, and releases
the GIL while it works.
"""

from __future__ import annotations

from crucible_collector.decode.canonical import canonical
from crucible_collector.decode.glance import SpanBounds, sound_span_count
from crucible_collector.decode.groups import differs, distinct
from crucible_collector.decode.hashes import attribute_set_hash, text_hash, xxh64
from crucible_collector.decode.json_text import any_value_json, attributes_json
from crucible_collector.decode.messages import exemplars_json, span_events_json, span_links_json
from crucible_collector.decode.signals import decode_logs, decode_metrics, decode_spans
from crucible_collector.decode.slot_texts import read_texts
from crucible_collector.decode.subset import take
from crucible_collector.decode.text import text_array
from crucible_collector.decode.warm import warm_up
from crucible_collector.kernels import cache_directory

__all__ = [
    "SpanBounds",
    "any_value_json",
    "attribute_set_hash",
    "attributes_json",
    "cache_directory",
    "canonical",
    "decode_logs",
    "decode_metrics",
    "decode_spans",
    "differs",
    "distinct",
    "exemplars_json",
    "read_texts",
    "sound_span_count",
    "span_events_json",
    "span_links_json",
    "take",
    "text_array",
    "text_hash",
    "warm_up",
    "xxh64",
]

# So that whoever decodes finds the machine code again; a service may choose another place later.
cache_directory()
