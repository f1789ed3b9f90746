"""Experiments, OTLP series with their numbers and distributions, and the ledger."""

from __future__ import annotations

import uuid

from stored import Api, Stored, at


def test_experiments_come_newest_first_with_the_number_of_their_runs(
    stored: Stored, api: Api
) -> None:
    stored.experiment("old", first_seen=at(0), name="Old", tags=["a", "b"], status="archived")
    stored.experiment("new", first_seen=at(1))
    stored.run("run-1", experiment_id="old")
    stored.run("run-2", experiment_id="old")
    new, old = api.ask("/experiments")
    assert (new["experiment_id"], new["run_count"], new["tags"]) == ("new", 0, [])
    assert (old["name"], old["run_count"], old["tags"]) == ("Old", 2, ["a", "b"])
    assert api.ask("/experiments/old").items() >= old.items()
    assert api.ask("/experiments", status="archived") == [old]
    assert [len(page) for page in api.pages("/experiments", limit=1)] == [1, 1]
    assert api.get("/api/v1/experiments/another").status_code == 404


SERIES_FILTERS: list[tuple[dict[str, object], list[int]]] = [
    ({}, [2, 1, 3]),
    ({"metric": "queue.length"}, [1, 3]),
    ({"service": "trainer"}, [1, 3]),
    ({"run": "run-1"}, [2]),
    ({"source": "metric"}, [1, 3]),
]


def test_an_experiment_tells_its_pauses_and_why_it_was_given_up(stored: Stored, api: Api) -> None:
    course = {
        "owner": "ada",
        "experiment_type": "ablation",
        "pause_count": 2,
        "pause_reason": "the GPU is needed elsewhere",
        "active_duration_ns": 1_500_000,
        "paused_duration_ns": 250_000,
        "abort_reason": "bad data",
    }
    stored.experiment("paused", status="paused", **course)
    stored.experiment("aborted", status="stopped", is_aborted=True, **course)
    stored.experiment("plain")
    paused, aborted, plain = (
        api.ask(f"/experiments/{name}") for name in ("paused", "aborted", "plain")
    )
    assert (paused["owner"], paused["experiment_type"], paused["pause_count"]) == (
        "ada",
        "ablation",
        2,
    )
    assert (paused["active_duration_ms"], paused["paused_duration_ms"]) == (1.5, 0.25)
    assert [each["pause_reason"] for each in (paused, aborted, plain)] == [
        "the GPU is needed elsewhere",
        None,
        None,
    ]
    assert [(each["is_aborted"], each["abort_reason"]) for each in (paused, aborted, plain)] == [
        (False, None),
        (True, "bad data"),
        (False, None),
    ]


def test_filters_narrow_series(stored: Stored, api: Api) -> None:
    for number in (3, 1):
        stored.series(number, "queue.length", source="metric", kind="gauge", resource_id=11)
    stored.series(2, "loss", run_id="run-1")
    for filters, ids in SERIES_FILTERS:
        pages = [api.ask("/series", **filters), *api.pages("/series", limit=1, **filters)]
        at_once = [int(each["series_id"], 16) for each in pages[0]]
        by_page = [int(each["series_id"], 16) for page in pages[1:] for each in page]
        assert (filters, at_once, by_page) == (filters, ids, ids)


def test_a_series_and_its_points_are_told_in_full(stored: Stored, api: Api) -> None:
    series = stored.series(
        0x0F3C9A7BE2D14C55,
        "requests",
        source="metric",
        kind="sum",
        temporality="cumulative",
        is_monotonic=True,
        number_kind="int",
        unit="1",
        attributes={"route": "/x"},
    )
    one = api.ask(f"/series/{series}")
    assert (one["temporality"], one["is_monotonic"], one["unit"]) == ("cumulative", True, "1")
    assert one["attributes"] == {"route": "/x"}

    large = 2**53 + 1
    stored.point(int(series, 16), value=float(large), value_int=large, start_time=at(-1), flags=0)
    stored.point(int(series, 16), time=at(1), value=None, flags=1, exemplars=[{"value": 2}])
    exact, missing = api.ask(f"/series/{series}/points")
    assert exact["value_int"] == str(large)
    assert exact["start_time"] == "2026-11-23T09:59:59.000000000Z"
    assert (missing["value"], missing["value_int"], missing["flags"]) == (None, None, 1)
    assert (exact["exemplars"], missing["exemplars"]) == ([], [{"value": 2}])


