"""What a model, an event or an experiment is like, in numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crucible_collector.api.aggregated import written
from crucible_collector.api.answer import listed, single, whole
from crucible_collector.api.asking import Question, told_groups
from crucible_collector.api.estimates import completed
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.in_force import Asked
from crucible_collector.api.models import One, Page
from crucible_collector.api.outcomes import outcomes
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.path_parameters import EventNamePath, ExperimentIdPath, ModelPath
from crucible_collector.api.portrait import described, lying_of
from crucible_collector.api.questions import Chosen
from crucible_collector.api.reliability import ReliabilityFilter
from crucible_collector.api.statistics import (
    CalledModel,
    EventStatistics,
    ExperimentStatistics,
    ModelFilter,
    ModelStatistics,
    ModelStatisticsFilter,
    StatisticsFilter,
    SummaryFilter,
)
from crucible_collector.store.pieces import cut
from crucible_collector.store.read import Reads
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE
from crucible_schema import canonical_event

_FIRST_TOKEN = "crucible.measurement.time_to_first_token_ms"  # noqa: S105
_VERSIONS = ("attribute.crucible.model.version", "attribute.gen_ai.provider.name")
Bounds = tuple[datetime | None, datetime | None]


def statistics_router(reads: Reads) -> APIRouter:
    router = APIRouter()
    _add_models(router, reads)

    @router.get(
        "/events/{event_name}/statistics",
        response_model=One[EventStatistics],
        tags=["events"],
        summary="How many events of one name, how many failed, how long, how dear",
    )
    def of_event(
        event_name: EventNamePath, filters: Annotated[StatisticsFilter, Query()]
    ) -> Response:
        """Of the last day, unless another period is asked for. An alias means the registry's name."""
        name = canonical_event(event_name)
        chosen, bounds = _chosen(filters, event=[name]), filters.bounds()
        return whole({"event_name": name, **_statistics(reads, chosen, bounds)})

    @router.get(
        "/experiments/{experiment_id}/summary",
        response_model=One[ExperimentStatistics],
        responses=NOT_FOUND,
        tags=["experiments"],
        summary="An experiment in numbers, and each of its conditions beside it",
    )
    def of_experiment(
        experiment_id: ExperimentIdPath, filters: Annotated[SummaryFilter, Query()]
    ) -> Response:
        """Of the events that name the experiment: latency, cost, tokens, reliability."""
        found = single(
            reads.json_rows("experiment", experiment=experiment_id), "experiment", experiment_id
        )
        bounds = (filters.from_time, filters.to_time)
        return whole(_summary(reads, json.loads(found), bounds))

    return router


def _add_models(router: APIRouter, reads: Reads) -> None:
    @router.get(
        "/models",
        response_model=Page[CalledModel],
        tags=["models"],
        summary="Models that were asked or that answered, by name, with their calls",
    )
    def models(filters: Annotated[ModelFilter, Query()]) -> Response:
        cursor = decode_cursor(filters.cursor, "model")
        rows: list[str] = []
        if sums := cut(filters.from_time, filters.to_time, (DAY, HOUR, MINUTE)):
            rows = reads.json_rows(
                "models",
                sums=sums,
                experiment=filters.experiment,
                story=None,
                run=None,
                event=filters.event,
                model=None,
                status=None,
                last_name=cursor.key[0] if cursor else None,
                skip=cursor.skip if cursor else 0,
                limit=filters.limit + 1,
            )
            given = {"experiment": filters.experiment, "event": filters.event}
            known = {name: value for name, value in given.items() if value is not None}
            asked = Asked(filters.from_time, filters.to_time, known, ("model",))
            rows = completed(reads, rows, asked)
        return listed(rows, filters.limit, fields("model"), cursor)

    @router.get(
        "/models/{model}/statistics",
        response_model=One[ModelStatistics],
        tags=["models"],
        summary="How often a model was called, how fast, how well, how dear, by version and provider",
    )
    def of_model(model: ModelPath, filters: Annotated[ModelStatisticsFilter, Query()]) -> Response:
        """Of the last day, unless another period is asked for."""
        events = list(map(canonical_event, filters.event))
        chosen, bounds = _chosen(filters, model=[model], event=events), filters.bounds()
        found = _statistics(reads, chosen, bounds)
        first_token, versions = None, None
        if found["is_read_whole"]:
            first_token = lying_of(reads, _FIRST_TOKEN, chosen, bounds)
            versions = [
                {"version": version, "provider": provider, "statistics": each}
                for (version, provider), each in described(reads, chosen, bounds, _VERSIONS).items()
                if each["stored_count"]
            ]
        return whole(
            {"model": model, **found, "time_to_first_token_ms": first_token, "versions": versions}
        )


def _chosen(filters: StatisticsFilter, **named: list[str]) -> Chosen:
    experiment = [] if filters.experiment is None else [filters.experiment]
    return Chosen.model_validate({"experiment": experiment, **named})


def _statistics(reads: Reads, chosen: Chosen, bounds: tuple[datetime, datetime]) -> dict[str, Any]:
    found = described(reads, chosen, bounds)[()]
    start, end = bounds
    seconds = (end - start).total_seconds()
    return {
        "from": _told(start),
        "to": _told(end),
        "throughput_per_s": written(found["count"] / seconds) if seconds > 0 else None,
        **found,
    }


def _told(time: datetime) -> str:
    # strftime writes the year 968 in three digits.
    return f"{time.astimezone(UTC).isoformat(timespec='microseconds')[:26]}000Z"


def _summary(reads: Reads, experiment: dict[str, Any], bounds: Bounds) -> dict[str, Any]:
    name = experiment["experiment_id"]
    chosen = Chosen.model_validate({"experiment": [name]})
    types = told_groups(
        reads, Question("count", ("count",), chosen, None, ("event",), "none", *bounds)
    )
    overall = described(reads, chosen, bounds)[()]
    first, last = (experiment[each] for each in ("first_seen", "last_seen"))
    return {
        "experiment_id": name,
        "first_time": first,
        "last_time": last,
        "duration_s": (_parsed(last) - _parsed(first)).total_seconds(),
        "event_types": [
            {"event_name": group.key[1], "count": written(group.count)} for group, _ in types
        ],
        "statistics": overall,
        "reliability": next(iter(_reliability(reads, name, bounds)), None),
        "conditions": _conditions(reads, name, chosen, bounds)
        if overall["is_read_whole"]
        else None,
    }


def _conditions(
    reads: Reads, experiment: str, chosen: Chosen, bounds: Bounds
) -> list[dict[str, Any]]:
    reliable = {
        row["group"]["condition"]: row
        for row in _reliability(reads, experiment, bounds, group_by=["condition"])
    }
    return [
        {"condition": condition, "statistics": each, "reliability": reliable.get(condition)}
        for (condition,), each in described(reads, chosen, bounds, ("condition",)).items()
    ]


def _reliability(
    reads: Reads, experiment: str, bounds: Bounds, **further: list[str]
) -> list[dict[str, Any]]:
    start, end = bounds
    asked = ReliabilityFilter.model_validate({"experiment": experiment, **further})
    return outcomes(reads, asked.model_copy(update={"from_time": start, "to_time": end}))


def _parsed(time: str) -> datetime:
    return datetime.fromisoformat(f"{time[:26]}+00:00")
