"""Who is let in: the same for OTLP over gRPC and HTTP, and for REST.

Each of the three listeners has a `Guard` of its own, over one `KeyRing` and one set of buckets: whether keys
are asked for may differ by address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from crucible_collector import metrics
from crucible_collector.access.keyring import KeyRing
from crucible_collector.access.owners import Owners
from crucible_collector.access.principal import EVERYBODY, SCOPES, Principal, Scope
from crucible_collector.access.rates import Buckets, Rates
from crucible_collector.access.secrets import bearer
from crucible_collector.errors import ForbiddenError, RefusedError, UnauthenticatedError
from crucible_collector.store.keys import KeptKey

# Where the API's guard puts who was let in, in an ASGI scope; `principal.SCOPE_KEY` has what they may.
ADMITTED_KEY = "crucible.admitted"

# So many of one address's keys may be unknown at once, and so many more a minute, before they are refused
# without a look at the database.
UNKNOWN_PER_MINUTE_MAX = 60

_WANTED = "an API key is needed: send it as authorization: Bearer ct_…"
_UNKNOWN = "the API key is not valid: it is unknown, has expired or was revoked"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who was let in, and how much they may send."""

    principal: Principal
    who: str  # what their buckets go by
    rates: Rates
    buckets: Buckets
    key_id: str | None = None
    address: str = ""
    owners: Owners | None = None

    @property
    def experiment_prefix(self) -> str | None:
        return self.principal.experiment_prefix

    def foreign_runs(self, run_ids: Collection[str]) -> frozenset[str]:
        """Which of these runs they may not tell of. May ask the database."""
        if self.owners is None or self.experiment_prefix is None:
            return frozenset()
        return self.owners.foreign(self.experiment_prefix, run_ids)

    def require_room(self, body_bytes: int) -> None:
        """TooFastError where a body of this size will be refused, before any work is done on it."""
        if self.rates.bound_what_is_sent:
            self.buckets.send(self.who, self.rates, spans=0, body_bytes=body_bytes, take=False)

    def send(self, record_count: int, body_bytes: int) -> None:
        """Count a request against what may be sent; TooFastError, and then it is not counted."""
        if self.rates.bound_what_is_sent:
            self.buckets.send(
                self.who, self.rates, spans=record_count, body_bytes=body_bytes, take=True
            )

    def ask(self) -> int | None:
        """Count a question; how many are left, None without a limit. TooFastError."""
        return self.buckets.ask(self.who, self.rates)

    def require(self, scope: Scope) -> None:
        """ForbiddenError where the key is not for this."""
        held = self.principal.scopes
        if scope not in held and "admin" not in held:
            told = " and ".join(sorted(held))
            raise ForbiddenError(
                f"this takes a key for {scope}; {self.principal.name!r} is one for {told}"
            )


@dataclass(frozen=True, slots=True)
class Guard:
    """What one listener asks of everybody who comes. Any thread; `*_async` for an event loop."""

    listener: str
    keys: KeyRing | None  # None: no key is asked for
    rates: Rates = field(default_factory=Rates)
    buckets: Buckets = field(default_factory=Buckets)
    owners: Owners | None = None  # None where no key is asked for

    def admit(self, header: str | None, address: str, scope: Scope | None = None) -> Admitted:
        """Who sends this `authorization` header from this address; None of the scopes: any key.

        UnauthenticatedError, ForbiddenError; OverloadedError while keys cannot be known.
        """
        try:
            return self._admitted(
                self._known(header, address) or self._sought(header), address, scope
            )
        except RefusedError as error:
            self.count(error)
            raise

    async def admit_async(
        self, header: str | None, address: str, scope: Scope | None = None
    ) -> Admitted:
        """As `admit`."""
        try:
            found = self._known(header, address)
            if found is None:
                found = await asyncio.to_thread(self._sought, header)
            return self._admitted(found, address, scope)
        except RefusedError as error:
            self.count(error)
            raise

    def count(self, error: RefusedError) -> None:
        metrics.ACCESS_REFUSED.labels(self.listener, error.reason).inc()

    def is_valid(self, key_id: str | None) -> bool:
        """Whether who was let in with this key still would be."""
        return key_id is None or self.keys is None or self.keys.is_valid(key_id)

    def _known(self, header: str | None, address: str) -> KeptKey | Principal | None:
        """Who this is, as far as nobody needs to be asked; None: the database is to be."""
        if self.keys is None:
            return EVERYBODY
        key = bearer(header)
        if key is None:
            raise UnauthenticatedError(_WANTED)
        found = self.keys.find(key)
        if found is not None:
            return found
        if not self.keys.is_unknown(key):
            raise UnauthenticatedError(_UNKNOWN)
        self.buckets.ask(
            f"unknown {address}", Rates(requests_per_minute_max=UNKNOWN_PER_MINUTE_MAX)
        )
        return None

    def _sought(self, header: str | None) -> KeptKey:
        key = bearer(header)
        if self.keys is None or key is None:
            raise UnauthenticatedError(_WANTED)
        self.keys.read_again()
        found = self.keys.find(key)
        if found is None:
            raise UnauthenticatedError(_UNKNOWN)
        return found

    def _admitted(self, found: KeptKey | Principal, address: str, scope: Scope | None) -> Admitted:
        if isinstance(found, Principal):
            return Admitted(found, f"address {address}", self.rates, self.buckets, address=address)
        principal = Principal(
            found.name, frozenset(SCOPES.intersection(found.scopes)), found.experiment_prefix
        )
        own = {
            name: value for name in Rates.__dataclass_fields__ if (value := getattr(found, name))
        }
        admitted = Admitted(
            principal,
            f"key {found.key_id}",
            replace(self.rates, **own),
            self.buckets,
            found.key_id,
            address,
            self.owners,
        )
        if scope is not None:
            admitted.require(scope)
        return admitted
