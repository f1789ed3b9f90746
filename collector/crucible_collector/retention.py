"""For how long rows are kept, as a setting says it: `spans=30d,logs=14d,span_rollup_1m=180d`.

The setting is the whole of it: what it does not name is kept for ever, so that taking a name out of it
drops nothing. What is made of other rows is kept at least as long as these, and these for as long as it
takes until everything is made of them; whoever asks for less is told at once, without a database.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

FOREVER = "forever"
KEPT_MAX = dt.timedelta(days=36_500)
# What a roll-up is made of. A level stands on the one below it, the lowest on the rows themselves.
MADE_OF = {
    "point_rollup_1m": "points",
    "point_rollup_1h": "point_rollup_1m",
    "point_rollup_1d": "point_rollup_1h",
    "span_rollup_1m": "spans",
    "span_rollup_1h": "span_rollup_1m",
    "span_rollup_1d": "span_rollup_1h",
    "span_latency_1h": "spans",
    "span_latency_1d": "span_latency_1h",
    "anomaly_rollup_1h": "anomalies",
    "anomaly_rollup_1d": "anomaly_rollup_1h",
}
RAW = ("spans", "points", "histograms", "logs", "anomalies")
RELATIONS = (*RAW, *MADE_OF)
# How long rows have to be there until the level of that width has been refreshed from them.
COMPLETE_AFTER = {
    "1m": dt.timedelta(days=1, minutes=7),
    "1h": dt.timedelta(days=1, hours=3),
    "1d": dt.timedelta(days=4),
}
_HOUR = dt.timedelta(hours=1)
_UNITS = {"d": dt.timedelta(days=1), "h": _HOUR}
_LENGTH = re.compile(r"([0-9]{1,9})([dh])")


def parse(text: str) -> dict[str, dt.timedelta] | None:
    """How long each relation that is named is kept; None: nothing is said. ValueError in one line."""
    if text.strip() in {"", "none"}:
        return None
    kept: dict[str, dt.timedelta] = {}
    if text.strip() == FOREVER:
        return kept
    named: set[str] = set()
    for item in text.split(","):
        name, is_pair, length = (part.strip() for part in item.partition("="))
        if not is_pair:
            raise ValueError(f"expected relation=length as in spans=30d, got {item.strip()!r}")
        if name not in RELATIONS:
            raise ValueError(f"there is no relation {name!r}; there are {', '.join(RELATIONS)}")
        if name in named:
            raise ValueError(f"{name} is named twice")
        named.add(name)
        if length != FOREVER:
            kept[name] = _length(name, length)
    check(kept)
    return kept


def from_setting(value: Any) -> dict[str, dt.timedelta] | None:
    """The same of whatever a file holds."""
    if value is not None and not isinstance(value, str):
        raise ValueError("expected a text as in spans=30d,logs=14d")
    return parse(value or "")


def _length(name: str, text: str) -> dt.timedelta:
    match = _LENGTH.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{name} = {text!r}: expected days or hours as in 30d or 36h, or forever")
    count = int(match[1])
    if count > KEPT_MAX // _UNITS[match[2]]:
        raise ValueError(f"{name} = {text}: at most {spelled(KEPT_MAX)}, or forever")
    return count * _UNITS[match[2]]


def check(kept: Mapping[str, dt.timedelta]) -> None:
    """Raise ValueError where a relation would go before what is made of it, or be outlived by it."""
    for name, length in kept.items():
        if length < least(name):
            made = max(_made_of(name), key=_complete_after, default=None)
            until = f", until {made} is made of it" if made else ""
            raise ValueError(f"{name} = {spelled(length)}: at least {spelled(least(name))}{until}")
    for name, below in MADE_OF.items():
        if name not in kept:
            continue
        if below not in kept or kept[name] < kept[below]:
            longer = spelled(kept.get(below))
            raise ValueError(
                f"{name} = {spelled(kept[name])}: at least as long as {below}, which it is made of"
                f" ({longer})"
            )


def least(relation: str) -> dt.timedelta:
    """The least that rows are kept, whole hours: until what is made of them is complete."""
    needed = max(map(_complete_after, _made_of(relation)), default=_UNITS["d"])
    return -(-needed // _HOUR) * _HOUR


def _made_of(relation: str) -> list[str]:
    return [name for name, below in MADE_OF.items() if below == relation]


def _complete_after(rollup: str) -> dt.timedelta:
    return COMPLETE_AFTER[rollup.rsplit("_", 1)[1]]


def spelled(length: dt.timedelta | None) -> str:
    """A length as the setting would say it; None is for ever."""
    if length is None:
        return FOREVER
    hours = length // _HOUR
    return f"{hours}h" if hours % 24 else f"{hours // 24}d"
