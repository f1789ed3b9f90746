"""What calls cost, from the wire to the alert: by the list, by a user's prices, computed anew, over budget."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.alerts.receiving import Receiver, receiver
from crucible_collector.cli import main
from harness import Collector, collector, eventually
from traffic import batch_span, export, key_value, trace_request

PRICES = """
[[prices.models]]
name = "ours"
prefix = "our-lora"
input_usd = 1.0
output_usd = {output}
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Collector, Receiver, Path]]:
    config = tmp_path / "collector.toml"
    with receiver() as hook:
        webhook = f'[[detection.webhooks]]\nname = "chat"\nurl = "{hook.url}"\n'
        config.write_text(webhook + PRICES.format(output="2.0"))
        with collector(tmp_path / "data", None, "--config", str(config)) as one:
            yield one, hook, config


def send(to: Collector, model: str, count: int, tokens: int = 1_000_000) -> None:
    """Calls of now, each with as many tokens in its prompt as in its answer."""
    spans = []
    for number in range(count):
        span = batch_span(number)
        span.name = "chat"
        del span.attributes[:]
        told: dict[str, str | int] = {
            "gen_ai.request.model": model,
            "crucible.experiment.id": "sweep",
        }
        told |= {"gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": tokens}
        span.attributes.extend(key_value(key, value) for key, value in told.items())
        span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
        span.start_time_unix_nano = time.time_ns()
        span.end_time_unix_nano = span.start_time_unix_nano + 1_000_000
        spans.append(span)
    export(to.addresses["grpc"], trace_request(spans))


def by_model(of: Collector) -> dict[str, float | None]:
    rows = of.get("/api/v1/cost?group_by=model")["data"]
    return {row["model"]: row["cost_usd"] for row in rows}


def test_costs_follow_prices_and_budgets(running: tuple[Collector, Receiver, Path]) -> None:
    one, hook, config = running
    with httpx.Client(base_url=f"{one.api}/api/v1", timeout=30) as api:
        _tell_the_story(one, hook, config, api)


def _tell_the_story(one: Collector, hook: Receiver, config: Path, api: httpx.Client) -> None:
    send(one, "gpt-4o", 2)
    send(one, "our-lora-7", 3)
    send(one, "our-llama", 1)
    expected: dict[str, float | None] = {"gpt-4o": 25.0, "our-lora-7": 9.0, "our-llama": None}
    eventually(lambda: by_model(one) == expected, "the calls are priced")
    (unpriced,) = api.get("/cost/unpriced").json()["data"]
    assert (unpriced["model"], unpriced["unpriced_tokens"]) == ("our-llama", 2_000_000)
    assert 'crucible_unpriced_spans_total{model="our-llama"} 1.0' in one.metrics()
    _budget(api, hook)
    config.write_text(config.read_text().replace("output_usd = 2.0", "output_usd = 5.0"))
    one.running.send_signal(signal.SIGHUP)
    eventually(lambda: api.get("/cost/prices").json()["data"]["version"] == 2, "new prices")
    eventually(
        lambda: api.get("/cost/prices").json()["data"]["collector_version"] == 2, "they hold here"
    )
    send(one, "our-lora-7", 1)
    expected["our-lora-7"] = 15.0
    eventually(lambda: by_model(one) == expected, "the next call has the new price")
    _put_prices(api)
    _compute_anew(api)
    expected |= {"our-lora-7": 24.0, "our-llama": 0.0}
    eventually(lambda: by_model(one) == expected, "all have the newest prices")
    assert api.get("/cost/unpriced").json()["data"] == []


def _budget(api: httpx.Client, hook: Receiver) -> None:
    """Of a budget of 30 dollars 34 were spent."""
    answer = api.put("/cost/budgets/sweep", json={"usd_per_day": 30, "changed_by": "ada"})
    assert answer.json()["data"]["usd_per_day"] == 30
    wrong = api.put("/cost/budgets/sweep", json={"usd_per_day": 0})
    assert (wrong.status_code, "usd_per_day" in wrong.text) == (422, True)
    eventually(lambda: hook.requests, "somebody is told")
    periods = api.get("/anomalies/periods", params={"state": "open"}).json()["data"]
    (period,) = [each for each in periods if each["detector"] == "budget"]
    assert (period["experiment_id"], period["severity"]) == ("sweep", "critical")
    assert "cost_per_day of experiment sweep is 34" in json.dumps(hook.requests[-1].document)
    assert api.delete("/cost/budgets/sweep").status_code == 204
    assert api.delete("/cost/budgets/sweep").status_code == 404
    assert api.get("/cost/budgets/sweep").status_code == 404


def _put_prices(api: httpx.Client) -> None:
    settings = api.get("/cost/prices").json()["data"]["settings"]
    llama = {"match": "our-llama", "input_usd": 0, "output_usd": 0}
    body = {"models": [*settings["models"], llama], "reason": "it is ours", "version": 2}
    put = api.put("/cost/prices", json=body)
    assert put.json()["data"]["version"] == 3, put.text
    stale = api.put("/cost/prices", json=body | {"models": []})
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "changed_meanwhile")
    wrong = api.put("/cost/prices", json={"models": [{"match": "x", "input_usd": -1}]})
    assert wrong.status_code == 422
    assert "price price-1" in wrong.json()["error"]["message"]
    history = api.get("/cost/prices/history").json()["data"]
    assert [each["origin"] for each in history] == ["api", "file", "file"]
    priced = api.get("/cost/models", params={"model": "our-llama"}).json()["data"]
    assert (priced["is_priced"], priced["from_table"]) == (True, True)
    eventually(
        lambda: api.get("/cost/prices").json()["data"]["collector_version"] == 3, "they hold here"
    )


def _compute_anew(api: httpx.Client) -> None:
    def computed(**how: Any) -> Any:
        begun = api.post("/cost/recompute", json=how)
        assert begun.status_code == 202, begun.text
        url = f"/cost/recompute/{begun.json()['data']['job_id']}"
        eventually(lambda: api.get(url).json()["data"]["state"] == "completed", "it is computed")
        return api.get(url).json()["data"]["report"]

    foretold = computed(dry_run=True, experiment="sweep")
    assert (foretold["changed_count"], foretold["difference_usd"]) == (4, pytest.approx(9.0))
    assert computed()["changed_count"] == 4
    assert computed()["changed_count"] == 0
    assert len(api.get("/cost/recompute").json()["data"]) == 3
    assert api.post("/cost/recompute", json={"from": "soon"}).status_code == 422


def test_the_command_says_what_models_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "prices.toml"
    config.write_text(PRICES.format(output="2.0"))
    whose = ["--config", str(config), "--data-dir", str(tmp_path)]
    models = ["gemini-1.5-pro", "our-lora-7"]
    assert main(["prices", "check", *models, "--day", "2026-11-23", *whose]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("gemini-1.5-pro: input 1.25, cache read 1.25")
    assert "prompts over 128,000 tokens: input 2.5" in said[1]
    assert said[2].endswith("(your price ours)")
    assert main(["prices", "check", "our-llama", *whose]) == 1
    assert "our-llama: no price" in capsys.readouterr().out
    assert main(["prices", "check", "gpt-4o", "--day", "soon", *whose]) == 2
    assert "day = 'soon'" in capsys.readouterr().err
