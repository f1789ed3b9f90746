"""Settings that are tables, of a file or as JSON: what all of them have in common.

A table is checked whole before any of it is in force, and whoever wrote it is told the first thing that
is wrong in one line: where, which key, which value, and what is accepted. What is stored and compared is
the canonical form with every default spelled out, so that a later default changes nothing that is in
force.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

# Python's words for what a file calls otherwise.
_EXPECTED = {
    "tuple_type": "expected a list",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
    "too_short": "expected at least one",
}
# Of letters shared: rate and strategy share two thirds, budget_per_sec and budget_per_s nine tenths.
_ALIKE = 0.7
_EVENT = re.compile(r"^[^\s*.]+(?:\.[^\s*.]+)*(?:\.\*?)?$")
_NAME = re.compile(r"^[A-Za-z0-9_.:-]{1,64}$")


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names or len(set(names)) < len(names):
        raise ValueError("expected at least one, each once")
    return names


def _event(text: str) -> str:
    if not _EVENT.match(text):
        raise ValueError(
            f"{text!r} is neither an event's name nor its beginning up to a dot,"
            " as crucible_train.batch is"
        )
    return text.removesuffix("*").removesuffix(".")


def _name(text: str) -> str:
    if not _NAME.match(text):
        raise ValueError("expected 1 to 64 letters, digits, dots, colons, hyphens and underscores")
    return text


Text = Annotated[str, Field(min_length=1, max_length=256)]
Texts = Annotated[tuple[Text, ...], Field(max_length=1000)]
Attributes = Annotated[dict[Text, str], Field(max_length=20)]
Name = Annotated[str, AfterValidator(_name)]
Event = Annotated[Text, AfterValidator(_event)]


def with_names(value: Any, key: str, kind: str) -> Any:
    """Give the tables of the list `key` that have no name that of their place, as rule-1."""
    if not isinstance(value, Mapping) or not isinstance(value.get(key), list | tuple):
        return value
    named = [
        {"name": f"{kind}-{place}", **each} if isinstance(each, Mapping) else each
        for place, each in enumerate(value[key], 1)
    ]
    return {**value, key: named}


def check_names(names: Iterable[str], kind: str) -> None:
    """Raise ValueError where two have one name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two {kind}s are named {name!r}")
        seen.add(name)


def digest(form: Mapping[str, Any]) -> UUID:
    """Equal for equal canonical forms."""
    text = json.dumps(form, sort_keys=True, separators=(",", ":"))
    return UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def first_error(error: ValidationError) -> Mapping[str, Any]:
    """What to tell: a misspelt key also leaves one missing, and the misspelling says more."""
    errors: list[Any] = list(error.errors())
    first: Mapping[str, Any] = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    return first


def place_of(value: Mapping[str, Any], key: str, index: int, kind: str) -> str:
    """What a table of the list `key` is called where something is wrong in it."""
    table = value[key][index]
    name = table.get("name") if isinstance(table, Mapping) else None
    return f"{kind} {name or f'{kind}-{index + 1}'}"


def mistake(first: Mapping[str, Any], where: Sequence[Any], known: Sequence[str]) -> str:
    """One line about an error at `where` within its table, where the `known` settings are."""
    key, kind = ".".join(map(str, where)), first["type"]
    if kind == "extra_forbidden":
        near = _near(str(where[-1]), known)
        return f"{key}: unknown setting; " + (
            f"{near} is one" if near else f"known are {', '.join(known)}"
        )
    if kind == "missing":
        return f"{key}: expected a value"
    message: str = _EXPECTED.get(kind, first["msg"].removeprefix("Value error, "))
    message = message[0].lower() + message[1:]
    if not key:
        return message
    is_table = isinstance(first["input"], Mapping)
    is_secret = any("url" in str(part) or "secret" in str(part) for part in where)
    if is_table or is_secret:
        return f"{key}: {message}"
    return f"{key} = {shown(first['input'])}: {message}"


def _near(key: str, known: Sequence[str]) -> str | None:
    """The setting that was meant: one that begins so, as budget_per_s does with budget, or one alike."""
    begins = (name for name in known if name.startswith(key))
    return next(begins, None) or next(iter(get_close_matches(key, known, 1, _ALIKE)), None)


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
