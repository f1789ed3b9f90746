"""Comparisons over REST, of real rows on both kinds of database."""

from __future__ import annotations

import json
import math
import random
import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from scipy import stats

from crucible_collector.api import sides
from crucible_collector.api.compared import answer
from crucible_collector.api.comparison import CompareRequest, Comparison
from crucible_collector.api.models import One
from crucible_collector.errors import ForbiddenError, NotComparableError
from crucible_collector.store.connect import reader_pool
from crucible_collector.store.read import Reader
from stored import Api, Stored, at

EPOCH, BATCH = "crucible_train.epoch.stop", "crucible_train.batch.stop"
ASK = "crucible_deployment.inference"
CONDITIONS = {"a": "lr=1e-3", "b": "lr=1e-2"}


def post(api: Api, **body: Any) -> httpx.Response:
    named = {name.rstrip("_"): value for name, value in body.items()}
    return api.client.post("/api/v1/compare", json=named)


def compare(api: Api, **body: Any) -> dict[str, Any]:
    """`data` of the answer, which is as its model has it."""
    response = post(api, **body)
    assert response.status_code == 200, response.text
    One[Comparison].model_validate_json(response.content, strict=True)
    found: dict[str, Any] = response.json()["data"]
    return found


def metric(api: Api, **body: Any) -> dict[str, Any]:
    [found] = compare(api, **body)["metrics"]
    return dict(found)


def refusal(api: Api, **body: Any) -> str:
    response = post(api, **body)
    assert response.status_code == 422, response.text
    error = response.json()["error"]
    assert error["code"] == "not_comparable"
    return str(error["message"])


def runs(stored: Stored, name: str, values: list[float], **columns: Any) -> list[str]:
    """Completed runs of a condition, each with one number of val_accuracy."""
    made = []
    for number, value in enumerate(values):
        run_id = f"{name}-{number}"
        series = 1000 * (ord(name) - ord("a")) + number
        row = {
            "experiment_id": "sweep",
            "condition": CONDITIONS[name],
            "status": "completed",
            "kind": "training",
        }
        stored.run(run_id, **{**row, **columns})
        stored.series(series, "val_accuracy", run_id=run_id, event_name=EPOCH, unit="1")
        stored.points(series, [0.1, value])
        made.append(run_id)
    return made


A, B = [0.801, 0.811, 0.795, 0.805, 0.79], [0.831, 0.822, 0.84, 0.835, 0.829]
SWEEP = {"experiment": "sweep", "metric": "val_accuracy"}


def test_conditions_are_compared_by_the_last_number_of_each_run(stored: Stored, api: Api) -> None:
    runs(stored, "a", A)
    runs(stored, "b", B)
    answer = compare(api, **SWEEP, conditions=["lr=1e-3", "lr=1e-2"], bootstrap=True)
    assert answer["baseline"] == "lr=1e-3"
    [found] = answer["metrics"]
    assert (found["unit"], found["of"], found["event"], found["direction"]) == (
        "run",
        "final",
        EPOCH,
        "higher",
    )
    assert [value["value"] for value in found["groups"][0]["values"]] == A
    assert [value["unit_id"] for value in found["groups"][1]["values"]][:2] == ["b-0", "b-1"]
    [pair] = found["comparisons"]
    expected = stats.ttest_ind(B, A, equal_var=False)
    assert pair["test"] == "welch"
    assert pair["p_value"] == pytest.approx(expected.pvalue)
    assert pair["improvement"] == pair["difference"]
    assert pair["difference"]["value"] == pytest.approx(np.mean(B) - np.mean(A))
    assert pair["bootstrap"]["lower"] > 0
    assert pair["conclusion"] == "better"
    assert pair["verdict"].startswith(
        "lr=1e-2 is better than lr=1e-3: val_accuracy is higher by 0.031"
    )


