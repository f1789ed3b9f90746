"""Measured figures, as a table for people and as JSON for whoever watches for a fall."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parents[2] / "build" / "bench"


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a figure has to keep."""

    sign: str  # ">=" or "<="
    bound: float

    def __str__(self) -> str:
        return f"{self.sign} {_shown(self.bound)}"

    def is_met(self, value: float) -> bool:
        """Not a number meets no goal."""
        return value >= self.bound if self.sign == ">=" else value <= self.bound


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    unit: str
    goal: str | None = None
    met: bool | None = None


def figure(name: str, value: float, unit: str, goal: Goal | None = None) -> Figure:
    """A figure, held against its goal if it has one."""
    if goal is None:
        return Figure(name, value, unit)
    return Figure(name, value, unit, str(goal), goal.is_met(value))


def at_least(bound: float) -> Goal:
    return Goal(">=", bound)


def at_most(bound: float) -> Goal:
    return Goal("<=", bound)


def _shown(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    digits = 0 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def table(figures: Sequence[Figure], title: str) -> str:
    """Columns name, value, unit, goal, met."""
    verdict = {None: "", True: "yes", False: "NO"}
    rows = [("name", "value", "unit", "goal", "met")] + [
        (each.name, _shown(each.value), each.unit, each.goal or "", verdict[each.met])
        for each in figures
    ]
    name, value, unit, goal, met = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [
        f"{row[0]:<{name}}  {row[1]:>{value}}  {row[2]:<{unit}}  {row[3]:<{goal}}  {row[4]:<{met}}"
        for row in rows
    ]
    return "\n".join([title, "", lines[0], "-" * len(lines[0]), *map(str.rstrip, lines[1:])])


def write(figures: Sequence[Figure], target: str, directory: Path = DIRECTORY) -> Path:
    """Write build/bench/<target>.json."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{target}.json"
    path.write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")
    return path
