"""Which prices this collector computes costs by."""

from __future__ import annotations

import time
from collections.abc import Callable

from crucible_collector.cost.price_table import PriceTable
from crucible_collector.cost.pricing import Pricing
from crucible_collector.pipeline.in_force import Following
from crucible_collector.store.versions import PRICES


class PricesInForce(Following[PriceTable]):
    """What is in force, for as long as the service runs."""

    def __init__(
        self,
        offered: PriceTable | None = None,
        *,
        who: str = "",
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`offered`: what the settings say; None leaves what the database has. `who` offers it."""
        super().__init__(PRICES, PriceTable.parse, _said, offered, who=who, clock_s=clock_s)
        self._pricing = Pricing(self.now.settings)

    def pricing(self) -> Pricing:
        """Prices by what is in force now; the preparing thread, once a window."""
        table = self.now.settings
        if self._pricing.table is not table:
            self._pricing = Pricing(table)
        return self._pricing


def _said(table: PriceTable) -> str:
    return ", ".join(each.name for each in table.models) or "the list that comes with the collector"
