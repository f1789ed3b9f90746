"""Experiments: what the runs are about."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from crucible_collector.access.principal import principal_of
from crucible_collector.api.answer import listed, single, whole
from crucible_collector.api.experiments import ExperimentInFull
from crucible_collector.api.failures import NOT_FOUND
from crucible_collector.api.models import Experiment, One, Page
from crucible_collector.api.paging import decode_cursor, fields
from crucible_collector.api.parameters import ExperimentFilter
from crucible_collector.api.path_parameters import ExperimentIdPath
from crucible_collector.api.places import after_first_seen
from crucible_collector.store.read import Reads

# Listed with an experiment: its runs have them all.
CONDITIONS_MAX = 1000
_KEY = ("first_seen", "experiment_id")


def experiments_router(reads: Reads) -> APIRouter:
    router = APIRouter(prefix="/experiments", tags=["experiments"])

    @router.get("", response_model=Page[Experiment], summary="Experiments, newest first")
    def experiments(filters: Annotated[ExperimentFilter, Query()], request: Request) -> Response:
        cursor = decode_cursor(filters.cursor, *_KEY)
        rows = reads.json_rows(
            "experiments",
            **filters.chosen(),
            within=principal_of(request.scope).experiment_prefix,
            **after_first_seen(cursor),
            limit=filters.limit + 1,
        )
        return listed(rows, filters.limit, fields(*_KEY), cursor)

    @router.get(
        "/{experiment_id}",
        response_model=One[ExperimentInFull],
        responses=NOT_FOUND,
        summary="One experiment with its course, its conditions and how many runs there are",
    )
    def experiment(experiment_id: ExperimentIdPath) -> Response:
        rows = reads.json_rows("experiment", experiment=experiment_id)
        found = json.loads(single(rows, "experiment", experiment_id))
        course = reads.json_rows("experiment_course", experiment=experiment_id)
        conditions = reads.json_rows(
            "experiment_conditions", experiment=experiment_id, limit=CONDITIONS_MAX + 1
        )
        found["course"] = json.loads(single(course, "experiment", experiment_id))
        found["conditions"] = [json.loads(row) for row in conditions[:CONDITIONS_MAX]]
        found["conditions_are_complete"] = len(conditions) <= CONDITIONS_MAX
        return whole(found)

    return router