def test_distributions_of_every_kind_are_told_in_full(stored: Stored, api: Api) -> None:
    series = stored.series(1, "latency", kind="histogram", source="metric")
    stored.histogram(1, bounds=[0.5, float("inf")], counts=[1, 2, 0], sum=2.5, min=0.1, max=1.0)
    stored.histogram(
        1, time=at(1), scale=3, positive_offset=-2, counts=[3], zero_count=0, negative_counts=[1]
    )
    stored.histogram(1, time=at(2), bounds=[0.5], quantile_values=[float("nan")])
    explicit, exponential, summary = api.ask(f"/series/{series}/histograms")
    assert (explicit["bounds"], explicit["counts"]) == ([0.5, "Infinity"], [1, 2, 0])
    assert (explicit["sum"], explicit["min"], explicit["max"]) == (2.5, 0.1, 1.0)
    assert (exponential["scale"], exponential["positive_offset"]) == (3, -2)
    assert (exponential["negative_counts"], exponential["bounds"]) == ([1], [])
    assert summary["quantile_values"] == ["NaN"]


def test_values_of_a_series_page_by_page_are_all_once(stored: Stored, api: Api) -> None:
    series = stored.series(1)
    for of, write in (("points", stored.point), ("histograms", stored.histogram)):
        for number in range(10):
            write(1, time=at(number // 4))
        pages = list(api.pages(f"/series/{series}/{of}", limit=3))
        assert [len(page) for page in pages] == [3, 3, 3, 1]
        assert api.get(f"/api/v1/series/00000000000000ff/{of}").status_code == 404


def test_the_ledger_says_whether_everything_adds_up(stored: Stored, api: Api) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    for journal, signal, outcome, reason, count in (
        (first, "spans", "received", "", 600),
        (second, "spans", "received", "", 424),
        (first, "spans", "stored", "", 890),
        (first, "spans", "sampled", "thin", 60),
        (second, "spans", "sampled", "thin", 39),
        (second, "spans", "sampled", "inferences", 1),
        (first, "spans", "filtered", "events_deny=crucible_train.batch", 7),
        (second, "spans", "filtered", "events_deny=crucible_train.batch", 2),
        (second, "spans", "filtered", "events_allow", 1),
        (first, "spans", "rejected", "invalid_trace_id", 3),
        (second, "spans", "rejected", "invalid_trace_id", 4),
        (second, "spans", "rejected", "text_too_long", 1),
        (first, "spans", "duplicate", "", 16),
        (first, "log_records", "received", "", 5),
    ):
        values = {"journal_id": journal, "signal": signal, "outcome": outcome, "reason": reason}
        stored.insert("ledger", {**values, "count": count})
    logs, spans = api.ask("/ledger")
    assert spans == {
        "signal": "spans",
        "received_count": 1024,
        "stored_count": 890,
        "duplicate_count": 16,
        "sampled_count": 100,
        "sampled_by_rule": {"thin": 99, "inferences": 1},
        "filtered_count": 10,
        "filtered_by_rule": {"events_deny=crucible_train.batch": 9, "events_allow": 1},
        "rejected_count": 8,
        "rejected_by_reason": {"invalid_trace_id": 7, "text_too_long": 1},
        "unaccounted_count": 0,
    }
    assert (logs["received_count"], logs["unaccounted_count"]) == (5, 5)
