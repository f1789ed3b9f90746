"""Which sampling rules this collector works by: the newest version that the database has.

Three threads meet here, and none waits for another. The one that writes windows asks the database
(`poll`); the one that prepares them reads `now` once a window, so that a window has one version
throughout, and tells how its sampler is doing (`told`); the service offers what a settings file says
(`offer`). What they hand over is swapped whole.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from crucible_collector.errors import SettingsError
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.rulings import RuleUse
from crucible_collector.sample.sampler import Sampler
from crucible_collector.store import sampling as store

log = logging.getLogger("crucible.sampling")

# How soon a change that was made through another collector holds here.
POLL_S = 5.0
# How old what metrics and the API tell of the sampler may be.
TOLD_S = 1.0


@dataclass(frozen=True, slots=True)
class InForce:
    """Rules with their version; 0 before any was made: everything is kept."""

    version: int
    rules: Rules


class SamplingInForce:
    """What is in force, for as long as the service runs."""

    def __init__(
        self,
        offered: Rules | None = None,
        *,
        who: str = "",
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`offered`: what the settings say; None leaves what the database has. `who` offers it."""
        self.now = InForce(0, Rules.parse({}))
        self.use: Sequence[RuleUse] = ()  # how the sampler was doing about TOLD_S ago
        self.forgotten_trace_count = 0
        self._who = who
        self._clock_s = clock_s
        self._offered = offered
        self._offering = threading.Lock()
        self._poll_due_s = self._tell_due_s = float("-inf")
        # The newest version that was looked at, in force here or not. A database that was set back may
        # give a number again, to other rules.
        self._looked_at: tuple[int, UUID] | None = None

    def offer(self, rules: Rules) -> None:
        """Have what a settings file says put in force, where it is new, as soon as the database is there."""
        with self._offering:
            self._offered = rules
        self.ask_soon()

    def ask_soon(self) -> None:
        """Have the next poll ask the database: a version was made."""
        self._poll_due_s = float("-inf")

    def poll(self, connection: store.Connection) -> None:
        """Ask which version is in force, where POLL_S have gone by; the writer's thread, between windows.

        psycopg.Error: nothing is lost, the next poll asks again.
        """
        if self._clock_s() < self._poll_due_s:
            return
        self._poll_due_s = self._clock_s() + POLL_S
        try:
            self._adopt(connection)
            self._follow(connection)
        except BaseException:
            self.ask_soon()
            raise

    def _adopt(self, connection: store.Connection) -> None:
        """Put in force what was offered last, if the newest file said something else."""
        offered = self._offered
        if offered is None:
            return
        digest = offered.digest()
        try:
            version = store.adopt_file(connection, offered.as_json(), digest, self._who)
        except SettingsError as error:
            log.warning("the settings are not in force: %s", error)
        else:
            newest = store.in_force(connection)
            if version is not None:
                log.info("sampling: what the settings say is version %d, for all", version)
            elif newest is not None:
                made = "" if newest.digest == digest else ", made through the API,"
                log.info(
                    "sampling: version %d%s stays: the settings say nothing new",
                    newest.version,
                    made,
                )
        with self._offering:
            if self._offered is offered:
                self._offered = None

    def _follow(self, connection: store.Connection) -> None:
        newest = store.in_force(connection)
        if newest is None or (newest.version, newest.digest) == self._looked_at:
            return
        self._looked_at = (newest.version, newest.digest)
        try:
            rules = Rules.parse(newest.settings)
        except SettingsError as error:
            log.warning(
                "sampling stays at version %d: this collector does not understand version %d: %s",
                self.now.version,
                newest.version,
                error,
            )
            return
        self.now = InForce(newest.version, rules)
        names = ", ".join(rule.name for rule in rules.rules)
        log.info("sampling: version %d is in force (%s)", newest.version, names or "all is kept")

    def told(self, sampler: Sampler) -> None:
        """Take note of how the sampler is doing; the preparing thread, after a window's decisions."""
        if self._clock_s() >= self._tell_due_s:
            self._tell_due_s = self._clock_s() + TOLD_S
            self.use = tuple(sampler.use())
            self.forgotten_trace_count = sampler.evicted_count
