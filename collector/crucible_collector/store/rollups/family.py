"""What a roll-up is, as data: its keys, its measures and the rules that add them up, its levels.

A roll-up is a relation of rows that can be added up again: each measure has a rule by which two rows
of one key become one, so minutes make hours, hours make days, and the parts that windows write make
minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Type = Literal["bigint", "float8", "int", "smallint", "text", "timestamptz"]
Rule = Literal["sum", "min", "max", "first", "last"]

SCHEMA = "crucible"


@dataclass(frozen=True, slots=True)
class Key:
    """A column that rows are grouped by; `raw` is it over the rows that are rolled up."""

    name: str
    type: Type
    raw: str
    comment: str


@dataclass(frozen=True, slots=True)
class Measure:
    """A column that is computed; `raw` is the aggregate over the rows that are rolled up.

    For the rules first and last, `raw` is the value, `by` the column that tells when, and `where`
    which rows count. What `is_sparse` is null for 0 in every roll-up, not only in portable parts: it
    takes no room where there is nothing to tell.
    """

    name: str
    type: Type
    rule: Rule
    raw: str
    comment: str
    by: str = ""
    where: str = ""
    is_sparse: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """One width of bucket; `table` is the suffix of where portable roll-ups keep it."""

    suffix: str
    width: str
    table: str


MINUTE = Level("1m", "1 minute", "minutes")
HOUR = Level("1h", "1 hour", "hours")
DAY = Level("1d", "1 day", "days")


@dataclass(frozen=True, slots=True)
class Family:
    """A roll-up at its levels, narrowest first.

    `indexes`: column lists by which it is asked for, besides time alone.
    """

    name: str
    source: str
    where: str
    levels: tuple[Level, ...]
    keys: tuple[Key, ...]
    measures: tuple[Measure, ...]
    indexes: tuple[tuple[str, ...], ...]
    comment: str

    def view(self, level: Level) -> str:
        """What everybody asks, whichever way roll-ups are kept."""
        return f"{self.name}_{level.suffix}"

    def table(self, level: Level) -> str:
        """Where portable roll-ups keep what is folded."""
        return f"{self.name}_{level.table}"

    @property
    def parts(self) -> str:
        """Where windows add to portable roll-ups."""
        return f"{self.name}_parts"

    @property
    def own_columns(self) -> tuple[Key | Measure, ...]:
        """All but time, in the order of the relation."""
        return (*self.keys, *self.measures)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all, time first."""
        return ("time", *(each.name for each in self.own_columns))
