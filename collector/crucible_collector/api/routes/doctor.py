"""What is wrong with the collector and its database, as `crucible-collector doctor` says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

from fastapi import APIRouter
from pydantic import Field

from crucible_collector.api.models import Model, One
from crucible_collector.findings import Finding, Level


class Examines(Protocol):
    """Looks at a collector; see `crucible_collector.checkup`."""

    def findings(self) -> Sequence[Finding]: ...


class Found(Model):
    """One thing that was looked at."""

    check: str = Field(examples=["jobs"])
    level: Level = Field(
        description="`wrong`: data are lost, late or not written as they should be; `warning`: they are not, so far."
    )
    says: str = Field(description="How it is, in a sentence.")
    remedy: str = Field(
        description="What a person does about it; empty where there is nothing to do."
    )
    facts: dict[str, Any] = Field(description="The numbers behind `says`.")


def doctor_router(doctor: Examines) -> APIRouter:
    router = APIRouter(prefix="/doctor", tags=["ledger"])

    @router.get("", response_model=One[list[Found]], summary="What is wrong, and what to do")
    def findings() -> dict[str, Any]:
        """Up to fifteen seconds old. The command also sends a trace through the collector; this does not."""
        return {"data": [asdict(each) for each in doctor.findings()], "meta": {}}

    return router
