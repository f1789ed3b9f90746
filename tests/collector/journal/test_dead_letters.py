"""Refused records are kept, oldest first, within a bound, and survive restarts and damage."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from crucible_collector.batch import Signal
from crucible_collector.errors import JournalError
from crucible_collector.journal import DeadLetter, DeadLetters, files
from crucible_collector.journal.files import Piece
from journals import flip


def put(letters: DeadLetters, number: int, body: bytes = b"body") -> bool:
    return letters.put(Signal.TRACES, body, "refused_by_database", f"letter {number}")


def messages(letters: DeadLetters) -> list[str]:
    return [letter.message for letter in letters]


def test_a_letter_comes_back_whole_after_a_restart(tmp_path: Path) -> None:
    letter = DeadLetter(
        Signal.LOGS, 17, "refused_by_database", "CHECK verstößt \U0001f4a5", bytes(range(256))
    )
    for count in (1, 2):
        with DeadLetters.open(tmp_path, clock_ns=lambda: 17) as letters:
            assert letters.put(letter.signal, letter.body, letter.reason, letter.message)
            assert list(letters) == [letter] * count
            assert letters.count == count
    assert (tmp_path / "dead-letters").stat().st_mode & 0o777 == 0o600


def test_a_message_that_is_not_text_is_kept_as_far_as_it_is(tmp_path: Path) -> None:
    with DeadLetters.open(tmp_path) as letters:
        assert letters.put(Signal.TRACES, b"", "", "half \ud800 a pair")
        assert messages(letters) == ["half ? a pair"]


def test_the_oldest_are_kept_when_there_is_no_more_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with DeadLetters.open(tmp_path, bytes_max=1000) as letters:
        kept = [put(letters, number, bytes(100)) for number in range(10)]
        assert kept == [True] * 4 + [False] * 6
        assert messages(letters) == [f"letter {number}" for number in range(4)]
        assert (letters.count, letters.dropped_count) == (4, 6)
    assert (tmp_path / "dead-letters").stat().st_size <= 1000
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 1


def test_a_damaged_letter_costs_itself_alone(tmp_path: Path) -> None:
    with DeadLetters.open(tmp_path) as letters:
        sizes = []
        for number in range(5):
            put(letters, number)
            sizes.append((tmp_path / "dead-letters").stat().st_size)
    flip(tmp_path / "dead-letters", sizes[0] + 70)
    flip(tmp_path / "dead-letters", sizes[2] + 10)
    with DeadLetters.open(tmp_path) as letters:
        put(letters, 5)
        assert messages(letters) == ["letter 0", "letter 2", "letter 4", "letter 5"]


def test_a_torn_letter_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "dead-letters"
    with DeadLetters.open(tmp_path) as letters:
        put(letters, 0)
        put(letters, 1)
    os.truncate(path, path.stat().st_size - 20)
    with DeadLetters.open(tmp_path) as letters:
        put(letters, 2)
        assert messages(letters) == ["letter 0", "letter 2"]


def test_a_disk_that_fails_costs_the_letter_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(fd: int, pieces: Sequence[Piece], offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with DeadLetters.open(tmp_path) as letters:
        put(letters, 0)
        with monkeypatch.context() as patched:
            patched.setattr(files, "write_at", no_space)
            assert not put(letters, 1)
        assert put(letters, 2)
        assert messages(letters) == ["letter 0", "letter 2"]


def test_a_file_that_is_no_dead_letters_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "dead-letters").write_text("something else")
    with pytest.raises(JournalError, match="is damaged"):
        DeadLetters.open(tmp_path)
    assert (tmp_path / "dead-letters").read_text() == "something else"
