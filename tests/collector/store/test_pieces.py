"""A period is cut into pieces that lie end to end, of which each is as wide as may be."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crucible_collector.store.pieces import Piece, cut, rimmed
from crucible_collector.store.rollups.family import DAY, HOUR, MINUTE, Level

WIDTH_S = {DAY: 86_400, HOUR: 3_600, MINUTE: 60}
LEVELS: list[tuple[Level, ...]] = [(DAY, HOUR, MINUTE), (HOUR, MINUTE), (DAY, HOUR), (MINUTE,), ()]
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
PIECES_MAX = 7

# Days apart, and within one minute; ends on and off the borders.
times = st.builds(
    lambda second, micro: NOON + dt.timedelta(seconds=second, microseconds=micro),
    st.one_of(
        st.integers(-200_000, 200_000),
        st.integers(-70, 70),
        st.sampled_from([-86_400, -43_200, 0, 43_200, 3_600, 60, -60]),
    ),
    st.sampled_from([0, 0, 1, 500_000, 999_999]),
)


def widest(
    second: dt.datetime, start: dt.datetime, end: dt.datetime, levels: tuple[Level, ...]
) -> Level | None:
    """The first of the levels whose bucket around a time lies within the period."""
    for level in levels:
        width = dt.timedelta(seconds=WIDTH_S[level])
        begin = second - (second - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) % width
        if start <= begin and begin + width <= end:
            return level
    return None


@given(
    times, times, st.sampled_from(LEVELS), st.lists(st.floats(0, 1, exclude_max=True), max_size=9)
)
@example(NOON, NOON + dt.timedelta(days=1), LEVELS[0], [0.0, 0.5])
def test_every_moment_is_in_one_piece_of_the_widest_level_that_fits(
    start: dt.datetime, end: dt.datetime, levels: tuple[Level, ...], places: list[float]
) -> None:
    pieces = cut(start, end, levels)
    if start >= end:
        assert pieces == ()
        return
    assert len(pieces) <= PIECES_MAX
    assert [piece.start for piece in pieces] == [start, *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == end
    for place in places:
        moment = min(start + (end - start) * place, end - dt.timedelta(microseconds=1))
        [found] = [p for p in pieces if p.start and p.end and p.start <= moment < p.end]
        assert found.level == widest(moment, start, end, levels)


@given(times, st.sampled_from(LEVELS))
def test_an_end_that_is_open_is_cut_off_from_nothing(
    time: dt.datetime, levels: tuple[Level, ...]
) -> None:
    level = levels[0] if levels else None
    assert cut(None, None, levels) == (Piece(level, None, None),)
    since, until = cut(time, None, levels), cut(None, time, levels)
    assert (since[0].start, since[-1].end, since[-1].level) == (time, None, level)
    assert (until[0].start, until[-1].end, until[0].level) == (None, time, level)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"])
def test_the_first_and_the_last_moment_that_can_be_written_are_no_obstacle(
    time: str,
) -> None:
    moment = dt.datetime.fromisoformat(time)
    assert cut(moment, None, LEVELS[0])[0].start == moment
    assert cut(None, moment, LEVELS[0])[-1].end == moment
    assert cut(moment, moment, LEVELS[0]) == ()


@given(times, times, st.sampled_from([MINUTE, HOUR]))
@example(NOON, NOON + dt.timedelta(days=1), MINUTE)
def test_pieces_with_their_rims_begin_and_end_with_whole_buckets(
    start: dt.datetime, end: dt.datetime, level: Level
) -> None:
    levels = (DAY, HOUR, MINUTE) if level is MINUTE else (DAY, HOUR)
    pieces = cut(start, end, levels)
    found = rimmed(pieces, level)
    assert found[: len(pieces)] == pieces
    rims = found[len(pieces) :]
    assert all(rim.is_rim and rim.source == "rim" for rim in rims)
    if not pieces:
        assert found == ()
        return
    width = dt.timedelta(seconds=WIDTH_S[level])
    ends = sorted((piece.start, piece.end) for piece in found if piece.start and piece.end)
    assert [begin for begin, _ in ends[1:]] == [last for _, last in ends[:-1]]
    first, last = ends[0][0], ends[-1][1]
    assert start - width < first <= start < end <= last < end + width
    assert (first - NOON) % width == (last - NOON) % width == dt.timedelta()


def test_a_period_without_an_end_has_no_rim_there() -> None:
    half = NOON + dt.timedelta(seconds=30)
    [rim] = [piece for piece in rimmed(cut(half, None, (MINUTE,)), MINUTE) if piece.is_rim]
    assert (rim.start, rim.end) == (NOON, half)
    assert not any(piece.is_rim for piece in rimmed(cut(None, None, (MINUTE,)), MINUTE))
    last = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    assert not any(piece.is_rim for piece in rimmed(cut(None, last, (MINUTE,)), MINUTE))
