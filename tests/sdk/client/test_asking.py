"""The analyst's client against a real collector: whole lists as Arrow tables, words and numbers of comparisons."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from analysed import CONDITIONS, EPOCHS, EXPERIMENT, RUNS_EACH
from crucible_telemetry.client import ApiError, Client, line
from harness import Collector

RUN_COUNT = RUNS_EACH * len(CONDITIONS)


def test_lists_are_tables_whose_times_are_times(client: Client) -> None:
    (experiment,) = client.experiments().to_pylist()
    assert experiment["experiment_id"] == EXPERIMENT
    runs = client.runs(experiment=EXPERIMENT)
    assert runs.num_rows == RUN_COUNT
    assert runs.schema.field("started_at").type == pa.timestamp("ns", "UTC")
    assert client.runs(experiment=EXPERIMENT, condition=CONDITIONS[0]).num_rows == RUNS_EACH
    assert client.runs(from_=datetime.now(UTC) + timedelta(hours=1)).num_rows == 0
    assert client.runs(rows_max=5).num_rows == 5
    assert client.anomalies(run="none").num_rows == 0


def test_all_pages_are_given(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = client.events(experiment=EXPERIMENT)
    monkeypatch.setattr(line, "PAGE_ROWS", 7)
    assert client.events(experiment=EXPERIMENT).equals(whole)
    assert client.events(experiment=EXPERIMENT, rows_max=10).equals(whole.slice(0, 10))
    assert whole.num_rows > 20


def test_series_of_several_runs_are_one_table(client: Client) -> None:
    runs = client.runs(experiment=EXPERIMENT)["run_id"].to_pylist()
    numbers = client.series(runs, "val_accuracy")
    assert numbers.num_rows == RUN_COUNT * EPOCHS
    assert numbers["run_id"].unique().to_pylist() == runs
    assert client.series(runs[0], "val_accuracy").equals(numbers.slice(0, EPOCHS))
    few = client.series(runs[:2], "val_accuracy", points=10, x="time")
    assert few["value"].to_pylist() == numbers["value"].to_pylist()[: 2 * EPOCHS]
    assert client.run(runs[0])["status"] == "completed"


def test_numbers_are_summed_up_by_group(client: Client) -> None:
    found = client.aggregate(
        "val_accuracy", ["avg", "max"], group_by="condition", experiment=EXPERIMENT
    )
    assert found.num_rows == len(CONDITIONS)
    assert (
        client.aggregate("count", run="a,b").to_pylist()
        == client.aggregate("count", run=["a,b"]).to_pylist()
    )


def test_costs_are_told_by_condition(client: Client) -> None:
    costs = client.cost("condition", experiment=EXPERIMENT).to_pylist()
    assert [each["condition"] for each in costs] == sorted(CONDITIONS)
    assert costs[0]["cost_usd"] == pytest.approx(costs[1]["cost_usd"])
    assert costs[0]["cost_usd"] > 0


def test_comparing_gives_words_a_table_and_the_runs_numbers(client: Client) -> None:
    found = client.compare("val_accuracy", experiment=EXPERIMENT, conditions=list(CONDITIONS))
    (pair,) = found.table.to_pylist()
    assert (pair["baseline"], pair["candidate"]) == CONDITIONS
    assert pair["conclusion"] == "better"
    assert pair["improvement_lower"] > 0
    assert pair["baseline_count"] == pair["candidate_count"] == RUNS_EACH
    assert found.verdict == pair["verdict"]
    assert found.values.num_rows == RUN_COUNT
    assert found.verdict in str(found)
    assert "lr=1e-2: mean 0.8" in str(found)
    assert found.to_pandas()["candidate"].tolist() == [CONDITIONS[1]]


def test_several_metrics_are_several_rows(client: Client) -> None:
    found = client.compare(["val_accuracy", "duration"], experiment=EXPERIMENT, correction="none")
    assert found.table["metric"].to_pylist() == ["val_accuracy", "duration"]
    assert found.answer["correction"] == "none"


def test_what_cannot_be_compared_says_why(client: Client) -> None:
    one = client.runs(experiment=EXPERIMENT)["run_id"].to_pylist()[0]
    with pytest.raises(ApiError) as refused:
        client.compare("val_accuracy", runs={"a": [one], "b": [one]})
    assert (refused.value.status, refused.value.code) == (422, "not_comparable")
    assert one in refused.value.message


def test_refusals_are_one_exception_with_what_is_wrong(client: Client) -> None:
    with pytest.raises(ApiError, match="no such parameter") as unknown:
        client.runs(runn="x")
    assert unknown.value.details[0]["parameter"] == "runn"
    with pytest.raises(ApiError) as missing:
        client.run("a/b,c")
    assert (missing.value.status, missing.value.code) == (404, "not_found")
    with pytest.raises(ValueError, match="with its zone"):
        client.runs(from_=datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_address_and_the_key_come_from_the_environment(
    running: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRUCIBLE_API_URL", running.api)
    monkeypatch.setenv("CRUCIBLE_API_KEY", "ct_any")
    with Client() as one:
        assert one.runs().num_rows == RUN_COUNT
    with pytest.raises(ValueError, match="expected http"):
        Client("127.0.0.1:8080")


def test_the_rest_of_the_package_imports_neither_httpx_nor_pyarrow() -> None:
    program = (
        "import sys, crucible_telemetry\n"
        "assert not {'httpx', 'pyarrow'} & set(sys.modules)\n"
        "sys.modules['pyarrow'] = None\n"
        "try:\n    import crucible_telemetry.client\n"
        "except ImportError as error:\n    print(error)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout == (
        "crucible_telemetry.client needs pyarrow: pip install 'crucible-telemetry[client]'\n"
    )