def test_the_guides_question_is_answered_with_the_guides_verdict(stored: Stored, api: Api) -> None:
    guide = (Path(__file__).parents[3] / "collector" / "README.md").read_text()
    section = guide.partition("## Comparing conditions")[2].partition("\n## ")[0]
    [body] = re.findall(r"-d '(\{.*?\})'", section)
    runs(stored, "a", [0.80, 0.81, 0.79, 0.80, 0.80], experiment_id="lr-sweep")
    runs(stored, "b", [0.83, 0.84, 0.83, 0.82, 0.83], experiment_id="lr-sweep")
    [pair] = metric(api, **json.loads(body))["comparisons"]
    [told] = re.findall(r'\*"(lr=1e-2 is better .*?)"\*', section, re.DOTALL)
    assert pair["verdict"].startswith(" ".join(told.split()))


def test_sides_are_all_conditions_of_an_experiment_experiments_or_named_runs(
    stored: Stored, api: Api
) -> None:
    first = runs(stored, "a", A)
    second = runs(stored, "b", B, experiment_id="other")
    stored.experiment("sweep")
    stored.experiment("other")
    expected = metric(api, metric="val_accuracy", runs={"a": first, "b": second})["comparisons"][0]
    found = metric(api, metric="val_accuracy", experiments=["sweep", "other"])["comparisons"][0]
    assert found["p_value"] == expected["p_value"]
    assert (found["baseline"], found["candidate"]) == ("sweep", "other")
    turned = metric(api, metric="val_accuracy", runs={"a": first, "b": second}, baseline="b")[
        "comparisons"
    ][0]
    assert turned["improvement"]["value"] == -expected["improvement"]["value"]
    assert turned["conclusion"] == "worse"


def test_which_number_stands_for_a_run_is_chosen(stored: Stored, api: Api) -> None:
    for number, (run_id, curve) in enumerate(
        {
            "a-0": [3.0, 1.0, 2.0],
            "a-1": [4.0, 1.5, 2.5],
            "b-0": [3.0, 2.0, 1.0],
            "b-1": [3.0, 2.5, math.nan, 1.25],
        }.items()
    ):
        stored.run(run_id, condition=run_id[0], experiment_id="sweep", status="completed")
        stored.series(number, "loss", run_id=run_id, event_name=BATCH, rank=0)
        stored.points(number, curve)

    def values(of: str, **further: Any) -> list[list[float]]:
        found = metric(api, experiment="sweep", metric="loss", of=of, **further)
        return [[each["value"] for each in group["values"]] for group in found["groups"]]

    assert values("final") == [[2.0, 2.5], [1.0, 1.25]]
    assert values("best") == [[1.0, 1.5], [1.0, 1.25]]
    assert values("best", direction="higher") == [[3.0, 4.0], [3.0, 3.0]]
    assert values("min") == values("best")
    assert values("max")[0] == [3.0, 4.0]
    assert values("mean") == [[2.0, pytest.approx(8 / 3)], [2.0, pytest.approx(2.25)]]
    assert values("at_step", step=1) == [[1.0, 1.5], [2.0, 2.5]]
    assert values("over_range", from_step=1, to_step=3) == [[1.5, 2.0], [1.5, 2.5]]


def test_ranks_are_averaged_and_a_restarted_rank_counts_once(stored: Stored, api: Api) -> None:
    for number, run_id in enumerate(["a-0", "a-1", "b-0", "b-1"]):
        stored.run(run_id, condition=run_id[0], experiment_id="sweep", status="completed")
        for rank in (0, 1):
            series = number * 10 + rank
            stored.series(series, "loss", run_id=run_id, event_name=BATCH, rank=rank)
            stored.points(series, [5.0, 1.0 + number + rank])
    stored.series(99, "loss", run_id="a-0", event_name=BATCH, rank=0)
    stored.points(99, [9.0], start=7)
    found = metric(api, experiment="sweep", metric="loss")
    assert [value["value"] for value in found["groups"][0]["values"]] == [5.5, 2.5]


