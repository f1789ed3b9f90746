"""What an examination finds: one thing looked at, how it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# wrong: data are lost, late or not written as they should be. warning: they are not, so far.
Level = Literal["ok", "warning", "wrong", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`facts` are the numbers behind `says`, for programs; `remedy` is what a person does."""

    check: str
    level: Level
    says: str
    remedy: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
