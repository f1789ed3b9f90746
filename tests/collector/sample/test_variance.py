"""Terms of variances: exact over whole traces, never too small over parts, additive always."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible_collector.batch import F64, I64
from crucible_collector.candidates import U64
from crucible_collector.sample.memory import packed_keys
from crucible_collector.sample.variance import MEASURES, KeptRows, Variances

VALUES = ("duration", "input_token", "output_token", "cost")
EVENT_OF_KEY = (0, 0, 1)  # keys 0 and 1 are of event 0: a roll-up's key has its event in it


@dataclass(frozen=True)
class Row:
    """A kept row; `value` is that of every measure, None is none."""

    trace: int = 0
    key: int = 0
    minute: int = 0
    bucket: int = 0
    p: float = 0.5
    value: float | None = 3.0
    is_error: bool = False

    def x(self, measure: str) -> float:
        if measure in {"count", "error"}:
            return 1.0 if measure == "count" else float(self.is_error)
        return self.value or 0.0

    def y(self, measure: str) -> float:
        return self.x(measure) / self.p


ROWS = st.builds(
    Row,
    st.integers(0, 3),
    st.integers(0, 2),
    st.sampled_from([0, 1, 60]),
    st.integers(0, 1),
    st.sampled_from([0.125, 0.25, 0.5, 1.0]),
    st.sampled_from([None, 0.0, 1.0, 2.5, 1000.0]),
    st.booleans(),
)
WINDOWS = st.lists(st.lists(ROWS, max_size=12), min_size=1, max_size=3)


def hashed(values: list[int], salt: int) -> U64:
    return packed_keys(np.array(values, np.uint64), np.full(len(values), salt, np.uint64))


def kept(rows: list[Row]) -> KeptRows:
    value = np.array([np.nan if row.value is None else row.value for row in rows])
    return KeptRows(
        trace=hashed([row.trace for row in rows], 1),
        key=hashed([row.key for row in rows], 2),
        event=hashed([EVENT_OF_KEY[row.key] for row in rows], 3),
        minute=np.array([row.minute for row in rows], np.int64),
        bucket=np.array([row.bucket for row in rows], np.int64),
        probability=np.array([row.p for row in rows], np.float64),
        is_error=np.array([row.is_error for row in rows], np.bool_),
        values=dict.fromkeys(VALUES, value),
    )


def group(row: Row, level: str) -> tuple[int, ...]:
    return (row.trace,) if level == "trace" else (row.trace, EVENT_OF_KEY[row.key])


def cluster(row: Row) -> tuple[int, ...]:
    return row.trace, row.key, row.minute


def columns() -> list[tuple[str, str, str]]:
    """(column, measure, whether its pairs are of an event or of a trace)."""
    both = [name for name in MEASURES if name != "error"]
    return [
        *((f"{name}_variance", name, "event") for name in both),
        *((f"{name}_trace_variance", name, "trace") for name in both),
        ("error_variance", "error", "trace"),
    ]


def pairs(ones: list[Row], others: list[Row], measure: str, level: str) -> float:
    """The sum over pairs of rows of a group, by the definition."""
    return sum(
        a.y(measure) * b.y(measure) * (1 - max(a.p, b.p))
        for a in ones
        for b in others
        if group(a, level) == group(b, level)
    )


def with_earlier(ones: list[Row], earlier: list[Row], measure: str, level: str) -> float:
    """Twice the pairs with rows of earlier windows, at the probability of the later row."""
    return 2 * sum(
        a.y(measure) * b.y(measure) * (1 - a.p)
        for a in ones
        for b in earlier
        if b.p < 1 and group(a, level) == group(b, level)
    )


def total(found: dict[str, F64], name: str, rows: I64 | None = None) -> float:
    column = found.get(name, np.zeros(0))
    return float((column if rows is None or not len(column) else column[rows]).sum())


@settings(deadline=None, max_examples=50)
@given(WINDOWS)
def test_the_term_of_each_cluster_is_as_defined_and_on_its_first_row(
    windows: list[list[Row]],
) -> None:
    variances, earlier = Variances(), list[Row]()
    for rows in windows:
        found = variances.terms(kept(rows))
        clusters: dict[tuple[int, ...], list[int]] = {}
        for at, row in enumerate(rows):
            if row.p < 1:
                clusters.setdefault(cluster(row), []).append(at)
        for column, measure, level in columns():
            expected = np.zeros(len(rows))
            for members in clusters.values():
                of = [rows[at] for at in members]
                expected[members[0]] = pairs(of, rows, measure, level) + with_earlier(
                    of, earlier, measure, level
                )
            assert np.allclose(found.get(column, 0.0), expected, rtol=1e-12), column
        earlier += rows


@settings(deadline=None, max_examples=50)
@given(st.lists(ROWS, max_size=16), st.data())
def test_over_any_clusters_the_terms_are_at_least_the_variance_and_over_all_of_them_equal(
    rows: list[Row], data: st.DataObject
) -> None:
    found = Variances().terms(kept(rows))
    clusters = sorted({cluster(row) for row in rows})
    chosen = data.draw(st.sets(st.sampled_from(clusters))) if clusters else set()
    at = np.array([at for at, row in enumerate(rows) if cluster(row) in chosen], np.int64)
    some = [rows[place] for place in at]
    for column, measure, level in columns():
        if level == "event":  # such a sum is over one event
            of_one = np.array([place for place in at if rows[place].key < 2], np.int64)
            part = [rows[place] for place in of_one]
            true, written = pairs(part, part, measure, level), total(found, column, of_one)
        else:
            true, written = pairs(some, some, measure, level), total(found, column, at)
        assert written >= true * (1 - 1e-12), column
        whole = pairs(rows, rows, measure, level)
        assert total(found, column) == pytest.approx(whole, rel=1e-9), column


@settings(deadline=None, max_examples=50)
@given(WINDOWS)
def test_later_windows_of_looser_traces_make_the_variance_of_all_of_them(
    windows: list[list[Row]],
) -> None:
    """As the sampler decides: the threshold of a trace that was kept never becomes stricter."""
    loosest: dict[int, float] = {}
    variances, written, everything = Variances(), dict[str, float](), list[Row]()
    for rows in windows:
        for row in rows:
            loosest[row.trace] = max(loosest.get(row.trace, 0), row.p)
        decided = [replace(row, p=loosest[row.trace]) for row in rows]
        found = variances.terms(kept(decided))
        for column, _, _ in columns():
            written[column] = written.get(column, 0) + total(found, column)
        everything += decided
    for column, measure, level in columns():
        expected = pairs(everything, everything, measure, level)
        assert written[column] == pytest.approx(expected, rel=1e-9), column


@settings(deadline=None, max_examples=50)
@given(WINDOWS)
def test_the_sums_of_shares_are_the_numbers_of_uncertain_traces(windows: list[list[Row]]) -> None:
    variances, of_traces, of_events, seen = Variances(), 0.0, 0.0, list[Row]()
    for rows in windows:
        found = variances.terms(kept(rows))
        of_traces += total(found, "uncertain_traces")
        of_events += total(found, "uncertain_event_traces")
        seen += [row for row in rows if row.p < 1]
        assert of_traces == pytest.approx(len({group(row, "trace") for row in seen}))
        assert of_events == pytest.approx(len({group(row, "event") for row in seen}))


@settings(deadline=None, max_examples=50)
@given(st.lists(ROWS, max_size=16))
def test_terms_of_latencies_are_by_bucket_and_hour(rows: list[Row]) -> None:
    found = Variances().terms(kept(rows))
    column = found.get("latency_variance", np.zeros(len(rows)))
    for bucket in (0, 1):
        for hour in (0, 1):
            at = [
                place
                for place, row in enumerate(rows)
                if (row.bucket, row.minute // 60) == (bucket, hour)
            ]
            expected = pairs([rows[place] for place in at], rows, "count", "event")
            assert column[at].sum() == pytest.approx(expected, rel=1e-9)


def test_what_is_certain_has_no_terms() -> None:
    assert Variances().terms(kept([Row(p=1.0), Row(p=1.0)])) == {}
    assert Variances().terms(kept([])) == {}


def test_columns_without_a_term_are_left_out() -> None:
    found = Variances().terms(kept([Row(value=None), Row(p=1.0, is_error=True)]))
    assert sorted(found) == [
        "count_trace_variance",
        "count_variance",
        "latency_variance",
        "uncertain_event_traces",
        "uncertain_traces",
    ]


def test_one_trace_has_the_square_of_its_sum() -> None:
    found = Variances().terms(kept([Row(p=0.25, value=2.0), Row(p=0.25, value=5.0)]))
    assert total(found, "duration_variance") == (1 - 0.25) / 0.25**2 * 7**2


def test_values_that_are_in_no_sum_are_in_no_term() -> None:
    rows = kept([Row(), Row(), Row(), Row()])
    cost = np.array([1e101, np.inf, np.nan, 2.0])
    found = Variances().terms(replace(rows, values={"cost": cost}))
    assert total(found, "cost_variance") == (1 - 0.5) / 0.5**2 * 2**2


def test_restored_it_goes_on_as_if_it_had_not_stopped() -> None:
    one, other = Variances(), Variances()
    rows = kept([Row(trace=trace, p=0.25) for trace in range(50)])
    one.terms(rows)
    other.restore(one.state())
    first, second = one.terms(rows), other.terms(rows)
    assert first.keys() == second.keys()
    for name, column in first.items():
        assert column.tolist() == second[name].tolist()
    assert "uncertain_traces" not in first


def test_memory_is_bounded_and_what_leaves_is_counted() -> None:
    variances = Variances()
    for begin in range(0, 400_000, 40_000):
        rows = kept([Row()] * 40_000)
        number = np.arange(begin, begin + 40_000, dtype=np.uint64)
        variances.terms(replace(rows, trace=packed_keys(number)))
    state = variances.state()
    remembered = sum(len(state[name]) for name in state if name.endswith("keys"))
    assert remembered <= 4 * 65_536
    assert variances.evicted_count == 800_000 - remembered


def test_the_estimate_of_the_variance_is_unbiased() -> None:
    """Over many samples of one stream its mean is the mean square error of the sum."""
    generator = np.random.default_rng(11)
    traces = [
        [Row(trace=number, key=int(generator.integers(3)), value=float(generator.lognormal()))]
        * int(generator.integers(1, 6))
        for number in range(40)
    ]
    p = generator.choice([0.3, 0.6, 1.0], len(traces))
    whole = [replace(row, p=float(p[row.trace])) for rows in traces for row in rows]
    truth = sum(row.x("duration") for row in whole)
    errors, terms = [], []
    for _ in range(1500):
        is_kept = generator.random(len(traces)) < p
        rows = [row for row in whole if is_kept[row.trace]]
        found = Variances().terms(kept(rows))
        errors.append((sum(row.y("duration") for row in rows) - truth) ** 2)
        terms.append(total(found, "duration_trace_variance"))
    assert np.mean(terms) == pytest.approx(np.mean(errors), rel=0.1)
