"""Holds a key that is for some experiments only to these, whatever it asks for.

An experiment is known by its name, a run and the others by what the database has of them. What does not
exist is refused as what belongs to others is: the answer does not tell which of the two it is.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from crucible_collector.access.principal import Principal
from crucible_collector.access.scopes import Ruled
from crucible_collector.errors import ForbiddenError, MalformedError
from crucible_collector.store.read import Reads

# The names by which questions and bodies name things, and what each names.
_NAMES = {
    "experiment": "experiment",
    "experiments": "experiment",
    "experiment_id": "experiment",
    "run": "run",
    "runs": "run",
    "run_id": "run",
    "series": "series",
    "period": "period",
    "scan": "scan",
    "job": "job",
}
# As `api.where.parts_of` has it; a backslash before a comma that is of an id.
_COMMA = re.compile(r"(?<!\\),")
_HEX = re.compile(r"[0-9a-fA-F]{1,16}", re.ASCII)
# More than one question names.
_NAMED_MAX = 1000

Named = tuple[str, str]


def require_within(
    reads: Reads, principal: Principal, ruled: Ruled, query: str, body: bytes | None
) -> None:
    """ForbiddenError where this is not, or cannot be, limited to the key's experiments. May ask the database."""
    prefix, within = principal.experiment_prefix, ruled.rule.within
    if prefix is None or within == "free":
        return
    about = f"the key {principal.name!r} is for experiments whose id begins with {prefix!r}"
    if within == "refused":
        raise ForbiddenError(
            f"{about}, and this is about all of them: ask /api/v1/events or the like, with experiment="
        )
    named = [*ruled.named, *_of_query(query, takes_several=within == "several")]
    if within == "body":
        named += _of_body(body or b"")
    if not named:
        raise ForbiddenError(f"{about}: give the experiment, or a run of one")
    if len(named) > _NAMED_MAX or not _are_within(reads, principal.name, prefix, named):
        raise ForbiddenError(f"{about}: what was asked for is not of these, or is not there")


def _of_query(query: str, *, takes_several: bool) -> Iterator[Named]:
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in _NAMES:
            kind = _NAMES[name]
            yield from ((kind, each) for each in _values(kind, value, takes_several=takes_several))


def _values(kind: str, value: str, *, takes_several: bool) -> Iterable[str]:
    """What a parameter names, as its route reads it: else one run is looked up and another one is told of."""
    if takes_several:
        return [part.replace("\\,", ",") for part in _COMMA.split(value) if part]
    # Where one is asked for, its id may have a comma; a list of experiments is told that it is none.
    return {value, *value.split(",")} if kind == "experiment" else {value}


def _of_body(body: bytes) -> Iterator[Named]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedError("the body is not JSON") from None
    if not isinstance(told, Mapping):
        raise MalformedError("the body is no JSON object")
    if told.get("of") == "traces":  # an export of all of a trace, whosever the rest of it is
        yield "experiment", ""
    for name, value in told.items():
        if name in _NAMES and value is not None:
            for each in value if isinstance(value, list) else [value]:
                yield _NAMES[name], str(each)


def _are_within(reads: Reads, who: str, prefix: str, named: Iterable[Named]) -> bool:
    found: dict[str, set[Any]] = defaultdict(set)
    for kind, value in named:
        read = _read(kind, value)
        if read is None or (kind == "experiment" and not value.startswith(prefix)):
            return False
        found[kind].add(read)
    kinds = ("run", "series", "period", "scan", "job")
    if not any(found[kind] for kind in kinds):
        return True
    asked = {f"{kind}_ids": list(found[kind]) for kind in kinds}
    row = json.loads(reads.json_rows("reach_experiments", prefix=prefix, who=who, **asked)[0])
    return bool(row["is_within"])


def _read(kind: str, value: str) -> Any:
    """As the database has it; None for what it cannot have."""
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        return None
    if kind in {"experiment", "run"}:
        return value
    if kind == "series":
        number = int(value, 16) if _HEX.fullmatch(value) else None
        return number if number is None or number < 1 << 63 else number - (1 << 64)
    try:
        return uuid.UUID(value)
    except ValueError:
        return None
