"""The statements of the ingest transaction, one a file, and the times they take."""

from __future__ import annotations

import datetime as dt
import functools
from importlib import resources

_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
NS_PER_US = 1_000


@functools.cache
def statement(name: str) -> str:
    """The text of `<name>.sql` in this directory."""
    return resources.files(__name__).joinpath(f"{name}.sql").read_text()


def timestamp(ns: int) -> dt.datetime:
    """Nanoseconds since the epoch as an aware datetime, cut to microseconds."""
    return _EPOCH + dt.timedelta(microseconds=ns // NS_PER_US)


def optional_timestamp(ns: int | None) -> dt.datetime | None:
    """The same, None for None."""
    return None if ns is None else timestamp(ns)
