"""Damage costs nothing but itself, wherever it is; and what a crash leaves is recognised."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from crucible_collector.journal import Journal, framing
from journals import append_all, body_of, drain, entry_of, flip, open_small, segment_files

RECORD_HEADER_BYTES = 64
SEGMENT_HEADER_BYTES = 128
ENTRY_COUNT = 8


@dataclass
class Written:
    """A closed journal with ENTRY_COUNT entries in its first segment."""

    directory: Path
    starts: list[int]
    ends: list[int]

    @property
    def segment(self) -> Path:
        return segment_files(self.directory)[0]

    def reopened(self) -> Journal:
        return open_small(self.directory)

    def as_if_killed(self) -> Written:
        """Without the word that closing leaves of where the data ended."""
        content = bytearray(self.segment.read_bytes())
        content[112:128] = bytes(16)
        self.segment.write_bytes(content)
        return self


@pytest.fixture
def written(tmp_path: Path) -> Written:
    with open_small(tmp_path / "journal") as journal:
        ends = append_all(journal, range(ENTRY_COUNT))
    return Written(tmp_path / "journal", [SEGMENT_HEADER_BYTES, *ends[:-1]], ends)


@pytest.fixture
def in_four_segments(tmp_path: Path) -> Written:
    """One entry of 5,000 bytes a segment: positions are multiples of the segment's size."""
    with open_small(tmp_path / "journal") as journal:
        ends = append_all(journal, range(4), body_bytes=5000)
    return Written(tmp_path / "journal", [], ends)


def set_aside(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "damaged").iterdir())


def without(*lost: int, count: int = ENTRY_COUNT) -> list[int]:
    return [number for number in range(count) if number not in lost]


def test_a_reopened_journal_is_the_same_journal(written: Written) -> None:
    with written.reopened() as journal:
        first_id = journal.journal_id
        assert (journal.head, journal.tail) == (0, written.ends[-1])
        ends = append_all(journal, range(8, 80))
    with written.reopened() as journal:
        assert journal.journal_id == first_id
        assert journal.tail == ends[-1]
        assert drain(journal).numbers == list(range(80))
        assert drain(journal, written.ends[3]).numbers == list(range(4, 80))
    assert set_aside(written.directory) == []


def test_two_journals_have_different_ids(tmp_path: Path) -> None:
    with open_small(tmp_path / "a") as one, open_small(tmp_path / "b") as other:
        assert one.journal_id != other.journal_id


@pytest.mark.parametrize("offset", [*range(0, RECORD_HEADER_BYTES, 3), 59, 62])
def test_a_flipped_byte_of_a_header_costs_that_record_alone(written: Written, offset: int) -> None:
    flip(written.segment, written.starts[3] + offset)
    with written.reopened() as journal:
        found = drain(journal)
        assert found.numbers == without(3)
        (damage,) = found.damaged
        assert (damage.position, damage.length) == (
            written.starts[3],
            written.ends[3] - written.starts[3],
        )
        assert (damage.kind, damage.signal, damage.record_count) == ("corrupt", None, 0)


@pytest.mark.parametrize("offset", [0, 3, 4, 5, 6, 50, 104])
def test_a_flipped_byte_of_a_payload_leaves_its_record_countable(
    written: Written, offset: int
) -> None:
    number = 4  # with one refused record: 5 bytes before the body
    flip(written.segment, written.starts[number] + RECORD_HEADER_BYTES + offset)
    with written.reopened() as journal:
        found = drain(journal)
        assert found.numbers == without(number)
        (damage,) = found.damaged
        assert (damage.signal, damage.record_count) == (entry_of(number).signal, 1)
        assert damage.kind == "corrupt"


def test_padding_carries_nothing_and_may_change(written: Written) -> None:
    number = 4
    flip(written.segment, written.ends[number] - 1)
    assert (RECORD_HEADER_BYTES + 5 + 100) % 8 != 0, "the entry is padded"
    with written.reopened() as journal:
        found = drain(journal)
    assert (found.numbers, found.damaged) == (list(range(ENTRY_COUNT)), [])


def test_damage_that_comes_after_opening_is_found_by_reading(written: Written) -> None:
    with written.reopened() as journal:
        flip(written.segment, written.starts[2] + 10)
        flip(written.segment, written.starts[5] + RECORD_HEADER_BYTES + 10)
        found = drain(journal)
        assert found.numbers == without(2, 5)
        assert [damage.signal for damage in found.damaged] == [None, entry_of(5).signal]