def test_runs_without_a_number_are_left_out_counted_and_told_of(stored: Stored, api: Api) -> None:
    runs(stored, "a", [*A, math.nan])
    runs(stored, "b", B)
    stored.run("b-none", condition="lr=1e-2", experiment_id="sweep", status="running")
    found = metric(api, **SWEEP)
    assert found["groups"][0]["left_out"] == [
        {
            "reason": "gave a val_accuracy that is not finite",
            "count": 1,
            "unit_ids": ["a-5"],
        }
    ]
    assert found["groups"][1]["left_out"][0]["reason"] == "measured no val_accuracy"
    assert any("which flatters it" in warning for warning in found["warnings"])
    assert any("still running" in warning for warning in found["warnings"])


def test_unequal_steps_are_told_of_and_at_step_leaves_out_who_did_not_come_so_far(
    stored: Stored, api: Api
) -> None:
    for number, run_id in enumerate(["a-0", "a-1", "b-0", "b-1", "b-2"]):
        stored.run(run_id, condition=run_id[0], experiment_id="sweep", status="completed")
        stored.series(number, "loss", run_id=run_id, event_name=BATCH)
        stored.points(number, [1.0 + number / 10] * (20 if number in {0, 1, 2, 3} else 5))
    for number in (0, 1):
        stored.points(number, [0.5 + number / 10] * 30, start=20)
    found = metric(api, experiment="sweep", metric="loss")
    assert any("unequal steps ('a' to 49, 'b' to 19)" in each for each in found["warnings"])
    at_step = metric(api, experiment="sweep", metric="loss", of="at_step", step=10)
    assert at_step["groups"][1]["left_out"] == [
        {"reason": "did not come to step 10", "count": 1, "unit_ids": ["b-2"]}
    ]
    assert not any("unequal" in each for each in at_step["warnings"])


def test_durations_costs_and_success_are_those_of_whole_runs(stored: Stored, api: Api) -> None:
    for number in range(12):
        side = "ab"[number % 2]
        stored.run(
            f"{side}-{number}",
            condition=side,
            experiment_id="sweep",
            status="failed" if number in {1, 3} else "completed",
            started_at=at(0),
            ended_at=at(10 + number + 10 * (side == "b")),
        )
        for call in range(2):
            stored.span(
                run_id=f"{side}-{number}",
                experiment_id="sweep",
                cost_usd=0.5 + number / 100 + (side == "b"),
                input_tokens=10,
                output_tokens=5,
                sample_probability=0.5 if number == 0 and call else 1.0,
                time=at(number + call / 10),
            )
    metrics = ["duration", "cost", "success", "tokens"]
    answer = compare(api, experiment="sweep", metrics=metrics)
    duration, cost, success, tokens = answer["metrics"]
    assert answer["family_size"] == 4
    assert (duration["value_unit"], duration["scale"]) == ("ms", "log")
    assert duration["groups"][0]["values"][0]["value"] == 10_000.0
    [pair] = duration["comparisons"]
    assert pair["improvement"]["value"] < 0 < pair["difference"]["value"]
    assert pair["conclusion"] == "worse"
    # One of its two calls stands for two.
    assert cost["groups"][0]["values"][0]["value"] == pytest.approx(1.5)
    assert cost["estimated"] is True
    assert success["comparisons"][0]["test"] == "boschloo"
    assert success["groups"][1]["mean"]["value"] == pytest.approx(4 / 6)
    assert tokens["groups"][0]["values"][0]["value"] == 45


