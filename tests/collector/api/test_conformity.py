"""Every route does as the OpenAPI page says, whatever is asked: Schemathesis makes the questions of it.

A real collector over rows of every kind. What is asked for is what somebody could ask: values that fit the
description and values that do not, and the ids of what is there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from databases import TestServer
from harness import Collector, collector
from stored import SCOPE, TRACE, Stored, at

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# They have no end: their own tests ask them.
STREAMS = {"/api/v1/anomalies/stream", "/api/v1/live"}
EXAMPLES = {GenerationMode.POSITIVE: 4, GenerationMode.NEGATIVE: 2}
SEED = 20261123
PERIOD = uuid.UUID(int=1)
THERE = {
    "experiment_id": "sweep",
    "run_id": "run-1",
    "metric": "loss",
    "series_id": f"{1:016x}",
    "trace_id": TRACE.hex,
    "correlation_id": TRACE.hex,
    "period_id": str(PERIOD),
    "event_name": "crucible_train.epoch.stop",
    "version": "1",
    "model_id": "large",
    "model": "large",
}


@pytest.fixture(scope="module")
def running(
    plain_server: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collector]:
    place = tmp_path_factory.mktemp("conformity")
    with plain_server.database() as dsn, collector(place / "data", dsn) as one:
        with psycopg.connect(dsn, autocommit=True) as conn:
            _fill(Stored(conn))
        yield one


def _fill(stored: Stored) -> None:
    scope = {"scope_id": SCOPE, "name": "crucible", "version": "1", "first_seen": at(0)}
    stored.resource()
    stored.insert("scopes", scope)
    stored.experiment("sweep", name="Sweep", tags=["mlp"], metadata={"a": 1.0})
    for number in range(3):
        run = f"run-{number}"
        about = {"experiment_id": "sweep", "condition": f"lr={number}"}
        stored.run(run, kind="training", config={"lr": 1e-3}, **about)
        for name in ("crucible_train.epoch.stop", "inference"):
            stored.span(
                name=name,
                run_id=run,
                model="large",
                duration_ns=1500,
                step=number,
                cost_usd=float("nan"),
                attributes={"deep": {"list": [1, "x"]}},
                status_code=number,
                **about,
            )
        stored.log(run_id=run, severity_number=17, body='"it broke"', **about)
        stored.series(number, "loss", run_id=run, experiment_id="sweep")
        stored.points(number, [0.5, float("nan"), float("inf"), None])
    stored.series(9, "latency", source="metric", kind="histogram", resource_id=11)
    stored.histogram(9, bounds=[1.0, 5.0], counts=[1, 1, 1], sum=7.0, min=0.5, max=9.0)
    stored.period(1, run_id="run-1", experiment_id="sweep")
    stored.anomaly(PERIOD, run_id="run-1", experiment_id="sweep", value=float("nan"))


def _with_what_is_there(case: Case[Any]) -> Case[Any]:
    case.path_parameters.update(
        {name: THERE[name] for name in case.path_parameters if name in THERE}
    )
    return case


def test_every_route_does_as_it_is_described(running: Collector) -> None:
    described = schemathesis.openapi.from_url(f"{running.api}/openapi.json")
    wrong: list[str] = []
    asked = 0
    with httpx.Client(base_url=running.api) as client:
        for found in described.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            if operation.path in STREAMS or not operation.path.startswith("/api/"):
                continue
            for mode in GenerationMode:
                # Whatever is in a path alone fits: it is only not there.
                if mode.is_negative and not (operation.query or operation.body):
                    continue
                asked += 1
                try:
                    _ask(operation.as_strategy(generation_mode=mode), mode)
                except Unsatisfiable:
                    assert mode.is_negative  # whatever is asked fits
                except FailureGroup as error:
                    wrong.append(f"{operation.label} {mode.value}: {_told(error)}")
        assert client.get("/healthz").status_code == 200
    assert asked > 50
    assert not wrong, "\n\n".join(wrong)


def _told(error: FailureGroup) -> str:
    return "\n".join(str(each) for each in (error, *error.exceptions))


def _ask(cases: Any, mode: GenerationMode) -> None:
    @seed(SEED)
    @settings(
        max_examples=EXAMPLES[mode],
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case: Case[Any]) -> None:
        if mode.is_positive:
            case = _with_what_is_there(case)
        response = case.call_and_validate(checks=CHECKS, timeout=20)
        if response.status_code >= 500:
            # `fail_on` asks for it.
            assert response.json()["error"]["code"] == "unhealthy", response.json()

    ask()
