"""Every field of OTLP has a place to go, or a reason why not."""

from __future__ import annotations

import pytest

from crucible_collector.decode import official
from crucible_collector.decode.layouts import EVENTS, EXEMPLARS, LINKS, LOGS, SPANS
from crucible_collector.decode.metric_layout import METRICS
from crucible_collector.decode.plan import ROOT, Layout

WITHOUT_A_PLACE = {
    "Resource.entity_refs",  # in development; it only points at attributes, which are kept
    "Metric.metadata",  # set by translators from other formats; no client of ours sends it
}
# Read by kernels of their own, not by the plan.
READ_WHOLE = {"KeyValue", "AnyValue", "Event", "Link", "Exemplar"}

LAYOUTS = [SPANS, METRICS, LOGS, EVENTS, LINKS, EXEMPLARS]


def _missing(layout: Layout) -> set[str]:
    missing: set[str] = set()
    todo = [(ROOT, official.descriptor(layout.root))]
    seen = set()
    while todo:
        name, descriptor = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        _, places = layout.messages[name]
        for field in descriptor.fields:
            if field.name not in places:
                missing.add(f"{descriptor.name}.{field.name}")
            elif field.message_type is not None and field.message_type.name not in READ_WHOLE:
                todo.append((places[field.name].message, field.message_type))
    return missing


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.root)
def test_every_field_has_a_place(layout: Layout) -> None:
    assert _missing(layout) <= WITHOUT_A_PLACE


def test_every_exception_is_still_one() -> None:
    assert set().union(*map(_missing, LAYOUTS)) == WITHOUT_A_PLACE


def test_a_declaration_for_a_field_that_otlp_lacks_is_an_error() -> None:
    type_name, places = EVENTS.messages[ROOT]
    messages = {ROOT: (type_name, {**places, "no_such_field": places["name"]})}
    with pytest.raises(ValueError, match="no_such_field"):
        Layout(root=EVENTS.root, columns=EVENTS.columns, messages=messages)