def test_damaged_bytes_are_set_aside_once(
    written: Written, caplog: pytest.LogCaptureFixture
) -> None:
    flip(written.segment, written.starts[1] + 3)
    content = written.segment.read_bytes()[written.starts[1] : written.ends[1]]
    with caplog.at_level(logging.WARNING, "crucible.journal"):
        for _ in range(2):
            with written.reopened() as journal:
                assert drain(journal).numbers == without(1)
                assert drain(journal).numbers == without(1)
    (name,) = set_aside(written.directory)
    assert name == f"{written.starts[1]:020d}-{len(content)}.corrupt"
    assert (written.directory / "damaged" / name).read_bytes() == content
    assert len(caplog.records) == 1


def test_a_window_may_hold_damage_alone(written: Written) -> None:
    with written.reopened() as journal:
        for start in written.starts:
            flip(written.segment, start)
        window = journal.read(0, records_max=100, bytes_max=1 << 20)
        assert window is not None
        assert (len(window), window.end) == (0, written.ends[-1])
        assert [damage.length for damage in window.damaged] == [
            written.ends[-1] - written.starts[0]
        ]
        assert not journal.wait(window.end, timeout_s=0)


def test_a_position_inside_a_record_goes_on_at_the_next(written: Written) -> None:
    with written.reopened() as journal:
        assert drain(journal, written.starts[4] + 13).numbers == list(range(5, ENTRY_COUNT))
        assert drain(journal, written.starts[4] - 16).numbers == list(range(4, ENTRY_COUNT))


def test_a_file_cut_off_anywhere_loses_what_was_cut_off(written: Written, tmp_path: Path) -> None:
    written.as_if_killed()
    for length in range(written.starts[-2] - 3, written.ends[-1], 3):
        whole = sum(
            start + needed_bytes(number) <= length for number, start in enumerate(written.starts)
        )
        copy = tmp_path / f"cut at {length}"
        shutil.copytree(written.directory, copy)
        os.truncate(segment_files(copy)[0], length)
        with open_small(copy) as journal:
            found = drain(journal)
            assert (found.numbers, found.damaged) == (list(range(whole)), []), length
            append_all(journal, range(50, 52))
            assert drain(journal).numbers == [*range(whole), 50, 51], length
        shutil.rmtree(copy)


def test_what_is_cut_off_after_a_clean_stop_is_reported(written: Written) -> None:
    os.truncate(written.segment, written.starts[-2] + 80)
    with written.reopened() as journal:
        assert journal.tail == written.ends[-1]
        found = drain(journal)
        assert found.numbers == list(range(ENTRY_COUNT - 2))
        assert [damage.kind for damage in found.damaged] == ["corrupt", "corrupt"]
        assert sum(damage.length for damage in found.damaged) == (
            written.ends[-1] - written.starts[-2]
        )
        append_all(journal, range(50, 52))
        assert drain(journal).numbers == [*range(ENTRY_COUNT - 2), 50, 51]
    # New data went elsewhere: here it would lie in blocks that were never allocated.
    assert written.segment.stat().st_size == written.starts[-2] + 80


def needed_bytes(number: int) -> int:
    entry = entry_of(number)
    return RECORD_HEADER_BYTES + 5 * len(entry.refused_index) + len(entry.body)


@pytest.mark.parametrize("torn_bytes", [1, 7, 8, 63, 64, 65, 100])
@pytest.mark.parametrize("is_recycled", [False, True])
def test_a_torn_tail_is_set_aside_and_never_comes_back(
    written: Written, torn_bytes: int, is_recycled: bool
) -> None:
    written.as_if_killed()
    content = bytearray(written.segment.read_bytes())
    start, end = written.starts[-1], written.ends[-1]
    content[start + torn_bytes : end] = bytes(end - start - torn_bytes)
    if is_recycled:
        rewrite_header(content, recycled=True)
    written.segment.write_bytes(content)
    with written.reopened() as journal:
        assert journal.tail == start
        found = drain(journal)
        assert (found.numbers, found.damaged) == (without(ENTRY_COUNT - 1), [])
    # In a recycled segment only the record's own position tells its first bytes from old ones
    # (1336: all but two of its bytes are zero).
    is_seen = torn_bytes >= (2 if is_recycled else 1)
    assert not is_seen or not any(written.segment.read_bytes()[start : start + torn_bytes])
    with written.reopened() as journal:
        append_all(journal, range(90, 91))
        assert drain(journal).numbers == [*range(ENTRY_COUNT - 1), 90]
    assert [Path(name).suffix for name in set_aside(written.directory)] == [".torn"] * is_seen


def rewrite_header(content: bytearray, *, recycled: bool) -> None:
    header = framing.read_segment_header(memoryview(content))
    assert header is not None
    content[:SEGMENT_HEADER_BYTES] = framing.pack_segment_header(header._replace(recycled=recycled))


