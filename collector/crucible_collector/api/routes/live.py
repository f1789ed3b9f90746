"""All that is stored, as it is stored, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from crucible_collector.api import server_sent
from crucible_collector.api.answer import compact
from crucible_collector.api.failures import failure
from crucible_collector.api.live import Follower, Live, Reset
from crucible_collector.api.live_rows import KINDS, Batch, Kind, Wish
from crucible_collector.api.models import Failure
from crucible_collector.api.parameters import Text
from crucible_collector.api.place import Place, PlaceError
from crucible_collector.api.questions import as_list
from crucible_collector.api.server_sent import RETRY_MS, ServerSentEvents

_NAMES_MAX = 1000
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events without an end; see the description.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    503: {
        "model": Failure,
        "description": "Too many listen, or the database does not answer: see Retry-After.",
    },
}
_Texts = Annotated[list[Text], BeforeValidator(as_list), Field(max_length=_NAMES_MAX)]
_Kinds = Annotated[list[Kind], BeforeValidator(as_list)]


class LiveFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    run: _Texts = Field([], description="Run ids: with commas, or the parameter repeated.")
    experiment: _Texts = Field([], description="Experiment ids, likewise.")
    events: _Texts = Field(
        [],
        description="Event names, likewise: of events and points only these.",
        examples=[["crucible_train.epoch.stop"]],
    )
    kinds: _Kinds = Field(
        [], description="Which kinds of messages, likewise; without it: all.", examples=[["points"]]
    )
    after: str | None = Field(
        None, description="The id of a message: what came after it. Without it: from now on."
    )

    def wish(self) -> Wish:
        return Wish(
            frozenset(self.kinds or KINDS),
            frozenset(self.run) if self.run else None,
            frozenset(self.experiment) if self.experiment else None,
            frozenset(self.events) if self.events else None,
        )


class LiveStream(ServerSentEvents):
    """Writes what a follower hears until either side ends it."""

    def __init__(self, follower: Follower) -> None:
        super().__init__()
        self._follower = follower

    def leave(self) -> None:
        self._follower.leave()

    async def texts(self) -> AsyncIterator[str]:
        follower = self._follower
        begun = await follower.begun()
        if begun is None:
            return
        told = {"kinds": sorted(follower.wish.kinds), "heartbeat_s": server_sent.HEARTBEAT_S}
        yield f"retry: {RETRY_MS}\n{_message('hello', compact(told))}{_place(begun)}"
        while (found := await follower.next(server_sent.HEARTBEAT_S)) is not None:
            yield _text(found, follower)


def _text(found: Batch | Reset, follower: Follower) -> str:
    """Whole messages, and then the place after them: whoever is cut off between is told them again."""
    if isinstance(found, Reset):
        place = "" if follower.place is None else _place(follower.place)
        return _message("reset", compact({"reason": found.reason})) + place
    messages = "".join(_message(row.kind, row.text) for row in found.rows)
    return (messages or ": nothing new\n") + _place(found.after)


def _message(kind: str, data: str) -> str:
    return f"event: {kind}\ndata: {data}\n\n"


def _place(place: Place) -> str:
    """No message, for want of data; but what a reader resumes from."""
    return f"id: {place.encode()}\n\n"


def live_router(live: Live) -> APIRouter:
    router = APIRouter(tags=["live"])

    @router.get(
        "/live",
        status_code=HTTPStatus.OK,
        response_class=LiveStream,
        responses=_RESPONSES,
        summary="Runs, events, points and anomalies as they are stored, as server-sent events",
    )
    async def follow(
        wanted: Annotated[LiveFilter, Query()],
        last_event_id: Annotated[
            str | None,
            Header(alias="Last-Event-ID", description="As `after`, and before it."),
        ] = None,
    ) -> Response:
        """Whatever any collector commits, also what is late, within half a second.

        - `hello` comes first: whatever is stored from then on is told.
        - `run`: a run as `/runs` has it now, when something of it has changed.
        - `event`: an event as `/events` has it.
        - `points`: new numbers of one series: `{run_id, experiment_id, metric, event_name, rank, series_id,
          points: [{step, time, value}]}`.
        - `anomaly`: a period as `/anomalies/stream` has it, with what has happened to it as `change`.
        - `reset`: something was missed that cannot be told any more, for the `reason`; ask for it anew.

        An id follows the messages that it is for. Whoever resumes by `Last-Event-ID` within ten minutes
        misses nothing; what was being sent when the connection broke comes again, so take an event by
        its trace and span id and a point by its series, time and step. A comment comes every 15 s.
        """
        after = wanted.after if last_event_id is None else last_event_id
        try:
            place = None if after is None else Place.decode(after)
        except PlaceError as error:
            name = "after" if last_event_id is None else "Last-Event-ID"
            details = [{"parameter": name, "message": str(error)}]
            return failure(422, "invalid_parameter", f"{name}: {error}", details)
        return LiveStream(await live.listen(place, wanted.wish()))

    return router
