"""Keeps pages of other sites from doing what everybody may do here: a browser takes them to loopback.

A page need not read an answer to have changed something, and many requests that change something may be sent
without asking first (simple requests, as the Fetch standard calls them); `Sec-Fetch-Site` and `Origin` tell
whose page sends. A page whose name comes to stand for 127.0.0.1 (DNS rebinding) counts as our own; `Host` has
that name. Who comes with a key of its own needs neither look: no page of another site has one.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from crucible_collector import metrics
from crucible_collector.errors import ForbiddenError

# "none": a person did it, not a page.
_OWN_SITES = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Origins:
    """What one listener takes from browsers."""

    listener: str
    allowed: tuple[str, ...] = ()  # scheme and host of others, as browsers send them
    host_names: frozenset[str] | None = None  # beside localhost and addresses; None: any

    def require_name(self, host: str | None) -> None:
        """ForbiddenError for a `Host` that this is not called by; None: not a browser's request."""
        if self.host_names is None or host is None:
            return
        name = _name_of(host)
        if not (_is_own_name(name) or name in self.host_names):
            raise self._refused(
                f"this is not reached as {name!r} without keys: its settings host_names and public_url say as"
                " what, beside localhost"
            )

    def require_own_page(self, site: str | None, origin: str | None, host: str | None) -> None:
        """ForbiddenError where these headers are of another site's page that is not allowed."""
        if origin in self.allowed or is_own_page(site, origin, host, otherwise=True):
            return
        raise self._refused(
            f"a page of {origin or 'another site'} may not have a browser send this: cors_origins does not name it"
        )

    def _refused(self, message: str) -> ForbiddenError:
        error = ForbiddenError(message)
        metrics.ACCESS_REFUSED.labels(self.listener, error.reason).inc()
        return error


def is_own_page(site: str | None, origin: str | None, host: str | None, *, otherwise: bool) -> bool:
    """Whether `Sec-Fetch-Site`, `Origin` and `Host` are of a page of this listener's; `otherwise` without any.

    Over HTTP browsers send the first to loopback only; the second goes with whatever changes something.
    """
    if site is not None:
        return site in _OWN_SITES
    if origin is None:
        return otherwise
    try:
        return host is not None and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # brackets that hold no address
        return False


def _name_of(host: str) -> str:
    """Without its port, and the dot that ends a full name."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.strip("[]").rstrip(".").lower()


def _is_own_name(name: str) -> bool:
    """What no name server decides about: nobody can have it stand for something else."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
