"""How a command finds the database of a collector that may be running, and reads what it is told."""

from __future__ import annotations

import datetime as dt

from crucible_collector.api.parameters import parse_time
from crucible_collector.errors import DatabaseAwayError, SettingsError
from crucible_collector.settings import Settings
from crucible_collector.store.connect import check_understood
from crucible_collector.store.database import EMBEDDED_DIRECTORY
from crucible_collector.store.embedded import running_dsn


def dsn_of(settings: Settings) -> str:
    """Where the database is: the given one, or that of a collector that runs. DatabaseAwayError, SettingsError."""
    if settings.database_url is not None:
        check_understood(settings.database_url)
        return settings.database_url
    dsn = running_dsn(settings.data_dir / EMBEDDED_DIRECTORY)
    if dsn is None:
        raise DatabaseAwayError(
            f"the embedded database of {settings.data_dir} does not run: start the collector,"
            " or give the --data-dir or --database-url that it has"
        )
    return dsn


def time_of(name: str, text: str | None) -> dt.datetime | None:
    """A time as `--name` was given; None stays None. SettingsError."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise SettingsError(f"{name} = {text!r} (command line): {error}") from None