def test_calls_without_a_price_are_told_of_and_an_agents_calls_count_once(
    stored: Stored, api: Api
) -> None:
    for number in range(6):
        run_id = f"{'ab'[number % 2]}-{number}"
        stored.run(run_id, condition=run_id[0], experiment_id="sweep", status="completed")
        call = {"run_id": run_id, "experiment_id": "sweep", "input_tokens": 10, "model": "m"}
        stored.span(event_name="chat m", **call, cost_usd=1.0 + number)
        stored.span(event_name="chat unknown", **{**call, "model": "unknown"})
        stored.span(event_name="invoke_agent boss", **call)
    cost, tokens = compare(api, experiment="sweep", metrics=["cost", "tokens"])["metrics"]
    [told] = [each for each in cost["warnings"] if "about 6 calls have no known price" in each]
    [unpriced] = api.ask(told.partition(" see /api/v1")[2])
    assert unpriced["model"] == "unknown"
    assert [each["value"] for each in tokens["groups"][0]["values"]] == [20, 20, 20]
    assert tokens["comparisons"][0]["conclusion"] == "identical"


def requests(stored: Stored, seed: int, probability: float = 1.0, count: int = 60) -> None:
    """Inferences of two conditions: b takes 1.5 times as long, and one in six of its fails."""
    chance = random.Random(seed)
    for number in range(count):
        for side in "ab":
            failed = side == "b" and number % 6 == 0
            stored.span(
                name=ASK,
                event_name=f"{ASK}.{'exception' if failed else 'stop'}",
                status_code=2 if failed else 1,
                duration_ns=int(1e6 * (1.5 if side == "b" else 1) * chance.lognormvariate(3, 0.3)),
                experiment_id="sweep",
                condition=side,
                cost_usd=0.01 * (1 + (side == "b")),
                trace_id=uuid.UUID(int=number * 2 + (side == "b") + 1),
                attributes={"crucible.sample.id": f"s-{number:03}"},
                sample_probability=probability if number % 2 else 1.0,
                time=at(number),
            )


def test_requests_are_compared_by_traces_or_paired_by_samples(stored: Stored, api: Api) -> None:
    requests(stored, 1)
    stored.experiment("sweep")
    body = {
        "experiment": "sweep",
        "conditions": ["a", "b"],
        "metrics": [
            {"metric": "latency", "event": ASK},
            {"metric": "request_success", "event": ASK},
            {"metric": "cost_per_request", "event": f"{ASK}.stop"},
        ],
    }
    latency, success, cost = compare(api, **body)["metrics"]
    assert (latency["unit"], latency["value_unit"], latency["scale"]) == ("sample_id", "ms", "log")
    [pair] = latency["comparisons"]
    assert (pair["test"], pair["pair_count"], pair["conclusion"]) == ("paired_t", 60, "worse")
    assert pair["ratio"]["lower"] < 1.5 < pair["ratio"]["upper"]
    assert success["comparisons"][0]["test"] == "mcnemar"
    assert success["groups"][1]["mean"]["value"] == pytest.approx(50 / 60)
    assert cost["comparisons"][0]["conclusion"] == "untestable"

    by_trace = metric(
        api, **{**body, "metrics": ["latency"], "event": ASK, "unit": "trace", "pair_by": "none"}
    )
    assert (by_trace["comparisons"][0]["test"], by_trace["unit"]) == ("welch", "trace")
    assert by_trace["groups"][0]["unit_count"] == 60


def test_sampled_requests_are_weighted_and_rank_tests_of_them_refused(
    stored: Stored, api: Api
) -> None:
    stored.experiment("sweep")
    requests(stored, 2, probability=0.25)
    body = {
        "experiment": "sweep",
        "conditions": ["a", "b"],
        "metric": "error_rate",
        "event": ASK,
        "unit": "trace",
    }
    rate = metric(api, **body)
    assert rate["estimated"] is True
    # Failures of b are all of numbers that were kept for certain.
    assert rate["groups"][1]["mean"]["value"] == pytest.approx(10 / (30 + 30 * 4))
    assert rate["comparisons"][0]["test"] == "chi_squared"
    assert rate["groups"][0]["effective_count"] < rate["groups"][0]["unit_count"]
    message = refusal(api, **{**body, "metric": "latency", "test": "mann_whitney"})
    assert "no weighted form" in message


