"""What is to be computed anew."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from crucible_collector.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Asked:
    """Calls that began from `start` on (None: the first there is) and before `end`.

    Of one experiment where one is named. `dry_run`: only what would be changed is told.
    """

    start: dt.datetime | None
    end: dt.datetime
    experiment: str | None = None
    dry_run: bool = False

    @classmethod
    def of(
        cls,
        start: dt.datetime | None,
        end: dt.datetime | None,
        experiment: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Asked:
        """Until now where no end is given; SettingsError where the range is empty."""
        until = end or dt.datetime.now(dt.UTC)
        if start is not None and start >= until:
            raise SettingsError(
                f"from = {start.isoformat()} is not before to = {until.isoformat()}"
            )
        return cls(start, until, experiment, dry_run)

    def as_json(self) -> dict[str, Any]:
        """As a job keeps it."""
        return {
            "from": None if self.start is None else self.start.isoformat(),
            "to": self.end.isoformat(),
            "experiment": self.experiment,
            "dry_run": self.dry_run,
        }
