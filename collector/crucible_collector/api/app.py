"""The application: REST under /api/v1, its description at /docs, a page at /, probes and metrics."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from crucible_collector.api import failures, openapi, site
from crucible_collector.api.exchange import GZIP, Departures, Head
from crucible_collector.api.feed import Feed
from crucible_collector.api.guard import CORS, Access, ApiGuard
from crucible_collector.api.live import Live
from crucible_collector.api.routes.aggregates import aggregates_router
from crucible_collector.api.routes.anomalies import Changes, anomalies_router, changes_router
from crucible_collector.api.routes.archives import (
    Archiving,
    archives_router,
    archiving_router,
)
from crucible_collector.api.routes.audit import audit_router
from crucible_collector.api.routes.budgets import ChangesBudgets, budgets_router
from crucible_collector.api.routes.checkpoints import checkpoints_router
from crucible_collector.api.routes.compare import compare_router
from crucible_collector.api.routes.cost import cost_router
from crucible_collector.api.routes.curves import curves_router
from crucible_collector.api.routes.detection import Detects, detection_router
from crucible_collector.api.routes.doctor import Examines, doctor_router
from crucible_collector.api.routes.events import events_router
from crucible_collector.api.routes.experiments import experiments_router
from crucible_collector.api.routes.exports import Exporting, exports_router
from crucible_collector.api.routes.health import health_router
from crucible_collector.api.routes.keys import keys_router
from crucible_collector.api.routes.leading import Leads, leading_router
from crucible_collector.api.routes.ledger import ledger_router
from crucible_collector.api.routes.live import live_router
from crucible_collector.api.routes.logs import logs_router
from crucible_collector.api.routes.numbers import numbers_router
from crucible_collector.api.routes.prices import Priced, prices_router
from crucible_collector.api.routes.recompute import Recomputes, recompute_router
from crucible_collector.api.routes.reliability import reliability_router
from crucible_collector.api.routes.runs import runs_router
from crucible_collector.api.routes.sampling import Samples, sampling_router
from crucible_collector.api.routes.scans import Scanning, band_router, scans_router
from crucible_collector.api.routes.schema import schema_router
from crucible_collector.api.routes.series import series_router
from crucible_collector.api.routes.session import session_router
from crucible_collector.api.routes.simulation import Simulates, simulation_router
from crucible_collector.api.routes.statistics import statistics_router
from crucible_collector.api.routes.stream import stream_router
from crucible_collector.api.routes.telemetry import TakesEvents, telemetry_router
from crucible_collector.api.routes.traces import traces_router
from crucible_collector.api.status import StatusSource, status_router
from crucible_collector.store.read import Reads, ReadsArrays

PREFIX = "/api/v1"

ROUTERS = (
    experiments_router,
    runs_router,
    checkpoints_router,
    health_router,
    events_router,
    traces_router,
    series_router,
    aggregates_router,
    numbers_router,
    curves_router,
    reliability_router,
    statistics_router,
    logs_router,
    ledger_router,
    anomalies_router,
    compare_router,
    cost_router,
    archives_router,
)
_ABOUT = """
What experiments did, as the collector stored it.

- Lists answer `{data, meta}`; `meta.next_cursor` given as `cursor`, with the same filters, continues
  them, as does the address in the header Link. Each has one order, which its title tells; rows that
  arrive meanwhile shift nothing.
- Lists are JSON, or an Arrow stream for `Accept: application/vnd.apache.arrow.stream`: `meta` is in its schema's
  metadata, and what is nested within a row is JSON text. `fields=a,b` leaves the other fields of rows out.
- Answers carry an ETag: with If-None-Match, what is still the same is answered 304. gzip where it is accepted.
- HEAD is answered as GET is, and OPTIONS with Allow.
- Whatever is not 2xx answers `{error: {code, message, details}}`.
- Times are RFC 3339 in UTC with nine digits; durations are milliseconds; trace ids are 32 hex
  digits, the ids of spans and series 16.
- Numbers that JSON does not know are the strings "NaN", "Infinity" and "-Infinity".
- A slash within an id in a path is written %2F.
"""


class PathAsSent:
    """Has routes matched on the path as it was sent, still escaped.

    ASGI servers decode it before, and then nothing tells the slash within a run id (%2F) from the
    one behind it. The types of path parameters (`parameters`) decode each for itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw = scope.get("raw_path")
            path = raw.decode("latin-1") if raw else quote(scope["path"])
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


