"""Keys made and revoked, by a command or over REST: the key itself is told once, to who has it made."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass

from crucible_collector.access.principal import SCOPES
from crucible_collector.access.secrets import digest_of, make_key
from crucible_collector.errors import SettingsError
from crucible_collector.store.keys import KeptKey, kept_keys

NAME_CHARS_MAX = 128
PREFIX_CHARS_MAX = 128
LIMIT_MAX = 10**12
EXPIRES_MAX = dt.timedelta(days=36_600)
_DURATION = re.compile(r"(\d{1,6})\s*([mhdwy])", re.ASCII)
_UNIT = {
    "m": dt.timedelta(minutes=1),
    "h": dt.timedelta(hours=1),
    "d": dt.timedelta(days=1),
    "w": dt.timedelta(weeks=1),
    "y": dt.timedelta(days=365),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to be made; limits of None are the settings'."""

    name: str
    scopes: Collection[str]
    experiment_prefix: str | None = None
    expires_at: dt.datetime | None = None
    requests_per_minute_max: int | None = None
    spans_per_s_max: int | None = None
    bytes_per_s_max: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A key as it is told, once."""

    key_id: str
    key: str


def make(dsn: str, wanted: Wanted, by: str) -> Made:
    """Make a key and keep its hash. SettingsError names what is wrong with it; DatabaseAwayError."""
    check(wanted)
    key_id, key = make_key()
    kept = KeptKey(
        key_id,
        wanted.name,
        digest_of(key),
        sorted(set(wanted.scopes)),
        wanted.experiment_prefix,
        wanted.expires_at,
        wanted.requests_per_minute_max,
        wanted.spans_per_s_max,
        wanted.bytes_per_s_max,
    )
    with kept_keys(dsn) as keys:
        keys.add(kept, by)
    return Made(key_id, key)


def revoke(dsn: str, key: str, by: str) -> tuple[str, str] | None:
    """Revoke a key by its id or name: its id and name, None where no valid key has it.

    SettingsError where it is not clear which is meant; DatabaseAwayError.
    """
    with kept_keys(dsn) as keys:
        return keys.revoke(key, by)


def check(wanted: Wanted) -> None:
    """SettingsError where no such key can be."""
    _check_text("name", wanted.name, NAME_CHARS_MAX)
    unknown = sorted(set(wanted.scopes) - SCOPES)
    if unknown or not wanted.scopes:
        told = f"{unknown[0]!r} is no scope" if unknown else "none is given"
        raise SettingsError(f"scopes: {told}; expected some of {', '.join(sorted(SCOPES))}")
    if wanted.experiment_prefix is not None:
        _check_text("experiment_prefix", wanted.experiment_prefix, PREFIX_CHARS_MAX)
        if "admin" in wanted.scopes:
            raise SettingsError(
                "experiment_prefix: settings and keys are about all experiments;"
                " a key for admin cannot be for some only"
            )
    if wanted.expires_at is not None and wanted.expires_at <= dt.datetime.now(dt.UTC):
        raise SettingsError(
            f"expires = {wanted.expires_at:%Y-%m-%dT%H:%M:%SZ}: expected a time to come"
        )
    for name in ("requests_per_minute_max", "spans_per_s_max", "bytes_per_s_max"):
        limit = getattr(wanted, name)
        if limit is not None and not 1 <= limit <= LIMIT_MAX:
            raise SettingsError(f"{name} = {limit}: expected 1 or more")


def expiry_of(text: str, now: dt.datetime) -> dt.datetime:
    """When a key made now expires that is to live as long as `text` says, as in 90d. SettingsError."""
    match = _DURATION.fullmatch(text)
    lives = int(match[1]) * _UNIT[match[2]] if match else dt.timedelta()
    if not dt.timedelta() < lives <= EXPIRES_MAX:
        raise SettingsError(f"expires = {text!r}: expected how long it lives, as in 12h, 90d or 1y")
    return now + lives


def _check_text(name: str, text: str, chars_max: int) -> None:
    is_plain = text.isprintable() and text == text.strip()
    if not text or len(text) > chars_max or not is_plain:
        raise SettingsError(
            f"{name} = {text[:chars_max]!r}: expected up to {chars_max} printable characters"
        )
