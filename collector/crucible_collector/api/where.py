"""Conditions on what events carry: `where=attribute.gen_ai.request.temperature>=0.5`.

A condition becomes a predicate of SQL/JSON, which the database evaluates: numbers compare as numbers and
texts as texts, and what is neither equals nothing. So `=0.5` fits both the number and the text "0.5", as
most people do not know which of them an instrumentation sends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from crucible_schema.lookup import measurement_scale, spellings

# Columns of spans that can be compared, as the query has them in a document of their own.
COLUMNS = ("duration", "cost", "input_tokens", "output_tokens", "step", "epoch", "name")
ATTRIBUTE, RESOURCE, MEASUREMENT = "attribute.", "resource.", "measurement."
# The prefix under which the registry has what events measured.
MEASURED = "crucible.measurement."

_CONDITION = re.compile(
    r"(?P<absent>!)?(?P<name>[^=<>!]+?)(?:(?P<operator>!=|>=|<=|=|>|<)(?P<value>.*))?", re.DOTALL
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
# A comma that no backslash stands before.
_COMMA = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: `predicate` is SQL/JSON about the attributes, or about the columns."""

    is_of_attributes: bool
    predicate: str


def parts_of(text: str) -> list[str]:
    r"""What commas part; `\,` is a comma within a part.

    >>> parts_of(r"run-1,run\,2")
    ['run-1', 'run,2']
    """
    return [part.replace("\\,", ",") for part in _COMMA.split(text) if part]


def attribute_of(name: str) -> str | None:
    """The attribute that a name with a prefix stands for; None where it has no such prefix.

    >>> attribute_of("measurement.accuracy")
    'crucible.measurement.accuracy'
    """
    if name.startswith(MEASUREMENT) and name != MEASUREMENT:
        return MEASURED + name.removeprefix(MEASUREMENT)
    if name.startswith(ATTRIBUTE) and name != ATTRIBUTE:
        return name.removeprefix(ATTRIBUTE)
    return None


def other_names(attribute: str) -> dict[str, float]:
    """Under which names others than the registry send an attribute, and what a number is multiplied by then.

    >>> other_names("crucible.measurement.time_to_first_token_ms")
    {'gen_ai.response.time_to_first_chunk': 1000.0}
    """
    return {each: measurement_scale(each) for each in spellings(attribute) if each != attribute}


def parse_condition(text: str) -> Condition:
    """`name`, `!name`, or `name` and one of = != >= <= > < and a value; ValueError where it is none of these.

    Of values with commas between any will do (=), or none may be (!=).

    >>> parse_condition("attribute.llm.temperature>=0.5").predicate
    '$."llm.temperature" >= 0.5'
    """
    found = _CONDITION.fullmatch(text)
    if found is None or (found["absent"] and found["operator"]):
        raise ValueError(
            "expected a name, ! and a name, or a name, one of = != >= <= > < and a value, like"
            " attribute.gen_ai.request.temperature>=0.5"
        )
    attribute = attribute_of(found["name"])
    if attribute is None and found["name"] not in COLUMNS:
        raise ValueError(
            f"{found['name']!r}: expected attribute.…, measurement.… or one of {', '.join(COLUMNS)}"
        )
    path = f"$.{json.dumps(attribute or found['name'])}"
    return Condition(attribute is not None, _predicate(path, found))


def _predicate(path: str, found: re.Match[str]) -> str:
    operator, value = found["operator"], found["value"]
    if operator is None:
        return f"!exists({path})" if found["absent"] else f"exists({path})"
    if operator in ("=", "!="):
        values = [literal for part in parts_of(value) or [""] for literal in _literals(part)]
        equal = " || ".join(f"{path} == {literal}" for literal in values)
        return f"({equal})" if operator == "=" else f"(exists({path}) && !({equal}))"
    if not _NUMBER.fullmatch(value):
        raise ValueError(f"{operator} compares numbers, and {value!r} is none")
    return f"{path} {operator} {_number(value)}"


def _literals(value: str) -> Iterable[str]:
    """What a value may be in an attribute: a text, and where it reads like them a number or a truth."""
    yield json.dumps(value)
    if _NUMBER.fullmatch(value):
        yield _number(value)
    elif value in ("true", "false"):
        yield value


def _number(text: str) -> str:
    # SQL/JSON knows numbers as JSON does, without a sign or zeros before them.
    return str(int(text)) if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) else repr(float(text))


def path_of(conditions: Iterable[Condition], *, of_attributes: bool) -> str | None:
    """All conditions about attributes, or about columns, as one predicate; None where there is none."""
    wanted = [each.predicate for each in conditions if each.is_of_attributes is of_attributes]
    return " && ".join(wanted) or None
