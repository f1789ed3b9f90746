"""Nothing keeps people from using the page that axe-core knows of, in any view, light or dark."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from stored import Api, Stored, at, serving

TRACE = uuid.UUID(int=7)
VIEWS = {
    "": "Overview",
    "experiments": "Experiments",
    "experiments/sweep": "sweep",
    "compare?experiment=sweep&metric=loss": "Compare",
    "anomalies": "Anomalies",
    "events": "Events",
    "inference": "Inference",
    "sampling": "Sampling",
    "collector": "Collector",
    "runs/run-1": "run-1",
    f"traces/{TRACE.hex}": "Trace",
    "correlations/c-1": "story",
}
ANSWERED_MS = 1500  # for what follows the heading; a view that is half there has less to find


@pytest.fixture
def api(plain_database: str) -> Iterator[Api]:
    with psycopg.connect(plain_database, autocommit=True) as conn:
        stored = Stored(conn)
        stored.experiment("sweep", tags=["nightly"], hypothesis="more is better")
        for index in (1, 2, 3, 4):
            of = {"run_id": f"run-{index}", "experiment_id": "sweep"}
            stored.run(**of, condition=f"c{index % 2}", config={"lr": index})
            stored.series(index, "loss", **of, event_name="crucible_train.batch.stop")
            stored.points(index, [3.0, 2.0, 1.0 / index])
        stored.period(1, run_id="run-1", metric="loss", first_step=1, last_step=1)
        stored.span(name="call", trace_id=TRACE, correlation_id="c-1", duration_ns=10**9)
        stored.span(name="bad", trace_id=TRACE, correlation_id="c-1", time=at(1), status_code=2)
        stored.span(name="ask", model="m", cost_usd=0.5, time=datetime.now(UTC))
    with serving(plain_database) as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(api: Api, browser: Browser, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    found = []
    for view, heading in VIEWS.items():
        page.goto("about:blank")
        page.goto(f"{api.client.base_url}/#/{view}")
        expect(page.locator("main h1")).to_contain_text(heading)
        page.wait_for_timeout(ANSWERED_MS)
        violations = Axe().run(page).response["violations"]
        found += [
            (view, each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"])
            for each in violations
        ]
    context.close()
    assert found == []