def test_old_bytes_after_the_tail_are_not_torn(written: Written) -> None:
    """The rest of a recycled segment is full of a former life's records."""
    written.as_if_killed()
    content = bytearray(written.segment.read_bytes())
    rewrite_header(content, recycled=True)
    length = written.ends[3] - written.starts[0]
    content[written.ends[-1] : written.ends[-1] + length] = content[
        written.starts[0] : written.ends[3]
    ]
    written.segment.write_bytes(content)
    with written.reopened() as journal:
        assert drain(journal).numbers == list(range(ENTRY_COUNT))
    assert set_aside(written.directory) == []


def test_a_group_torn_in_the_middle_keeps_what_was_written_of_it(written: Written) -> None:
    written.as_if_killed()
    flip(written.segment, written.starts[3] + RECORD_HEADER_BYTES + 20)
    flip(written.segment, written.starts[-1] + RECORD_HEADER_BYTES + 20)
    with written.reopened() as journal:
        append_all(journal, range(20, 22))
        found = drain(journal)
        assert found.numbers == [*without(3, ENTRY_COUNT - 1), 20, 21]
        assert [damage.position for damage in found.damaged] == [written.starts[3]]
    assert [Path(name).suffix for name in set_aside(written.directory)] == [".corrupt", ".torn"]


def test_a_segment_that_is_gone_is_reported_as_missing(in_four_segments: Written) -> None:
    directory = in_four_segments.directory
    segment_files(directory)[1].unlink()
    with open_small(directory) as journal:
        found = drain(journal)
        assert found.numbers == [0, 2, 3]
        (damage,) = found.damaged
        assert (damage.kind, damage.position) == ("missing", in_four_segments.ends[0])
        assert damage.position + damage.length == in_four_segments.ends[1]


def test_a_segment_that_goes_while_the_journal_is_open_is_missing(
    in_four_segments: Written,
) -> None:
    with open_small(in_four_segments.directory) as journal:
        segment_files(in_four_segments.directory)[1].unlink()
        found = drain(journal)
        assert found.numbers == [0, 2, 3]
        assert [damage.kind for damage in found.damaged] == ["missing"]


def test_a_damaged_segment_header_costs_no_record(in_four_segments: Written) -> None:
    for index in range(4):
        flip(segment_files(in_four_segments.directory)[index], 20)
    with open_small(in_four_segments.directory) as journal:
        found = drain(journal)
        assert (found.numbers, found.damaged) == ([0, 1, 2, 3], [])
        append_all(journal, range(4, 6), body_bytes=5000)
        assert drain(journal).numbers == list(range(6))
    with open_small(in_four_segments.directory) as journal:
        assert drain(journal).numbers == list(range(6))


def test_a_sealed_segment_cut_short_costs_what_was_cut(in_four_segments: Written) -> None:
    with segment_files(in_four_segments.directory)[1].open("r+b") as file:
        file.truncate(1000)
    with open_small(in_four_segments.directory) as journal:
        found = drain(journal)
        assert found.numbers == [0, 2, 3]
        assert [(damage.kind, damage.record_count) for damage in found.damaged] == [("corrupt", 1)]


def test_a_wiped_segment_in_the_middle_is_damage(in_four_segments: Written) -> None:
    path = segment_files(in_four_segments.directory)[1]
    path.write_bytes(bytes(path.stat().st_size))
    with open_small(in_four_segments.directory) as journal:
        found = drain(journal)
        assert found.numbers == [0, 2, 3]
        assert [damage.kind for damage in found.damaged] == ["corrupt"]


def test_an_unfinished_segment_of_a_former_process_goes(written: Written) -> None:
    draft = written.directory / "draft.tmp"
    draft.write_bytes(b"x" * 100)
    with written.reopened() as journal:
        assert drain(journal).numbers == list(range(ENTRY_COUNT))
    assert not draft.exists()


def test_a_record_planted_in_a_body_is_not_taken_for_one(tmp_path: Path) -> None:
    """Even with its true position, and where the scan after damage must look into the body."""
    with open_small(tmp_path) as journal:
        append_all(journal, range(1))
        start = journal.tail
        planted_at = start + RECORD_HEADER_BYTES + 8
        framed = framing.frame(entry_of(2), seed=0)
        planted = b"".join(framing.record_pieces(framed, planted_at, 0, seed=0))
        body = body_of(3, 8) + planted  # none refused: it follows the header at once
        journal.append(replace(entry_of(3), body=body)).result()
        append_all(journal, range(4, 5))
        flip(segment_files(tmp_path)[0], start + 40)
        assert drain(journal).numbers == [0, 4]
