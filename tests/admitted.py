"""An API key that nobody has, and what to ask of who may ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any


def keys(begin: datetime) -> str:
    """The statement that has a database know of a key; no key has its digest."""
    return (
        "insert into crucible.api_keys (key_id, name, digest, scopes, created_at)"
        f" values ('aaaaaaaa', 'nobody', '\\x00', '{{read}}', '{begin}')"
    )


def questions() -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """Path, what stands in it, parameters."""
    yield "/api/v1/session", {}, {}
    yield "/api/v1/keys", {}, {}
    yield "/api/v1/audit", {}, {"limit": 1, "fields": "audit_id,who,path"}