def create_app(
    reads: ReadsArrays,
    status: StatusSource,
    events: TakesEvents | None = None,
    samples: Samples | None = None,
    simulates: Simulates | None = None,
    *,
    changes: Changes | None = None,
    leads: Leads | None = None,
    detects: Detects | None = None,
    scanning: Scanning | None = None,
    priced: Priced | None = None,
    budgets: ChangesBudgets | None = None,
    recomputes: Recomputes | None = None,
    access: Access | None = None,
    archiving: Archiving | None = None,
    exporting: Exporting | None = None,
    doctor: Examines | None = None,
) -> FastAPI:
    """The application over a database and a service, both of which outlive it.

    `events` takes what is posted, `samples` tells of this process's sampling and takes other rules;
    None where it receives nothing. `simulates` tries rules on what is stored; None where nobody does.
    `changes` takes what people make of periods of anomalies, `leads` what they make of experiments; None
    where it may not write.
    `detects` tells of this process's detection and takes other settings; None where it receives nothing.
    `scanning` has detectors look at what is stored; None where nobody does.
    `priced` tells of this process's prices and takes others; None where it stores nothing.
    `budgets` takes what experiments may cost; None where it may not write. `recomputes` computes costs anew;
    None where nobody does.
    `archiving` works on archives; None where nobody does.
    `exporting` takes rows away as files; None where nobody does.
    `doctor` looks at the collector; None where nobody does.
    `access` says who may ask; None: everybody may do everything.
    """
    app = FastAPI(
        title="Crucible Telemetry",
        description=_ABOUT,
        version="1",
        docs_url=None,
        redoc_url=None,
        # Without this FastAPI (0.160 and later) traces itself through the process's OpenTelemetry
        # providers, and a collector that exports to itself would never be at rest.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    api = APIRouter(prefix=PREFIX, responses=failures.FAILURES)
    if scanning is not None:
        api.include_router(band_router(reads, scanning))
        api.include_router(scans_router(reads, scanning))
    for router in ROUTERS:
        api.include_router(router(reads))
    app.state.feed = Feed(reads)
    api.include_router(stream_router(app.state.feed))
    app.state.live = Live(reads)
    api.include_router(live_router(app.state.live))
    if changes is not None:
        api.include_router(changes_router(reads, changes))
    if leads is not None:
        api.include_router(leading_router(reads, leads))
    api.include_router(sampling_router(reads, samples))
    api.include_router(detection_router(reads, detects))
    api.include_router(prices_router(reads, priced))
    api.include_router(budgets_router(reads, budgets))
    api.include_router(recompute_router(reads, recomputes))
    if simulates is not None:
        api.include_router(simulation_router(simulates))
    if archiving is not None:
        api.include_router(archiving_router(reads, archiving))
    if exporting is not None:
        api.include_router(exports_router(reads, exporting))
    api.include_router(schema_router())
    if events is not None:
        api.include_router(telemetry_router(events))
    _include_operations(api, reads, doctor, access)
    app.include_router(api)
    app.include_router(status_router(status))
    site.install(app)
    failures.install(app)
    openapi.install(app)
    _surround(app, reads, access)
    return app


def _include_operations(
    api: APIRouter, reads: ReadsArrays, doctor: Examines | None, access: Access | None
) -> None:
    """What whoever runs the collector asks."""
    if doctor is not None:
        api.include_router(doctor_router(doctor))
    if access is not None:
        api.include_router(session_router(access.guard))
        api.include_router(keys_router(reads, access))
        api.include_router(audit_router(reads))


def _surround(app: FastAPI, reads: Reads, access: Access | None) -> None:
    """What every request goes through, the innermost first."""
    app.add_middleware(PathAsSent)
    app.add_middleware(Departures)
    app.add_middleware(GZipMiddleware, **GZIP)
    app.add_middleware(Head)
    if access is not None:
        app.add_middleware(ApiGuard, access=access, reads=reads)
        if access.origins.allowed:
            app.add_middleware(CORSMiddleware, allow_origins=access.origins.allowed, **CORS)
    app.add_middleware(site.SecurityHeaders)