def test_requests_of_a_run_that_are_alike_are_told_of(stored: Stored, api: Api) -> None:
    chance = random.Random(3)
    for number in range(8):
        side = "ab"[number % 2]
        stored.run(f"{side}-{number}", condition=side, experiment_id="sweep", status="completed")
        slow = chance.lognormvariate(0, 0.5)
        for call in range(20):
            stored.span(
                name=ASK,
                event_name=f"{ASK}.stop",
                run_id=f"{side}-{number}",
                experiment_id="sweep",
                condition=side,
                duration_ns=int(1e7 * slow * chance.lognormvariate(0, 0.1)),
                trace_id=uuid.UUID(int=number * 100 + call + 1),
                time=at(call),
            )
    body = {"experiment": "sweep", "metric": "latency", "event": ASK}
    found = metric(api, **body)
    assert found["groups"][0]["unit_count"] == 80
    assert any("requests of one run" in warning for warning in found["warnings"])
    by_run = metric(api, **body, unit="run")
    assert by_run["groups"][0]["unit_count"] == 4
    assert by_run["warnings"] == [
        "'a', 'b': fewer than 5 runs, so that the test leans on values that are distributed nearly normally"
    ]


def test_runs_are_paired_by_their_seed_or_a_key_of_their_configuration(
    stored: Stored, api: Api
) -> None:
    shift = [0.01, 0.012, 0.009, 0.011, 0.01, 0.013, 0.008]
    base = [0.5, 0.9, 0.7, 0.6, 0.8, 0.55, 0.85]
    for name, values in {"a": base, "b": [x + d for x, d in zip(base, shift, strict=True)]}.items():
        for number, value in enumerate(values):
            run_id = f"{name}-{number}"
            stored.run(
                run_id,
                condition=name,
                experiment_id="sweep",
                status="completed",
                config={"data": {"fold": number}} | ({"seed": number} if name == "a" else {}),
            )
            if name == "b":
                stored.span(
                    name="crucible_train.training",
                    event_name="crucible_train.training.start",
                    run_id=run_id,
                    attributes={"crucible.training.seed": number},
                )
            stored.series(100 * ord(name) + number, "val_accuracy", run_id=run_id)
            stored.points(100 * ord(name) + number, [value])
    by_seed = metric(api, **SWEEP)["comparisons"][0]
    assert (by_seed["test"], by_seed["pair_count"]) == ("paired_t", 7)
    assert by_seed["p_value"] == pytest.approx(stats.ttest_1samp(shift, 0).pvalue)
    assert (
        metric(api, **SWEEP, pair_by="data.fold")["comparisons"][0]["p_value"] == by_seed["p_value"]
    )
    assert metric(api, **SWEEP, pair_by="none")["comparisons"][0]["test"] == "welch"
    assert "share 0 ids" in refusal(api, **SWEEP, pair_by="no.such.key")


def test_what_would_mean_nothing_is_refused_with_the_reason(stored: Stored, api: Api) -> None:
    stored.experiment("sweep")
    runs(stored, "a", [0.8])
    runs(stored, "b", B)
    message = refusal(api, **SWEEP)
    assert "'lr=1e-3' has 1 run to compare by: at least 2" in message
    both = {"metric": "val_accuracy", "runs": {"x": ["a-0", "b-0"], "y": ["b-0", "b-1"]}}
    assert "run 'b-0' is on both sides" in refusal(api, **both)
    unknown = refusal(api, **SWEEP, conditions=["lr=1e-3", "lr=7"])
    assert "no run of condition 'lr=7'; it has 'lr=1e-2', 'lr=1e-3'" in unknown
    assert "there is no run 'z'" in refusal(api, metric="loss", runs={"x": ["z"], "y": ["b-0"]})
    assert "no experiment 'nobody'" in refusal(api, metric="loss", experiment="nobody")
    assert "none of these runs measured 'lozz'" in refusal(api, experiment="sweep", metric="lozz")
    assert "say in `event`" in refusal(api, experiment="sweep", metric="latency")
    assert "two sides" in refusal(api, **SWEEP, conditions=["lr=1e-2"])
    assert "is none of the sides" in refusal(api, **SWEEP, baseline="z")


