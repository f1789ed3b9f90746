"""Wire bytes of OTLP requests into columns, without an object a span.

| module | what it does |
|---|---|
| `canonical` | the door: a request the kernels read, or a refusal; asks `official` about odd ones |
| `survey`, `fill` | the two passes over the bytes: check and count, then store |
| `plan`, `layouts` | what they do with each field: numbers from OTLP's descriptors, places declared |
| `columns`, `signals` | the passes put together; from cells to `batch.Spans`, `Metrics`, `Logs` |
| `slots`, `measurements` | the attributes that matter, found by key |
| `json_text`, `json_values`, `doubles`, `text` | attributes as JSON, numbers and texts exactly |
| `kernels` | how all that is compiled, and where the machine code is kept |

What one could not guess: everything here may be called from several threads at once, and releases
the GIL while it works.
"""

from __future__ import annotations

from crucible_collector.decode.canonical import canonical
from crucible_collector.decode.json_text import any_value_json, attributes_json
from crucible_collector.decode.signals import decode_logs, decode_metrics, decode_spans
from crucible_collector.decode.text import text_array

__all__ = [
    "any_value_json",
    "attributes_json",
    "canonical",
    "decode_logs",
    "decode_metrics",
    "decode_spans",
    "text_array",
]
