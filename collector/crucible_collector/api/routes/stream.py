"""The feed of anomalies as server-sent events, as EventSource and `curl -N` take them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from crucible_collector.api import server_sent
from crucible_collector.api.anomalies import Severity, at_least
from crucible_collector.api.answer import compact
from crucible_collector.api.feed import Entry, Feed, Gap, Listener
from crucible_collector.api.models import Failure
from crucible_collector.api.parameters import Text
from crucible_collector.api.server_sent import RETRY_MS, ServerSentEvents

_ID_MAX = (1 << 63) - 1
_RESPONSES: dict[int | str, dict[str, Any]] = {
    503: {
        "model": Failure,
        "description": "Too many listen, or the database does not answer: see Retry-After.",
    },
}


class StreamFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    after: int | None = Field(
        None,
        ge=0,
        le=_ID_MAX,
        description="What came after the event with this id; without it: from now on.",
    )
    run: Text | None = Field(None, description="Run id.")
    experiment: Text | None = Field(None, description="Experiment id.")
    severity: Severity | None = Field(None, description="Periods of this severity or worse.")

    def wants(self, entry: Entry) -> bool:
        body = entry.body
        severities = at_least(self.severity)
        return (
            (self.run is None or body.get("run_id") == self.run)
            and (self.experiment is None or body.get("experiment_id") == self.experiment)
            and (severities is None or body.get("severity") in severities)
        )


class EventStream(ServerSentEvents):
    """Writes what a listener hears until either side ends it."""

    def __init__(self, listener: Listener, wanted: StreamFilter) -> None:
        super().__init__()
        self._listener = listener
        self._wanted = wanted

    def leave(self) -> None:
        self._listener.leave()

    async def texts(self) -> AsyncIterator[str]:
        listener, gap = self._listener, self._listener.gap
        yield f"retry: {RETRY_MS}\n" + (_gap(gap) if gap else _place(listener.place))
        while (entries := await listener.next(server_sent.HEARTBEAT_S)) is not None:
            text = "".join(_event(entry) for entry in entries if self._wanted.wants(entry))
            # What was left out moves the place, too: nobody resumes before what is kept.
            yield text or f": nothing new\n{_place(listener.place)}"


def _event(entry: Entry) -> str:
    return f"id: {entry.feed_id}\nevent: {entry.kind}\ndata: {entry.text}\n\n"


def _gap(gap: Gap) -> str:
    data = compact({"after": gap.after, "continues_after": gap.place})
    return f"id: {gap.place}\nevent: gap\ndata: {data}\n\n"


def _place(place: int) -> str:
    """No event, for want of data; but what a reader resumes from."""
    return f"id: {place}\n\n"


def stream_router(feed: Feed) -> APIRouter:
    router = APIRouter(prefix="/anomalies", tags=["anomalies"])

    @router.get(
        "/stream",
        status_code=HTTPStatus.OK,
        response_class=EventStream,
        responses=_RESPONSES,
        summary="What happens to periods of anomalies, as server-sent events",
    )
    async def stream(
        wanted: Annotated[StreamFilter, Query()],
        last_event_id: Annotated[
            int | None,
            Header(
                alias="Last-Event-ID", ge=0, le=_ID_MAX, description="As `after`, and before it."
            ),
        ] = None,
    ) -> Response:
        """An event a change: opened, continued, escalated, acknowledged, silenced, reopened, resolved.

        Its data is the period as `/anomalies/periods` has it, with its newest flag as `flag`. Events come
        in the order in which they were stored, and whoever resumes by `Last-Event-ID` misses none within
        seven days; `gap` is sent where that is not so. A comment comes every 15 s.
        """
        after = wanted.after if last_event_id is None else last_event_id
        return EventStream(await feed.listen(after), wanted)

    return router