def test_one_metric_that_cannot_be_compared_leaves_the_others(stored: Stored, api: Api) -> None:
    runs(stored, "a", A)
    runs(stored, "b", B)
    answer = compare(api, experiment="sweep", metrics=["val_accuracy", "lozz"])
    good, bad = answer["metrics"]
    assert good["not_comparable"] is None
    assert bad["not_comparable"] == "none of these runs measured 'lozz'"
    assert bad["comparisons"] == []
    assert answer["family_size"] == 1


def test_a_bad_question_is_told_what_is_wrong_with_which_key(api: Api) -> None:
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"metric": "loss"}, "body"),
        ({"experiment": "sweep"}, "body"),
        ({**SWEEP, "confidence": 2}, "confidence"),
        ({**SWEEP, "of": "at_step"}, "body"),
        ({**SWEEP, "tset": "welch"}, "tset"),
        ({**SWEEP, "conditions": ["a", "a"]}, "body"),
        ({**SWEEP, "metric": "a\0"}, "metric"),
    )
    for body, parameter in wrong:
        response = post(api, **body)
        assert response.status_code == 422, body
        error = response.json()["error"]
        assert error["code"] == "invalid_parameter"
        assert parameter in [each["parameter"] for each in error["details"]], error


def test_a_key_for_some_experiments_compares_these_only(stored: Stored, database: str) -> None:
    mine = runs(stored, "a", A)
    others = runs(stored, "b", B, experiment_id="other")
    with reader_pool(database) as pool:
        reads = Reader(pool)
        for body in (
            {"runs": {"x": mine, "y": others}},
            {"runs": {"x": mine, "y": ["nobody's"]}},
            {"experiments": ["sweep", "other"]},
            {"experiment": "nobody's"},
        ):
            asked = CompareRequest.model_validate({"metric": "val_accuracy", **body})
            with pytest.raises(ForbiddenError, match="not of these, or is not there"):
                answer(reads, asked, "swe")
        allowed = {"metric": "val_accuracy", "runs": {"x": mine[:2], "y": mine[2:]}}
        assert answer(reads, CompareRequest.model_validate(allowed), "swe")["baseline"] == "x"


def test_how_many_runs_a_foreign_experiment_has_is_not_told(
    stored: Stored, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = runs(stored, "a", A)
    others = runs(stored, "b", B, experiment_id="other")
    monkeypatch.setattr(sides, "RUNS_MAX", 1)
    with reader_pool(database) as pool:
        reads = Reader(pool)
        for body in ({"experiments": ["sweep", "other"]}, {"experiment": "other"}):
            with pytest.raises(ForbiddenError):
                answer(reads, CompareRequest.model_validate({"metric": "a", **body}), "swe")
        for within, refused in (("swe", ForbiddenError), (None, NotComparableError)):
            asked = {"metric": "a", "runs": {"x": mine, "y": others}}
            with pytest.raises(refused):
                answer(reads, CompareRequest.model_validate(asked), within)


def test_a_period_leaves_runs_out(stored: Stored, api: Api) -> None:
    runs(stored, "a", A)
    runs(stored, "b", B)
    stored.experiment("sweep")
    stored.run("late", condition="lr=1e-2", experiment_id="sweep", first_seen=at(100))
    found = metric(api, **SWEEP, to="2026-11-23T10:00:50Z")
    assert found["groups"][1]["run_count"] == 5
    assert "two sides" in refusal(api, **SWEEP, from_="2027-01-01")
