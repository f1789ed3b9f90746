"""What is said of a model, an event and an experiment is what NumPy makes of their rows."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from crucible_collector.api import portrait
from crucible_collector.api.intervals import Spread
from crucible_collector.api.portrait import std_of_buckets
from stored import Api, Stored, at

Row = dict[str, Any]
PERIOD = {"from_": at(-3600).isoformat(), "to": at(7 * 3600).isoformat()}


def some_calls(stored: Stored, count: int = 300) -> list[Row]:
    """Of two models in two versions; nothing sampled."""
    drawn = np.random.default_rng(11)
    rows: list[Row] = []
    for number in range(count):
        attributes: Row = {"crucible.model.version": str(drawn.choice(["1", "2"]))}
        if number % 3:
            attributes["gen_ai.response.time_to_first_chunk"] = float(drawn.gamma(2, 0.1))
        attributes["gen_ai.system" if number % 2 else "gen_ai.provider.name"] = "openai"
        rows.append(
            {
                "time": at(int(drawn.integers(0, 6 * 3600))),
                "duration_ns": int(drawn.lognormal(19, 0.7)),
                "trace_id": uuid.UUID(int=number + 1),
                "name": str(drawn.choice(["chat.stop", "embed.stop"])),
                "experiment_id": "sweep",
                "run_id": ["run-1", "run-2"][number % 2],
                "condition": ["high", "low"][number % 2],
                "model": str(drawn.choice(["large", "org/small"])),
                "status_code": 2 if drawn.random() < 0.1 else 1,
                "input_tokens": int(drawn.integers(1, 500)),
                "output_tokens": [None, 7, 30][drawn.integers(3)],
                "cost_usd": [None, 0.002, 0.05][drawn.integers(3)],
                "attributes": attributes,
            }
        )
    stored.spans([{**row, "sample_probability": 1.0} for row in rows])
    return rows


def assert_describes(answer: Row, rows: list[Row]) -> None:
    durations = np.array([row["duration_ns"] / 1e6 for row in rows])
    errors = sum(row["status_code"] == 2 for row in rows)
    assert (answer["count"], answer["stored_count"]) == (len(rows), len(rows))
    assert answer["count_interval"] == [len(rows), len(rows)]
    assert answer["error_count"] == errors
    assert answer["error_rate"] == pytest.approx(errors / len(rows))
    assert_lies(answer["latency_ms"], durations)
    for name in ("cost_usd", "input_tokens", "output_tokens"):
        told = [row[name] for row in rows if row[name] is not None]
        assert answer[name]["total"] == pytest.approx(sum(told))
        assert answer[name]["count"] == len(told)
        assert answer[name]["mean"] == pytest.approx(sum(told) / len(told))
    costs = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    assert answer["cost_per_1k_usd"] == pytest.approx(1000 * sum(costs) / len(costs))
    assert (answer["estimated"], answer["interval_reliable"]) == (False, True)


def assert_lies(answer: Row, values: Any) -> None:
    assert answer["count"] == len(values)
    assert answer["mean"] == pytest.approx(values.mean())
    assert answer["std"] == pytest.approx(values.std(ddof=1))
    assert answer["std_error_max"] == 0
    assert (answer["min"], answer["max"]) == pytest.approx((values.min(), values.max()))
    for name, fraction in (("median", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        exact = np.percentile(values, 100 * fraction, method="inverted_cdf")
        assert answer[name] == pytest.approx(exact), name
        assert answer[f"{name}_interval"] == [answer[name]] * 2


def test_a_model_is_described_by_version_and_provider(stored: Stored, api: Api) -> None:
    rows = [row for row in some_calls(stored) if row["model"] == "org/small"]
    answer = api.ask("/models/org%2Fsmall/statistics", **PERIOD)
    assert_describes(answer, rows)
    assert answer["throughput_per_s"] == pytest.approx(len(rows) / (8 * 3600))
    first = [row["attributes"].get("gen_ai.response.time_to_first_chunk") for row in rows]
    assert_lies(answer["time_to_first_token_ms"], 1000 * np.array([each for each in first if each]))
    assert [(each["version"], each["provider"]) for each in answer["versions"]] == [
        ("1", "openai"),
        ("2", "openai"),
    ]
    for each in answer["versions"]:
        of_version = [
            row for row in rows if row["attributes"]["crucible.model.version"] == each["version"]
        ]
        assert_describes(each["statistics"], of_version)


def test_a_period_of_long_ago_is_told_as_any_other(api: Api) -> None:
    answer = api.ask(
        "/models/large/statistics", from_="0968-01-07T00:00:00Z", to="1968-01-07T00:00:00Z"
    )
    assert answer["from"] == "0968-01-07T00:00:00.000000000Z"


def test_a_models_calls_are_told_from_what_else_names_it(stored: Stored, api: Api) -> None:
    rows = some_calls(stored)
    stored.span(name="crucible_train.training.stop", model="large", time=at(60))
    names = sorted({row["name"] for row in rows})
    for event in (names[:1], names):
        answer = api.ask("/models/large/statistics", **PERIOD, event=",".join(event))
        of_them = [row for row in rows if row["model"] == "large" and row["name"] in event]
        assert_describes(answer, of_them)


def test_models_are_listed_with_their_calls(stored: Stored, api: Api) -> None:
    rows = some_calls(stored, 60)
    found = api.ask("/models")
    assert [each["model"] for each in found] == ["large", "org/small"]
    for each in found:
        own = [row for row in rows if row["model"] == each["model"]]
        assert each["count"] == each["stored_count"] == len(own)
        assert each["error_count"] == sum(row["status_code"] == 2 for row in own)
    assert [row for page in api.pages("/models", limit=1) for row in page] == found
    assert api.ask("/models", experiment="other") == []


def test_an_event_is_described_under_its_own_name_and_others(stored: Stored, api: Api) -> None:
    rows = some_calls(stored, 80)
    answer = api.ask("/events/chat.stop/statistics", **PERIOD)
    assert_describes(answer, [row for row in rows if row["name"] == "chat.stop"])
    stored.span(name="crucible_train.checkpoint.saved")
    found = api.ask("/events/crucible_kitchen.training.checkpoint/statistics", **PERIOD)
    assert (found["event_name"], found["count"]) == ("crucible_train.checkpoint.saved", 1)
    assert api.ask("/events/never.sent/statistics", **PERIOD)["latency_ms"]["mean"] is None


def test_an_experiment_is_summed_up_with_its_conditions(stored: Stored, api: Api) -> None:
    stored.experiment("sweep", first_seen=at(0), last_seen=at(90))
    for run, condition in (("run-1", "high"), ("run-2", "low")):
        stored.run(run, experiment_id="sweep", condition=condition)
    rows = some_calls(stored)
    stored.span(name="elsewhere", experiment_id="other")
    answer = api.ask("/experiments/sweep/summary")
    assert answer["duration_s"] == 90
    assert_describes(answer["statistics"], rows)
    assert answer["reliability"]["request_count"] == len(rows)
    assert {each["event_name"]: each["count"] for each in answer["event_types"]} == {
        name: sum(row["name"] == name for row in rows) for name in ("chat.stop", "embed.stop")
    }
    assert [each["condition"] for each in answer["conditions"]] == ["high", "low"]
    for each in answer["conditions"]:
        own = [row for row in rows if row["condition"] == each["condition"]]
        assert_describes(each["statistics"], own)
        assert each["reliability"]["failed_count"] == each["statistics"]["error_count"]
    assert api.get("/api/v1/experiments/gone/summary").status_code == 404


def test_of_more_than_are_read_roll_ups_tell(
    stored: Stored, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.experiment("sweep")
    rows = some_calls(stored)
    monkeypatch.setattr(portrait, "ROWS_MAX", len(rows) - 1)
    answer = api.ask("/experiments/sweep/summary")
    durations = np.array([row["duration_ns"] / 1e6 for row in rows])
    told = answer["statistics"]["latency_ms"]
    assert answer["conditions"] is None
    assert answer["statistics"]["is_read_whole"] is False
    assert answer["statistics"]["cost_usd"]["total"] == pytest.approx(
        sum(row["cost_usd"] or 0 for row in rows)
    )
    assert told["mean"] == pytest.approx(durations.mean())
    assert told["median"] == pytest.approx(
        np.percentile(durations, 50, method="inverted_cdf"), rel=0.0101
    )
    assert 0 < told["std_error_max"] < 0.03 * durations.mean()
    assert abs(told["std"] - durations.std(ddof=1)) <= told["std_error_max"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda drawn: drawn.lognormal(3, 1, 500),
        lambda drawn: 100 + drawn.random(500),
        lambda drawn: drawn.normal(7, 0, 500),
        # One at the very end of its bucket makes all of the deviation.
        lambda drawn: np.append(drawn.uniform(1e-6, 2e-6, 499), (1.01 / 0.99) ** 299.999),
    ],
)
def test_deviations_by_buckets_are_as_near_as_they_say(draw: Callable[[Any], Any]) -> None:
    values = draw(np.random.default_rng(2))
    gamma = 1.01 / 0.99
    bucket = np.ceil(np.log(values) / np.log(gamma))
    stands = np.sort(2 * gamma**bucket / (gamma + 1))
    spread = Spread(stands, np.ones(500), np.zeros(500))
    std, error = std_of_buckets(spread)
    assert std is not None
    assert abs(std - values.std(ddof=1)) <= error


def test_a_period_ends_now_unless_it_is_told(stored: Stored, api: Api) -> None:
    some_calls(stored, 10)
    found = api.ask("/models/large/statistics", period="1h")
    assert found["count"] == 0
    assert found["from"] < found["to"]
    assert (
        api.client.get("/api/v1/models/large/statistics", params={"period": "2h"}).status_code
        == 422
    )
