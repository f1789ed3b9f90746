"""What an API key looks like: `ct_<id>_<secret>`, of which the id may be told and the secret not.

The id finds the key without comparing hashes with all of them; the beginning tells scanners of leaked
secrets, and people, what they have found.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string

_LETTERS = string.ascii_letters + string.digits
ID_CHARS = 8
SECRET_CHARS = 43  # of 62 letters: 256 bits
_KEY = re.compile(rf"ct_([a-zA-Z0-9]{{{ID_CHARS}}})_[a-zA-Z0-9]{{{SECRET_CHARS}}}", re.ASCII)
# Names of schemes are told apart by their letters alone, not their case: RFC 9110, section 11.1.
_BEARER = re.compile(r"(?i:bearer) +(\S+) *", re.ASCII)


def make_key() -> tuple[str, str]:
    """A new key's id, and the key."""
    key_id = _random(ID_CHARS)
    return key_id, f"ct_{key_id}_{_random(SECRET_CHARS)}"


def id_of(key: str) -> str | None:
    """The id in a key; None for what is none."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def digest_of(key: str) -> bytes:
    """What is kept of a key: see `store.keys` for why one SHA-256 is enough."""
    return hashlib.sha256(key.encode()).digest()


def bearer(header: str | None) -> str | None:
    """The token of an `authorization` header or metadata; None where it holds none."""
    match = _BEARER.fullmatch(header or "")
    return match[1] if match else None


def _random(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))
