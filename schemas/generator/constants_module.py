"""Registry → the text of `crucible_schema/events.py`: constants and enums."""

from __future__ import annotations

from generator.fields import Defined
from generator.layout import WIDTH, docstring, string
from generator.registry import Registry, constant_name, enum_name

_HEAD = '''"""Every key and name that has a meaning here, as constants. Generated: do not edit.

`schemas/generate.py` makes it from `schemas/registry/*.yaml`: attribute keys, names of spans and
events, then enums. What the registry says about them is in the mappings re-exported here, which
are read in when first asked.
"""

from __future__ import annotations

import enum
from typing import Final

from crucible_schema.registry import ATTRIBUTES as ATTRIBUTES
from crucible_schema.registry import EVENTS as EVENTS
from crucible_schema.registry import LIFECYCLES as LIFECYCLES
from crucible_schema.registry import MEASUREMENTS as MEASUREMENTS
from crucible_schema.registry import METRICS as METRICS
'''


def constants_module(registry: Registry) -> str:
    """Write the whole module."""
    with_members = [defined for defined in registry.definitions.values() if defined.members]
    blocks = [f"{_HEAD}\n{_constants(registry)}", *map(_enum, with_members)]
    return "\n\n".join(blocks)


def _constants(registry: Registry) -> str:
    definitions = [defined.definition for defined in registry.definitions.values()]
    sections = [
        "# Attribute keys\n",
        *(_constant(item.key, item.brief, item.note) for item in definitions),
        "# Names of spans that begin and end\n",
        *(_constant(span.span_name, span.brief) for span in registry.lifecycles.values()),
        "# Names of events\n",
        *(_constant(event.name, event.brief) for event in registry.events.values()),
    ]
    return "\n".join(sections)


def _constant(key: str, brief: str, note: str = "") -> str:
    assignment = f"{constant_name(key)}: Final = {string(key)}"
    if len(assignment) > WIDTH:
        assignment = f"{constant_name(key)}: Final = (\n    {string(key)}\n)"
    return f"{assignment}\n{docstring(brief, note)}"


def _enum(defined: Defined) -> str:
    key = defined.definition.key
    head = f"class {enum_name(key)}(enum.StrEnum):\n"
    lines = [head + docstring(defined.definition.brief, f"Values of `{key}`.", indent=4)]
    for member in defined.members:
        line = f"    {constant_name(member.id)} = {string(member.value)}\n"
        lines.append(line + docstring(member.brief, indent=4))
    return "\n".join(lines)
