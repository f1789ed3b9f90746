"""Spans of a trace in the order in which a person reads them: each after its parent.

Whatever the wire brought is put in order: several roots, parents that are missing, the same span
twice, even parents in a ring (the earliest of which then counts as a root).
"""

from __future__ import annotations

from typing import Any


def in_tree_order(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spans (given oldest first), parents before children, with depth and number of children."""
    first_of: dict[str, int] = {}
    for index, span in enumerate(spans):
        first_of.setdefault(span["span_id"], index)
    children: list[list[int]] = [[] for _ in spans]
    roots = []
    for index, span in enumerate(spans):
        parent = first_of.get(span["parent_span_id"])
        if parent is None or parent == index:
            roots.append(index)
        else:
            children[parent].append(index)
    ordered: list[dict[str, Any]] = []
    seen = [False] * len(spans)
    # After the true roots, every span: what is not seen by then stands in a ring or under one.
    for root in [*roots, *range(len(spans))]:
        stack = [(root, 0)]
        while stack:
            index, depth = stack.pop()
            if seen[index]:
                continue
            seen[index] = True
            ordered.append(_placed(spans[index], depth, len(children[index]), first_of))
            stack.extend((child, depth + 1) for child in reversed(children[index]))
    return ordered


def _placed(
    span: dict[str, Any], depth: int, child_count: int, known: dict[str, int]
) -> dict[str, Any]:
    parent = span["parent_span_id"]
    return {
        **span,
        "depth": depth,
        "child_count": child_count,
        "parent_is_missing": parent is not None and parent not in known,
    }
