"""One line of the alias table: what a key that somebody else uses means here."""

from __future__ import annotations

from typing import NamedTuple


class Alias(NamedTuple):
    """A foreign key's meaning: `key` of ours, in whose unit a number is after times `unit_scale`."""

    key: str
    convention: str
    unit_scale: float = 1.0
