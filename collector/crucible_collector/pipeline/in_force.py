"""Which version of some settings this collector works by: the newest that the database has.

Three threads meet here, and none waits for another. The one that writes windows asks the database
(`poll`); the one that prepares them reads `now` once a window, so that a window has one version
throughout; the service offers what a settings file says (`offer`). What they hand over is swapped whole.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from crucible_collector.errors import SettingsError
from crucible_collector.store.versions import Connection, Versions

# How soon a change that was made through another collector holds here.
POLL_S = 5.0
# How old what metrics and the API tell of the use of settings may be.
TOLD_S = 1.0


class Settings(Protocol):
    """What is kept, version by version."""

    def as_json(self) -> dict[str, Any]:
        """The canonical form."""
        ...

    def digest(self) -> UUID:
        """Equal for equal settings."""
        ...


Kind = TypeVar("Kind", bound=Settings)


@dataclass(frozen=True, slots=True)
class InForce(Generic[Kind]):
    """Settings with their version; 0 before any was made: the defaults."""

    version: int
    settings: Kind


class Following(Generic[Kind]):
    """What is in force of one kind of settings, for as long as the service runs."""

    def __init__(
        self,
        versions: Versions,
        parse: Callable[[Mapping[str, Any]], Kind],
        told: Callable[[Kind], str],
        offered: Kind | None = None,
        *,
        who: str = "",
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`told` says in a few words what settings are; `offered` is what the file or the environment says.

        None leaves what the database has. `who` offers it.
        """
        self.now = InForce(0, parse({}))
        self._versions = versions
        self._parse = parse
        self._told = told
        self._log = logging.getLogger(f"crucible.{versions.kind}")
        self._who = who
        self._clock_s = clock_s
        self._offered = offered
        self._offering = threading.Lock()
        self._poll_due_s = self._tell_due_s = float("-inf")
        # The newest version that was looked at, in force here or not. A database that was set back may
        # give a number again, to other settings.
        self._looked_at: tuple[int, UUID] | None = None

    def offer(self, settings: Kind) -> None:
        """Have what a settings file says put in force, where it is new, as soon as the database is there."""
        with self._offering:
            self._offered = settings
        self.ask_soon()

    def ask_soon(self) -> None:
        """Have the next poll ask the database: a version was made."""
        self._poll_due_s = float("-inf")

    def poll(self, connection: Connection) -> None:
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

    def is_time_to_tell(self) -> bool:
        """Whether TOLD_S have gone by since it last was; the preparing thread."""
        if self._clock_s() < self._tell_due_s:
            return False
        self._tell_due_s = self._clock_s() + TOLD_S
        return True

    def _adopt(self, connection: Connection) -> None:
        """Put in force what was offered last, if the newest file said something else."""
        offered, kind = self._offered, self._versions.kind
        if offered is None:
            return
        digest = offered.digest()
        try:
            version = self._versions.adopt_file(connection, offered.as_json(), digest, self._who)
        except SettingsError as error:
            self._log.warning("the settings are not in force: %s", error)
        else:
            newest = self._versions.in_force(connection)
            if version is not None:
                self._log.info("%s: what the settings say is version %d, for all", kind, version)
            elif newest is not None:
                made = "" if newest.digest == digest else ", made through the API,"
                self._log.info(
                    "%s: version %d%s stays: the settings say nothing new",
                    kind,
                    newest.version,
                    made,
                )
        with self._offering:
            if self._offered is offered:
                self._offered = None

    def _follow(self, connection: Connection) -> None:
        newest, kind = self._versions.in_force(connection), self._versions.kind
        if newest is None or (newest.version, newest.digest) == self._looked_at:
            return
        self._looked_at = (newest.version, newest.digest)
        try:
            settings = self._parse(newest.settings)
        except SettingsError as error:
            self._log.warning(
                "%s stays at version %d: this collector does not understand version %d: %s",
                kind,
                self.now.version,
                newest.version,
                error,
            )
            return
        self.now = InForce(newest.version, settings)
        said = self._told(settings)
        self._log.info("%s: version %d is in force (%s)", kind, newest.version, said)
