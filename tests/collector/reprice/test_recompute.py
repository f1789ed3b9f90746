"""Costs computed anew are those that ingest would have stored: in rows, roll-ups and error bars."""

from __future__ import annotations

import datetime as dt
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crucible_collector.cost.price_table import PriceTable
from crucible_collector.cost.pricing import Pricing
from crucible_collector.errors import SettingsError
from crucible_collector.pipeline.prepare import prepare
from crucible_collector.reprice import Asked, recompute
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.store.connect import MAINTENANCE, connect
from databases import TestServer
from rolled import rolled_up, settle
from rows_of import at, ingest, rows_of, span_of, traces

MODEL, SENT, GOT = "gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
OURS = PriceTable.parse({"models": [{"match": "gpt-4o", "input_usd": 5, "output_usd": 20}]})
HALF = {"rules": [{"strategy": "uniform", "probability": 0.5}]}
COSTS = ("cost_usd", "cost_variance", "cost_trace_variance")
VIEWS = ("span_rollup_1m", "span_rollup_1h", "span_rollup_1d")
SUMS = ("cost_sum_usd", "cost_unseen_usd", "cost_variance", "cost_trace_variance")


def calls(seed: int = 1) -> list[Any]:
    """Some hundred calls in traces of several, over some minutes, of all kinds that there are."""
    randomness = random.Random(seed)
    found = []
    for number in range(1, 241):
        told: dict[str, Any] = {
            MODEL: randomness.choice(
                ["gpt-4o", "gpt-4o", "claude-3-5-sonnet-20241022", "our-lora"]
            ),
            SENT: randomness.randrange(1, 5000),
            GOT: randomness.randrange(0, 900),
            "crucible.experiment.id": randomness.choice(["sweep", "other"]),
            "crucible.run.id": randomness.choice(["run-a", "run-b"]),
        }
        told |= randomness.choice(
            [
                {},
                {},
                {"llm.cost.total": 0.25},
                {"gen_ai.usage.cache_read_input_tokens": 1},
                {"gen_ai.usage.reasoning.output_tokens": 2, "gen_ai.provider.name": "openai"},
                {"gen_ai.provider.name": "vllm"},
                {"gen_ai.operation.name": "invoke_agent"},
                {"gen_ai.response.model": "gpt-4o-2024-05-13"},
            ]
        )
        span = span_of(number, randomness.choice(["chat", "embed"]), **told)
        span.trace_id = (number // 4 + 1).to_bytes(9) + random.Random(number // 4).randbytes(7)
        span.start_time_unix_nano = at(number // 4 * 7)
        span.end_time_unix_nano = span.start_time_unix_nano + 1_000_000 * number
        found.append(span)
    return found


def store(dsn: str, directory: Path, pricing: Pricing | None, rules: dict[str, Any] = HALF) -> None:
    """As the pipeline would, in one window."""
    with ingest(dsn, directory) as to:
        window = to.window(traces(*calls()))
        known = to.remembered.known()
        sampler = Sampler(Rules.parse(rules))
        to.write(prepare(window, known, to.subscription, sampler, pricing=pricing))


def asked(**how: Any) -> Asked:
    return Asked.of(None, dt.datetime.now(dt.UTC) + dt.timedelta(days=1), **how)


def again(dsn: str, table: PriceTable | None = None, **how: Any) -> dict[str, Any]:
    return recompute(dsn, Pricing(table), asked(**how), lambda _share, _report: None)


def costs(dsn: str) -> dict[int, tuple[Any, ...]]:
    return {row["span_id"]: tuple(row[name] for name in COSTS) for row in rows_of(dsn, "spans")}


def totals(dsn: str, view: str) -> dict[Any, tuple[Any, ...]]:
    names = ("time", "experiment_id", "run_id", "event_name", "model", "status_code")
    rows = {
        tuple(row[name] for name in names): tuple(
            row[name] or 0.0 for name in (*SUMS, "cost_max_usd")
        )
        for row in rolled_up(dsn, view)
    }
    assert rows
    return rows


def alike(found: Any, expected: Any) -> None:
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        for value, wanted in zip(found[key], values, strict=True):
            assert value == (None if wanted is None else pytest.approx(wanted, abs=1e-12)), key


@pytest.mark.parametrize("before", [None, Pricing()], ids=["without prices", "by the list"])
def test_it_comes_to_what_ingest_would_have_stored(
    any_server: TestServer, tmp_path: Path, before: Pricing | None
) -> None:
    """Rows, with the terms of error bars; and roll-ups, but for a largest cost that may be one of before."""
    with any_server.database() as dsn, any_server.database() as other:
        store(other, tmp_path / "other", Pricing(OURS))
        store(dsn, tmp_path / "stored", before)
        settle(other)
        settle(dsn)
        unchanged = costs(dsn)
        foretold = again(dsn, OURS, dry_run=True)
        assert costs(dsn) == unchanged
        report = again(dsn, OURS)
        assert report | {"done_until": None} == foretold | {"done_until": None}
        assert 20 < report["changed_count"] < report["call_count"]
        assert report["unpriced_count"] > 0
        difference = report["after_usd"] - report["before_usd"]
        assert report["difference_usd"] == pytest.approx(difference)
        assert report["weighted_difference_usd"] == pytest.approx(2 * difference)
        alike(costs(dsn), costs(other))
        settle(dsn)
        for view in VIEWS:
            found, wanted = totals(dsn, view), totals(other, view)
            largest = {key: (found[key][-1], wanted[key][-1]) for key in wanted}
            assert all(one >= another for one, another in largest.values())
            sums = ({key: each[:-1] for key, each in rows.items()} for rows in (found, wanted))
            alike(*sums)


def test_what_has_its_price_is_left_alone(database: str, tmp_path: Path) -> None:
    store(database, tmp_path, Pricing(OURS))
    before = rows_of(database, "spans", "ctid")
    report = again(database, OURS)
    assert (report["changed_count"], report["difference_usd"]) == (0, 0)
    assert rows_of(database, "spans", "ctid") == before


def test_only_an_experiment_or_a_range_is_computed_anew(
    plain_database: str, tmp_path: Path
) -> None:
    store(plain_database, tmp_path, None, {})
    first = min(row["time"] for row in rows_of(plain_database, "spans"))
    until = first + dt.timedelta(seconds=100)
    report = recompute(
        plain_database,
        Pricing(OURS),
        Asked.of(None, until, "sweep"),
        lambda _share, _report: None,
    )
    rows = rows_of(plain_database, "spans")
    told = [row for row in rows if "llm.cost.total" in row["attributes"]]
    assert {row["cost_usd"] for row in told} == {0.25}
    changed = [row for row in rows if row["cost_usd"] is not None and row not in told]
    assert len(changed) == report["changed_count"] > 5
    assert all(row["experiment_id"] == "sweep" and row["time"] < until for row in changed)


def test_one_that_is_cut_off_goes_on_where_it_was(plain_database: str, tmp_path: Path) -> None:
    store(plain_database, tmp_path, None)
    shares: list[float] = []

    class CutOffError(Exception):
        pass

    def told(share: float, _report: dict[str, Any]) -> None:
        shares.append(share)
        if len(shares) == 2:
            raise CutOffError

    with pytest.raises(CutOffError):
        recompute(plain_database, Pricing(OURS), asked(), told)
    priced = sum(cost[0] is not None for cost in costs(plain_database).values())
    again(plain_database, OURS)
    done = costs(plain_database)
    assert sum(cost[0] is not None for cost in done.values()) > priced
    assert again(plain_database, OURS)["changed_count"] == 0
    assert 0 < shares[0] < shares[1] < 1


def test_a_price_that_is_taken_back_leaves_no_cost(plain_database: str, tmp_path: Path) -> None:
    lora = {"match": "our-lora", "input_usd": 5, "output_usd": 20}
    store(plain_database, tmp_path, Pricing(PriceTable.parse({"models": [lora]})))
    again(plain_database)
    rows = [row for row in rows_of(plain_database, "spans") if row["model"] == "our-lora"]
    assert {row["cost_usd"] for row in rows} <= {None, 0.25}


def test_packed_chunks_are_computed_anew_as_well(
    timescale_server: TestServer, tmp_path: Path
) -> None:
    with timescale_server.database() as dsn:
        store(dsn, tmp_path, None)
        settle(dsn)
        with closing(connect(dsn, MAINTENANCE)) as conn:
            conn.execute(
                "select compress_chunk(each, true) from show_chunks('crucible.spans') as each"
            )
        report = again(dsn, OURS)
        assert report["changed_count"] > 20
        assert again(dsn, OURS)["changed_count"] == 0
        settle(dsn)
        total = sum(each[0] for each in totals(dsn, "span_rollup_1d").values())
        with psycopg.connect(dsn) as conn:
            row = conn.execute(
                "select sum(cost_usd / sample_probability) from crucible.spans"
            ).fetchone()
        assert row is not None
        assert total == pytest.approx(row[0])


def test_an_empty_range_is_refused(plain_database: str) -> None:
    now = dt.datetime.now(dt.UTC)
    with pytest.raises(SettingsError, match="is not before"):
        Asked.of(now, now)
    assert again(plain_database)["call_count"] == 0
