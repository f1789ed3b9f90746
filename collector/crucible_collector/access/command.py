"""What `crucible-collector keys` does. See `commands.keys`."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from crucible_collector.access import making
from crucible_collector.access.changes import user_of_command
from crucible_collector.errors import CollectorError, SettingsError
from crucible_collector.settings import Settings
from crucible_collector.store import audit
from crucible_collector.store.audit import Change
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.keys import kept_keys
from crucible_collector.store.read import Reader
from crucible_collector.store.upgrade import bring_up_to_date, reached_anyhow

_LIMITS = ("requests_per_minute_max", "spans_per_s_max", "bytes_per_s_max")
_LISTED_MAX = 100_000
_EXIT_NONE = 1
log = logging.getLogger("crucible.keys")


@dataclass(frozen=True, slots=True)
class Asked:
    """A key as the command line asks for it."""

    name: str
    scopes: str
    experiment_prefix: str | None
    expires: str | None
    rates: tuple[str, ...]

    def wanted(self) -> making.Wanted:
        """SettingsError names what cannot be."""
        expires_at = None
        if self.expires is not None:
            expires_at = making.expiry_of(self.expires, dt.datetime.now(dt.UTC))
        scopes = [each.strip() for each in self.scopes.split(",") if each.strip()]
        limits = dict(map(_limit, self.rates))
        wanted = making.Wanted(self.name, scopes, self.experiment_prefix, expires_at, **limits)
        making.check(wanted)
        return wanted


def create(settings: Settings, asked: Asked, *, as_json: bool) -> int:
    """Make a key and print it."""
    wanted = asked.wanted()
    with _reached(settings) as dsn:
        made = making.make(dsn, wanted, user_of_command())
        told = {"name": wanted.name, "scopes": sorted(set(wanted.scopes))}
        _write_down(dsn, "keys create", {"key_id": made.key_id, **told})
    if as_json:
        print(json.dumps({"key_id": made.key_id, **told, "key": made.key}))
    else:
        print(made.key)
    return 0


def show(settings: Settings, *, as_json: bool) -> int:
    """Print the keys there are, newest first."""
    with _reached(settings) as dsn, reader_pool(dsn) as pool:
        rows = [json.loads(row) for row in Reader(pool).json_rows("api_keys", limit=_LISTED_MAX)]
    if as_json:
        print(json.dumps(rows))
        return 0
    for row in rows:
        print(_line(row))
    if not rows:
        print("no keys")
    return 0


def revoke(settings: Settings, key: str) -> int:
    """Revoke a key by its id or name; 1 where there is none. SettingsError where several may be meant."""
    with _reached(settings) as dsn:
        revoked = making.revoke(dsn, key, user_of_command())
        if revoked is None:
            print("no valid key has this id or name")
            return _EXIT_NONE
        key_id, name = revoked
        _write_down(dsn, "keys revoke", {"key_id": key_id, "name": name})
    print(f"revoked {key_id} {name}")
    return 0


def write_down(settings: Settings, command: str, summary: dict[str, Any]) -> None:
    """Have the audit tell of a command that has changed something; where it cannot, the log does."""
    try:
        with _reached(settings) as dsn:
            _write_down(dsn, command, summary)
    except CollectorError as error:
        log.warning("not in the audit: %s by %s: %s", command, user_of_command(), error)


def _write_down(dsn: str, command: str, summary: dict[str, Any]) -> None:
    audit.append(dsn, Change(user_of_command(), "COMMAND", command, summary=summary))


@contextmanager
def _reached(settings: Settings) -> Iterator[str]:
    """The database, run where it is the collector's own and does not, of a version that knows keys."""
    with reached_anyhow(settings, log) as dsn:
        with kept_keys(dsn) as keys:
            knows_keys = keys.has_table()
        if not knows_keys:
            bring_up_to_date(settings, dsn, log)
        yield dsn


def _limit(text: str) -> tuple[str, int]:
    name, equals, number = text.partition("=")
    if name not in _LIMITS or not equals or not (number.isascii() and number.isdecimal()):
        raise SettingsError(f"rate = {text!r}: expected {'=N, '.join(_LIMITS)}=N")
    return name, int(number)


def _line(row: dict[str, Any]) -> str:
    said = [row["key_id"], f"{row['state']:8}", ",".join(row["scopes"]), row["name"]]
    if row["experiment_prefix"]:
        said.append(f"for experiments {row['experiment_prefix']}…")
    if row["expires_at"]:
        said.append(f"expires {row['expires_at'][:19]}Z")
    said.append(f"used {row['last_used_at'][:16]}Z" if row["last_used_at"] else "never used")
    return "  ".join(said)
