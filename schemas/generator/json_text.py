"""JSON that is read by people and compared by tools: what fits on a line stands on one."""

from __future__ import annotations

import json

WIDTH = 120  # so that an attribute of a payload stands on one line


def json_text(value: object) -> str:
    """Write a JSON document, keys in the order given."""
    return f"{_pretty(value, 0, 0)}\n"


def _pretty(value: object, indent: int, used: int) -> str:
    """Write a value that begins `used` columns into its line and may go on below it."""
    flat = json.dumps(value, ensure_ascii=False)
    if used + len(flat) < WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    margin, inner = " " * indent, " " * (indent + 2)
    if isinstance(value, dict):
        heads = [f"{json.dumps(key, ensure_ascii=False)}: " for key in value]
        items, brackets = list(value.values()), "{}"
    else:
        heads, items, brackets = [""] * len(value), value, "[]"
    lines = [
        f"{inner}{head}{_pretty(item, indent + 2, indent + 2 + len(head))}"
        for head, item in zip(heads, items, strict=True)
    ]
    inside = ",\n".join(lines)
    return f"{brackets[0]}\n{inside}\n{margin}{brackets[1]}"
