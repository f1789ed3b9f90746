"""What a key may be, and what is kept of it and of changes."""

from __future__ import annotations

import datetime as dt
import json

import psycopg
import pytest

from crucible_collector.access import making
from crucible_collector.access.changes import summary_of
from crucible_collector.access.making import Wanted, expiry_of
from crucible_collector.access.secrets import bearer, digest_of, id_of, make_key
from crucible_collector.errors import SettingsError

NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def test_of_a_key_only_its_hash_is_kept(plain_database: str) -> None:
    made = making.make(plain_database, Wanted("ci", ["read"]), "test")
    with psycopg.connect(plain_database) as conn:
        rows = conn.execute("select k::text, digest from crucible.api_keys k").fetchall()
    assert len(rows) == 1
    assert made.key.rpartition("_")[2] not in rows[0][0]
    assert rows[0][1] == digest_of(made.key)
    assert id_of(made.key) == made.key_id


def test_two_keys_that_are_valid_have_two_names(plain_database: str) -> None:
    making.make(plain_database, Wanted("ci", ["read"]), "test")
    with pytest.raises(SettingsError, match="'ci' already"):
        making.make(plain_database, Wanted("ci", ["ingest"]), "test")
    assert making.revoke(plain_database, "ci", "test") is not None
    making.make(plain_database, Wanted("ci", ["ingest"]), "test")


def test_no_key_is_named_like_anothers_id(plain_database: str) -> None:
    first = making.make(plain_database, Wanted("first", ["read"]), "test")
    with pytest.raises(SettingsError, match="is the id of a key"):
        making.make(plain_database, Wanted(first.key_id, ["read"]), "test")


def test_what_is_one_keys_id_and_anothers_name_never_revokes_the_other(plain_database: str) -> None:
    """Names were once not held against ids."""
    first = making.make(plain_database, Wanted("first", ["read"]), "test").key_id
    second = making.make(plain_database, Wanted("second", ["read"]), "test").key_id
    with psycopg.connect(plain_database, autocommit=True) as conn:
        conn.execute("update crucible.api_keys set name = %s where key_id = %s", [first, second])
    assert making.revoke(plain_database, first, "test") == (first, "first")
    with pytest.raises(SettingsError) as unclear:
        making.revoke(plain_database, first, "test")
    for told in (f"{first} 'first' (revoked)", f"{second} {first!r}", "give the id of one"):
        assert told in str(unclear.value)
    assert making.revoke(plain_database, second, "test") == (second, first)
    assert making.revoke(plain_database, first, "test") is None


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted("", ["read"]), "name = ''"),
        (Wanted("a\nb", ["read"]), "printable"),
        (Wanted("a", []), "scopes: none is given"),
        (
            Wanted("a", ["reads"]),
            "'reads' is no scope; expected some of admin, ingest, read, write",
        ),
        (Wanted("a", ["admin"], "team-"), "a key for admin cannot be for some only"),
        (Wanted("a", ["read"], expires_at=NOW - dt.timedelta(days=9999)), "a time to come"),
        (Wanted("a", ["read"], spans_per_s_max=0), "spans_per_s_max = 0"),
    ],
)
def test_what_cannot_be_a_key_is_said_with_its_name(wanted: Wanted, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        making.check(wanted)
    assert says in str(refused.value)


def test_a_life_is_told_in_units() -> None:
    assert expiry_of("90d", NOW) == NOW + dt.timedelta(days=90)
    assert expiry_of("12h", NOW) == NOW + dt.timedelta(hours=12)
    for text in ("", "0d", "90", "d", "-1d", "9d9", "999999y", "٣d"):
        with pytest.raises(SettingsError, match="expected how long it lives"):
            expiry_of(text, NOW)


def test_keys_differ_and_what_is_none_has_no_id() -> None:
    assert len({make_key()[1] for _ in range(100)}) == 100
    key = make_key()[1]
    for text in ("", key[:-1], key + "x", key.replace("ct_", "cx_"), f" {key}", key + "\n"):
        assert id_of(text) is None
    for scheme in ("Bearer ", "bearer  ", "BEARER ", "bEARer "):
        assert bearer(f"{scheme}{key} ") == key
    for header in (None, "", key, f"Basic {key}", f"Bearer {key} {key}", "Bearer "):
        assert bearer(header) is None


def test_of_a_change_only_what_is_harmless_is_written_down() -> None:
    body = {"reason": "x" * 999, "url": "https://u:secret@h", "key": "secret", "scopes": ["read"]}
    kept = summary_of(json.dumps(body).encode())
    assert kept["fields"] == ["key", "reason", "scopes", "url"]
    assert kept["scopes"] == ["read"]
    assert len(kept["reason"]) == 200
    assert "secret" not in json.dumps(kept)
    assert summary_of(b"secret, no JSON") == {"body_bytes": 15}
    assert summary_of(b'{"name": "a\\u0000\\ud800"}')["name"] == "a\ufffd?"
    assert summary_of(b"") == {}
