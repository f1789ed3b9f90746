"""What the API may ask of this process, and have it change: sampling, detection and prices as they are in force.

The database has the settings; what is told here is how this process works by them.
"""

from __future__ import annotations

from collections.abc import Sequence

from crucible_collector.cost.price_table import PriceTable
from crucible_collector.detect.engine import Use
from crucible_collector.detect.settings import Detection
from crucible_collector.pipeline.detection import DetectionInForce
from crucible_collector.pipeline.prices import PricesInForce
from crucible_collector.pipeline.sampling import SamplingInForce
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.rulings import RuleUse
from crucible_collector.store.database import Database


class InProcess:
    """Samples, Detects and Priced of the routes of a running collector."""

    def __init__(
        self,
        database: Database,
        sampling: SamplingInForce,
        detection: DetectionInForce,
        prices: PricesInForce,
    ) -> None:
        self._database = database
        self._sampling = sampling
        self._detection = detection
        self._prices = prices

    def detection_in_force(self) -> Detection:
        """The settings of detection that this collector works by."""
        return self._detection.now.settings

    def prices_in_force(self) -> PriceTable:
        """The prices that this collector works by."""
        return self._prices.now.settings

    def sampling_version(self) -> int:
        """Of the rules that this collector works by (see api.routes.sampling.Samples)."""
        return self._sampling.now.version

    def sampling_use(self) -> Sequence[RuleUse]:
        """How each of them is doing."""
        return self._sampling.use

    def forgotten_trace_count(self) -> int:
        """Traces that the sampler forgot to stay within bounds."""
        return self._sampling.forgotten_trace_count

    def put_sampling(self, rules: Rules, changed_by: str, reason: str, follows: int | None) -> int:
        """Put rules in force, for every collector of the database; their version."""
        version = self._database.put_sampling(rules, changed_by, reason, follows)
        self._sampling.ask_soon()
        return version

    def detection_version(self) -> int:
        """Of the settings that this collector works by (see api.routes.detection.Detects)."""
        return self._detection.now.version

    def detection_use(self) -> Use:
        """How its engine is doing."""
        return self._detection.use

    def put_detection(
        self, detection: Detection, changed_by: str, reason: str, follows: int | None
    ) -> int:
        """Put settings of detection in force, for every collector of the database; their version."""
        version = self._database.put_detection(detection, changed_by, reason, follows)
        self._detection.ask_soon()
        return version

    def prices_version(self) -> int:
        """Of the prices that this collector works by (see api.routes.prices.Priced)."""
        return self._prices.now.version

    def put_prices(
        self, table: PriceTable, changed_by: str, reason: str, follows: int | None
    ) -> int:
        """Put prices in force, for every collector of the database; their version."""
        version = self._database.put_prices(table, changed_by, reason, follows)
        self._prices.ask_soon()
        return version
