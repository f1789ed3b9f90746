"""The three listeners' doors as the settings have them: TLS, whether keys are asked for, and how much may come.

Where nothing is asked of anybody a door has no guard, and costs nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from crucible_collector.access.guard import Guard
from crucible_collector.access.keyring import KeyRing
from crucible_collector.access.origins import Origins
from crucible_collector.access.owners import Owners
from crucible_collector.access.rates import Buckets, Rates
from crucible_collector.errors import SettingsError
from crucible_collector.settings import LISTENERS, Settings, parse_address
from crucible_collector.tls import Tls

log = logging.getLogger("crucible.access")

_MAKE_ONE = "crucible-collector keys create --name admin --scopes admin"


class Doors:
    """Owner: the service, which starts it behind the database and before whatever listens."""

    def __init__(self, settings: Settings, dsn: Callable[[], str]) -> None:
        """Read the certificate. SettingsError where it cannot be used. `dsn` tells where the database is."""
        self._settings = settings
        self._asking = tuple(name for name in LISTENERS if settings.asks_for_keys(name))
        self._keys = KeyRing(dsn) if self._asking else None
        self._owners = Owners(dsn) if self._asking else None
        self._buckets = Buckets()
        self._rates = Rates(
            settings.requests_per_minute_max, settings.spans_per_s_max, settings.bytes_per_s_max
        )
        self.tls: Tls | None = None
        if settings.tls_cert is not None and settings.tls_key is not None:
            self.tls = Tls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)

    def start(self) -> None:
        """Learn the keys. SettingsError where one is needed and there is none."""
        if self._keys is None:
            return
        self._keys.start()
        if not self._keys.is_known:
            log.warning(
                "API keys are in the database, which is away: all requests are told to come back until it is there"
            )
        elif not self._keys.valid_count:
            self._tell_that_there_is_none()

    def stop(self) -> None:
        if self._keys is not None:
            self._keys.stop()

    def guard(self, listener: str) -> Guard:
        """Of one of the three."""
        keys = self._keys if listener in self._asking else None
        return Guard(listener, keys, self._rates, self._buckets, self._owners)

    def ingest_guard(self, listener: str) -> Guard | None:
        """As `guard`; None where nothing is asked and nothing is counted."""
        guard = self.guard(listener)
        return guard if guard.keys is not None or self._rates.bound_what_is_sent else None

    def origins(self, listener: str) -> Origins:
        """Of one of the three: what it takes of browsers."""
        settings, host_names = self._settings, None
        if listener not in self._asking and parse_address(getattr(settings, listener)).is_loopback:
            public = urlsplit(settings.public_url or "").hostname
            host_names = frozenset(settings.host_names) | ({public} if public else set())
        return Origins(listener, settings.cors_origins, host_names)

    def _tell_that_there_is_none(self) -> None:
        beyond = [
            name
            for name in self._asking
            if not parse_address(getattr(self._settings, name)).is_loopback
        ]
        if beyond and self._settings.tls_client_ca is None:
            address = getattr(self._settings, beyond[0])
            raise SettingsError(
                f"{beyond[0]} = {address}: beyond loopback API keys are needed, and the database has none that is"
                f" valid; make one with the same settings: {_MAKE_ONE}"
            )
        log.warning(
            "the database has no valid API key: all requests are refused until: %s", _MAKE_ONE
        )
