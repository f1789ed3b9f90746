"""The benchmark of sampling itself: what it sends and counts, and that it can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from benchmarks import sampling, sampling_cost, sampling_ingest
from benchmarks.inferences import BASES, ERROR_SHARE, MODELS, Inferences
from benchmarks.sampling_accuracy import estimates, quantile, strategies, truth
from benchmarks.sampling_cost import STRATEGIES
from benchmarks.sampling_ingest import PROBABILITY, expect, ingest, kept_ids
from benchmarks.sampling_stream import Stream, kept
from benchmarks.workload import SPANS
from crucible_collector.candidates import threshold
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from databases import TestServer

TINY = sampling_ingest.Load(warm_requests=1, timed_requests=40)


def spans_of(body: bytes) -> list[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    return list(request.resource_spans[0].scope_spans[0].spans)


def test_inferences_are_as_they_say_in_every_round() -> None:
    workload = Inferences(7, 1)
    for index in (3, 3 + BASES, 3 + 7 * BASES):
        spans = spans_of(workload.body(index, now_ns=10**18))
        ids = [int.from_bytes(span.span_id, "big", signed=True) for span in spans]
        assert workload.span_ids(index).tolist() == ids
        randomness = [int.from_bytes(span.trace_id[-7:]) for span in spans]
        assert workload.randomness(index).tolist() == randomness
        assert {span.end_time_unix_nano for span in spans} == {10**18}
        attributes = {each.key: each.value for each in spans[0].attributes}
        assert attributes["gen_ai.request.model"].string_value.encode() in MODELS


def test_no_two_requests_have_an_id_in_common() -> None:
    workload = Inferences(7, 1)
    ids = np.concatenate([workload.span_ids(index) for index in range(0, 4 * BASES, 3)])
    assert len(np.unique(ids)) == len(ids)


def test_as_many_inferences_fail_as_they_should() -> None:
    workload = Inferences(7, 1)
    codes = [span.status.code for index in range(40) for span in spans_of(workload.body(index))]
    failed = sum(code == Status.STATUS_CODE_ERROR for code in codes)
    assert failed / len(codes) == pytest.approx(ERROR_SHARE, rel=0.3)
    assert set(codes) == {Status.STATUS_CODE_OK, Status.STATUS_CODE_ERROR}


@pytest.mark.parametrize("name", sampling_ingest.RULES)
def test_ingest_counts_every_span_and_holds_rows_against_what_must_be_kept(
    plain_server: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sampling_ingest, "WAIT_S", 1.0)
    found = ingest(plain_server, tmp_path / "data", name, TINY)
    assert found.received_per_s > 0
    assert found.cpu_us > 0
    assert 0 < found.kept_percent < 100


def test_rows_that_are_not_those_to_keep_are_noticed(plain_database: str) -> None:
    workload = Inferences(7, 1)
    ids = workload.span_ids(0)[workload.randomness(0) >= threshold(PROBABILITY)].tolist()
    with psycopg.connect(plain_database, autocommit=True) as conn:
        write(conn, ids)
        assert expect(conn, [(workload, 1)], is_constant=True) == len(ids) / SPANS
        for sent in ([(workload, 2)], [(Inferences(7, 2), 1)]):
            with pytest.raises(RuntimeError):
                expect(conn, sent, is_constant=True)
        conn.execute("update crucible.spans set sample_probability = 0.5, count_variance = 2")
        with pytest.raises(RuntimeError, match="stand for"):
            expect(conn, [(workload, 1)], is_constant=True)


def write(conn: psycopg.Connection[Any], ids: list[int]) -> None:
    """Rows of the kept ones among SPANS, and the ledger that belongs to them."""
    counts = {"received": SPANS, "stored": len(ids), "sampled": SPANS - len(ids)}
    for outcome, count in counts.items():
        conn.execute(
            "insert into crucible.ledger (journal_id, signal, outcome, reason, count)"
            " values (gen_random_uuid(), 'spans', %s, '', %s)",
            (outcome, count),
        )
    for span_id in ids:
        conn.execute(
            "insert into crucible.spans (time, duration_ns, trace_id, span_id, name, resource_id,"
            " scope_id, sample_probability, count_variance)"
            " values (now(), 1, gen_random_uuid(), %s, 'x', 1, 1, %s, 9900)",
            (span_id, PROBABILITY),
        )


def test_the_ids_to_keep_are_one_in_a_hundred() -> None:
    count, _ = kept_ids([(Inferences(7, 1), 40)])
    assert count / (40 * SPANS) == pytest.approx(PROBABILITY, rel=0.3)


def test_a_stream_has_the_errors_and_the_traces_that_it_says() -> None:
    stream = Stream(20_000, 20_000.0, trace_spans=10)
    assert float((stream.status == 2).mean()) == pytest.approx(ERROR_SHARE, rel=0.3)
    assert len(np.unique(stream.trace_id, axis=0)) == 2_000
    assert [at.stop - at.start for at in stream.windows()] == [10_000, 10_000]


def test_all_of_a_stream_tells_its_truth() -> None:
    stream = Stream(5_000, 20_000.0)
    everything = kept(stream, Sampler(Rules.parse({})))
    assert estimates(stream, everything) == truth(stream)
    assert len(everything.rows) == stream.count


@pytest.mark.parametrize("name", strategies(20_000.0))
def test_what_is_kept_stands_for_the_stream(name: str) -> None:
    stream = Stream(60_000, 20_000.0)
    rules = Rules.parse({"decision_wait_s": 1, "rules": [strategies(20_000.0)[name]]})
    found = kept(stream, Sampler(rules))
    assert 0 < len(found.rows) < 0.2 * stream.count
    assert float(found.weight.sum()) == pytest.approx(stream.count, rel=0.4)


def test_a_weighted_quantile_is_that_of_the_rows_repeated() -> None:
    values, weight = np.array([5, 1, 9, 3]), np.array([2.0, 3.0, 1.0, 4.0])
    repeated = np.sort(np.repeat(values, weight.astype(int)))
    for q in (0.05, 0.3, 0.5, 0.71, 0.9, 1.0):
        assert quantile(values, weight, q) == repeated[int(np.ceil(q * len(repeated))) - 1]


def test_every_strategy_has_a_cost_and_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling_cost, "STRATA", (50,))
    monkeypatch.setattr(sampling_cost, "PER_S", 20_000.0)
    costs = [each for each in sampling_cost.cost(quick=True) if each.unit == "µs/span"]
    assert len(costs) == 1 + len(STRATEGIES) + 1  # decoding, and no rules
    assert all(np.isfinite(each.value) and each.value > 0 for each in costs)
    sizes = list(sampling_cost.memory(quick=True))
    assert len(sizes) == 2 * (len(STRATEGIES) + 1)
    assert all(each.value > 0 for each in sizes)


def test_parts_that_there_are_not_are_refused() -> None:
    assert sampling.chosen("cost,memory") == {"cost", "memory"}
    with pytest.raises(SystemExit, match="no such part: speed"):
        sampling.chosen("ingest,speed")


def test_less_than_everything_does_not_overwrite_everythings_figures() -> None:
    everything = frozenset(sampling.PARTS)
    assert sampling.target(everything, quick=False) == "bench-sampling"
    assert sampling.target(frozenset({"cost"}), quick=True) == "bench-sampling-cost-quick"
