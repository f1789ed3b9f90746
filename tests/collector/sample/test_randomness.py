"""R and upstream thresholds as OpenTelemetry's specification defines them; tracestates as forwarded."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crucible_collector.batch import I64, U8, TextRef
from crucible_collector.candidates import NOT_TOLD, THRESHOLD_MAX, probability, threshold
from crucible_collector.sample.randomness import final_trace_states, randomness

# The specification's table: 1 in N, then for precision 3, 4 and 5 the threshold as told, its actual
# probability and its adjusted count.
TABLE = [
    (1, ("0", 1.0, 1.0), ("0", 1.0, 1.0), ("0", 1.0, 1.0)),
    (2, ("8", 0.5, 2.0), ("8", 0.5, 2.0), ("8", 0.5, 2.0)),
    (
        3,
        ("aab", 0.333251953125, 3.0007326007326007),
        ("aaab", 0.3333282470703125, 3.00004577706569),
        ("aaaab", 0.33333301544189453, 3.0000028610256777),
    ),
    (4, ("c", 0.25, 4.0), ("c", 0.25, 4.0), ("c", 0.25, 4.0)),
    (
        5,
        ("ccd", 0.199951171875, 5.001221001221001),
        ("cccd", 0.1999969482421875, 5.0000762951094835),
        ("ccccd", 0.19999980926513672, 5.0000047683761295),
    ),
    (8, ("e", 0.125, 8.0), ("e", 0.125, 8.0), ("e", 0.125, 8.0)),
    (
        10,
        ("e66", 0.10009765625, 9.990243902439024),
        ("e666", 0.100006103515625, 9.99938968568813),
        ("e6666", 0.10000038146972656, 9.999961853172863),
    ),
    (16, ("f", 0.0625, 16.0), ("f", 0.0625, 16.0), ("f", 0.0625, 16.0)),
    (
        100,
        ("fd71", 0.0099945068359375, 100.05496183206107),
        ("fd70a", 0.010000228881835938, 99.99771123402633),
        ("fd70a4", 0.009999990463256836, 100.00009536752259),
    ),
    (
        1000,
        ("ffbe7", 0.0010004043579101562, 999.5958055290753),
        ("ffbe77", 0.0009999871253967285, 1000.012874769029),
        ("ffbe76d", 0.000999998301267624, 1000.0016987352618),
    ),
    (
        10000,
        ("fff972", 0.00010001659393310547, 9998.340882002383),
        ("fff9724", 0.00010000169277191162, 9999.830725674266),
        ("fff97247", 0.00010000006295740604, 9999.99370426336),
    ),
    (
        100000,
        ("ffff584", 9.998679161071777e-06, 100013.21013412817),
        ("ffff583a", 1.00000761449337e-05, 99999.238556461),
        ("ffff583a5", 1.0000003385357559e-05, 99999.96614643588),
    ),
    (
        1000000,
        ("ffffef4", 9.98377799987793e-07, 1.0016248358208955e06),
        ("ffffef39", 1.00000761449337e-06, 999992.38556461),
        ("ffffef391", 9.999930625781417e-07, 1.0000069374699865e06),
    ),
]
PUBLISHED = [
    pytest.param(n, precision, *told, id=f"1 in {n}, precision {precision}")
    for n, *by_precision in TABLE
    for precision, told in zip((3, 4, 5), by_precision, strict=True)
]

LAST = 0xFFFFFFFFFFFFFF
HEX = "0123456789abcdef"
SUB_KEYS = st.from_regex(r"[a-z][a-z0-9]{0,3}:[A-Za-z0-9._-]{0,6}", fullmatch=True)
MEMBERS = st.from_regex(r"[a-z][a-z0-9@]{2,5}=[!-+\--<>-~]{1,9}", fullmatch=True)


def texts(*values: str | bytes | None) -> tuple[U8, TextRef]:
    """A buffer with these texts in it, and where they are."""
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    lengths = np.array([-1 if value is None else len(value) for value in encoded], np.int32)
    offsets = np.concatenate(([0], np.cumsum(np.maximum(lengths, 0))))[:-1].astype(np.int64)
    offsets[lengths < 0] = 0
    whole = b"".join(value or b"" for value in encoded)
    return np.frombuffer(whole, np.uint8), TextRef(offsets, lengths)


def trace_ids(*values: int) -> U8:
    whole = b"".join(value.to_bytes(16, "big") for value in values)
    return np.frombuffer(whole, np.uint8).reshape(-1, 16)


def read(*states: str | bytes | None, trace_id: int = LAST) -> list[tuple[int, int]]:
    """(R, upstream) of a record for each tracestate."""
    buffer, ref = texts(*states)
    rows = len(states)
    found = randomness(
        buffer,
        ref,
        trace_ids(*[trace_id] * rows),
        np.zeros(rows, np.uint64),
        np.zeros(rows, np.int32),
    )
    return list(zip(*(column.tolist() for column in found), strict=True))


def written(state: str | bytes | None, final: int, lost: int = NOT_TOLD) -> str:
    buffer, ref = texts(state)
    column = final_trace_states(buffer, ref, np.array([final]), np.array([True]), np.full(1, lost))
    assert column is not None
    (text,) = column.to_pylist()
    return str(text)


def rounded(exact: int, p: float, precision: int) -> int:
    """The nearest threshold with so many hex digits after its leading f."""
    digits = min(12, precision + math.frexp(p)[1] // -4)
    shift = 4 * (14 - digits)
    return (exact + (1 << shift >> 1)) >> shift << shift


@pytest.mark.parametrize(("n", "precision", "told", "actual", "adjusted"), PUBLISHED)
def test_the_published_thresholds_are_read_with_their_probabilities(
    n: int, precision: int, told: str, actual: float, adjusted: float
) -> None:
    ((_, upstream),) = read(f"ot=th:{told}")
    found = float(probability([upstream])[0])
    assert found == pytest.approx(actual, rel=1e-15)
    assert 1 / found == pytest.approx(adjusted, rel=1e-15)


@pytest.mark.parametrize(("n", "precision", "told", "actual", "adjusted"), PUBLISHED)
def test_the_published_probabilities_give_their_thresholds(
    n: int, precision: int, told: str, actual: float, adjusted: float
) -> None:
    exact = int(threshold([1 / n])[0])
    assert written(None, rounded(exact, 1 / n, precision)) == f"ot=th:{told}"
    assert written(None, int(threshold([actual])[0])) == f"ot=th:{told}"


def test_the_examples_of_the_specification_are_read_as_it_says() -> None:
    assert read("ot=th:c") == [(LAST, 0xC0000000000000)]
    assert read("ot=rv:6e6d1a75832a2f") == [(0x6E6D1A75832A2F, NOT_TOLD)]
    assert read("ot=th:0") == [(LAST, 0)]


def test_without_a_tracestate_r_is_the_last_seven_bytes_of_the_trace_id() -> None:
    assert (
        read(None, "", "vendor=1", trace_id=0xABCD_EF01_2345_6789_FE6E_6D1A_7583_2A2F)
        == [(0x6E6D1A75832A2F, NOT_TOLD)] * 3
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("a=1,ot=th:8,b=2", (LAST, 1 << 55)),
        ("a=1 ,\tot=th:8 , b=2", (LAST, 1 << 55)),
        ("ot=p:8;th:8;r:62", (LAST, 1 << 55)),
        ("ot=th:8;rv:ffffffffffff00", (0xFFFFFFFFFFFF00, 1 << 55)),
        ("ot=rv:80000000000000;th:8", (1 << 55, 1 << 55)),
        ("ot=th:ffffffffffffff", (LAST, LAST)),
        ("ot=th:8;th:c", (LAST, 1 << 55)),
        ("ot=th:8,ot=th:c", (LAST, 1 << 55)),
        ("ot=xth:8", (LAST, NOT_TOLD)),
        ("rot=th:8", (LAST, NOT_TOLD)),
        ("a=ot=th:8", (LAST, NOT_TOLD)),
        ("ot=" + "x:1;" * 63 + "th:8", (LAST, 1 << 55)),
    ],
)
def test_sub_keys_are_found_among_others(state: str, expected: tuple[int, int]) -> None:
    assert read(state) == [expected]


@pytest.mark.parametrize(
    "state",
    [
        "ot=th:",
        "ot=th:C",
        "ot=th:0x8",
        "ot=th: 8",
        "ot=th:8 ;p:1",
        "ot=th:fffffffffffffff",
        "ot=th:-1",
        "ot=th",
        "ot",
        "ot=",
        "=th:8",
        ",;:=",
        "ot=rv:6e6d1a75832a2",
        "ot=rv:6e6d1a75832a2f0",
        "ot=rv:6E6D1A75832A2F",
        "ot=rv:6e6d1a75832a2g",
        "ot=th:8\x00",
        b"ot=th:8\xff",
        "ot=" + "x:1;" * 64 + "th:8",
    ],
)
def test_what_is_malformed_is_ignored(state: str | bytes) -> None:
    assert read(state) == [(LAST, NOT_TOLD)]


def test_a_threshold_that_contradicts_the_randomness_counts_as_not_told() -> None:
    assert read("ot=th:8", trace_id=(1 << 55) - 1) == [((1 << 55) - 1, NOT_TOLD)]
    assert read("ot=th:8", trace_id=1 << 55) == [(1 << 55, 1 << 55)]
    assert read("ot=th:8;rv:7fffffffffffff") == [((1 << 55) - 1, NOT_TOLD)]


@settings(deadline=None)  # a kernel compiles at its first call
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_no_bytes_make_reading_or_writing_fail(states: list[bytes]) -> None:
    assert len(read(*states)) == len(states)
    for state in states:
        assert written(state, 1 << 55).startswith("ot=th:8")


@settings(deadline=None)  # a kernel compiles at its first call
@given(st.integers(0, LAST), st.integers(0, LAST))
def test_what_is_written_is_read_again(final: int, explicit: int) -> None:
    high, low = max(final, explicit), min(final, explicit)
    text = written(f"ot=rv:{high:014x}", low)
    assert read(text) == [(high, low)]
    assert low == 0 or not text.split(";")[0].endswith("0")


@settings(deadline=None)  # a kernel compiles at its first call
@given(st.lists(SUB_KEYS, max_size=6), st.lists(MEMBERS, max_size=6), st.integers(0, 6))
def test_other_members_and_sub_keys_stay(
    sub_keys: list[str], members: list[str], place: int
) -> None:
    with_ot = [*members]
    if sub_keys:
        with_ot.insert(min(place, len(members)), "ot=" + ";".join(sub_keys))
    kept = [each for each in sub_keys if not each.startswith("th:")]
    kept.sort(key=lambda each: not each.startswith("rv:"))
    expected = ",".join([";".join(["ot=th:8", *kept]), *members])
    assert written(" , ".join(with_ot), 1 << 55) == expected


def test_a_threshold_told_before_is_replaced_where_it_stands() -> None:
    state = "a=1,ot=p:8;th:8;rv:6e6d1a75832a2f,b=2,ot=th:4"
    assert written(state, 0) == "ot=th:0;rv:6e6d1a75832a2f;p:8,a=1,b=2"


def test_the_rightmost_member_gives_way_to_a_new_one_where_there_are_32() -> None:
    full = [f"k{number}=v" for number in range(32)]
    assert written(",".join(full), 1 << 55) == ",".join(["ot=th:8", *full[:-1]])
    assert written(",".join([*full[:-1], "ot=p:1"]), 1 << 55) == ",".join(
        ["ot=th:8;p:1", *full[:-1]]
    )


def test_the_value_stays_within_256_characters_and_keeps_its_randomness() -> None:
    filler = ["x" * 100 + ":" + "y" * 60, "z" * 55 + ":" + "y" * 20]
    state = "ot=" + ";".join([*filler, "rv:6e6d1a75832a2f"])
    text = written(state, 0x123456789ABCDE)
    assert text == f"ot=th:123456789abcde;rv:6e6d1a75832a2f;{filler[0]}"
    assert len(state) - 3 <= 256
    assert len(text) - 3 <= 256


def test_only_rows_that_are_told_change() -> None:
    buffer, ref = texts("a=1", None, "", "a=2", None)
    told = np.array([False, False, False, True, True])
    column = final_trace_states(buffer, ref, np.full(5, 1 << 55), told, np.full(5, NOT_TOLD))
    assert column is not None
    assert column.to_pylist() == ["a=1", None, None, "ot=th:8,a=2", "ot=th:8"]
    nobody, lost = np.zeros(5, np.bool_), np.full(5, NOT_TOLD)
    assert final_trace_states(buffer, ref, np.full(5, 1 << 55), nobody, lost) is None


@pytest.mark.parametrize("state", [None, "", "a=1", "ot=rv:xyz", "ot=rv:00000000000001;k:v"])
def test_randomness_that_a_record_has_lost_is_written_with_the_threshold(state: str | None) -> None:
    """Else its trace id would contradict the threshold for whoever reads no more than this."""
    text = written(state, 0xC0000000000000, lost=0xFEDCBA98765432)
    assert text.startswith("ot=th:c;rv:fedcba98765432")
    assert text.count("rv:") == 1
    assert read(text) == [(0xFEDCBA98765432, 0xC0000000000000)]


def alone(digests: int, places: int) -> I64:
    digest = np.repeat(np.arange(digests, dtype=np.uint64), places)
    place = np.tile(np.arange(places, dtype=np.int32), digests)
    found, upstream = randomness(
        np.zeros(0, np.uint8), None, np.zeros((len(digest), 16), np.uint8), digest, place
    )
    assert (upstream == NOT_TOLD).all()
    return found


def test_records_without_a_trace_have_their_own_randomness_again_and_again() -> None:
    found = alone(200, 100)
    assert len(np.unique(found)) == len(found)
    assert (found == alone(200, 100)).all()
    assert stats.kstest(found / THRESHOLD_MAX, "uniform").pvalue > 0.001
    low = np.bincount(found & 15, minlength=16)
    assert stats.chisquare(low).pvalue > 0.001


def test_only_records_without_a_trace_take_a_hash() -> None:
    found, _ = randomness(
        np.zeros(0, np.uint8), None, trace_ids(0, 7), np.ones(2, np.uint64), np.zeros(2, np.int32)
    )
    assert found[1] == 7
    assert found[0] > 1 << 40
