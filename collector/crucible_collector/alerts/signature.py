"""The signature of a delivery: who has the key can tell that it is the collector's, and of when.

The time is signed with the body, so that a receiver may refuse what is old: otherwise a delivery that
somebody overheard could be sent again years later.
"""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Crucible-Signature"


def signature(body: bytes, key: str, unix_s: float) -> str:
    """`t=<Unix seconds>,v1=<hexadecimal HMAC-SHA256 of "t.body" under the key>`."""
    time = str(int(unix_s))
    signed = hmac.new(key.encode(), time.encode() + b"." + body, hashlib.sha256)
    return f"t={time},v1={signed.hexdigest()}"
