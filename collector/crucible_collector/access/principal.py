"""Who asks: what a request's key allows, as every part of the API sees it.

Where no key is asked for, everybody may do everything: a collector on loopback.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Scope = Literal["ingest", "read", "write", "admin"]
SCOPES: frozenset[Scope] = frozenset(get_args(Scope))
# Where the guard puts who asks in an ASGI scope.
SCOPE_KEY = "crucible.principal"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks; `name` is the key's, empty where none was asked for."""

    name: str
    scopes: frozenset[Scope]
    experiment_prefix: str | None = None  # only experiments whose id begins so; None: all


EVERYBODY = Principal("", SCOPES)


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """Who sent the request of an ASGI scope (`request.scope`)."""
    found = scope.get(SCOPE_KEY, EVERYBODY)
    if not isinstance(found, Principal):
        raise TypeError(f"{SCOPE_KEY} of an ASGI scope is {found!r}")
    return found
