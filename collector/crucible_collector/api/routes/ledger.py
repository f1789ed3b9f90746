"""The delivery ledger: whether what was received is all accounted for."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from crucible_collector.api.answer import rows_of
from crucible_collector.api.models import LedgerLine, One
from crucible_collector.store.read import Reads


def ledger_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/ledger", tags=["ledger"])

    @router.get("", response_model=One[list[LedgerLine]], summary="Counts by signal")
    def ledger() -> Response:
        """What is acknowledged and still in the journal is not in it yet: `/metrics` has that."""
        return rows_of(reads.json_rows("ledger"))

    return router
