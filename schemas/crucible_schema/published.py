"""The registry as other languages read it: `schema.json`, which lies in this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def json_schema() -> dict[str, Any]:
    """Read the JSON Schema (2020-12) of all events; half a megabyte of text, so keep it.

    It describes one event in the shape of the Elixir packages; `$defs` also has `wire:<event>`, the
    span that an event is on the wire, with its attributes as one flat object.
    """
    text = Path(__file__).with_name("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
