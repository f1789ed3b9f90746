"""How the collector is: `/healthz`, `/readyz` and `/metrics`.

Alive and ready differ: with its database away the collector is alive and goes on acknowledging into
the journal, so `/healthz` stays 200 (a restart would help nobody) while `/readyz` says 503.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from crucible_collector.api.failures import failure

_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """One part of the collector, and in a few words how it is."""

    is_ready: bool
    detail: str = ""


class StatusSource(Protocol):
    """What the service tells about itself."""

    def health(self) -> Mapping[str, ComponentStatus]:
        """What is known now. Called on the event loop: it must not wait for anything."""
        ...

    def metrics_text(self) -> bytes:
        """The Prometheus text format. Called on a thread, so it may ask the database."""
        ...


def status_router(source: StatusSource) -> APIRouter:
    """The three addresses, outside /api/v1 where probes and scrapers look for them."""
    router = APIRouter(tags=["status"])

    @router.get("/healthz", summary="Is the process alive, and what in it is up?")
    async def healthz() -> Response:
        return JSONResponse({"data": _components(source), "meta": {}}, headers=_NO_STORE)

    @router.get("/readyz", summary="Is everything up? 503 where not.")
    async def readyz() -> Response:
        components = _components(source)
        waiting = [name for name, state in components.items() if not state["is_ready"]]
        if waiting:
            message = f"not ready: {', '.join(waiting)}"
            return failure(503, "not_ready", message, components, {"Retry-After": "1"})
        return JSONResponse({"data": components, "meta": {}}, headers=_NO_STORE)

    @router.get("/metrics", summary="What the collector counts, for Prometheus.")
    def metrics() -> Response:
        return Response(source.metrics_text(), headers=_NO_STORE, media_type=CONTENT_TYPE_LATEST)

    return router


def _components(source: StatusSource) -> dict[str, dict[str, object]]:
    return {name: asdict(state) for name, state in source.health().items()}
