"""Requests on disk: their order, whose they are, and what happens when the disk does not play along."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from crucible_telemetry import faults
from crucible_telemetry.encoding import Encoded
from crucible_telemetry.spool import Spool, default_root

MIB = 1 << 20


def spool(root: Path, destination: str = "collector:4317", bytes_max: int = MIB) -> Spool:
    return Spool(root, destination, bytes_max=bytes_max)


def parcel(text: str, count: int = 1, signal_name: str = "traces") -> Encoded:
    return Encoded(signal_name, text.encode(), count)


def drained(subject: Spool) -> list[str]:
    """What is sent, in order, as a process that can reach the collector does."""
    subject.adopt()
    bodies = []
    while (stored := subject.oldest()) is not None:
        bodies.append(stored.parcel.body.decode())
        subject.remove(stored)
    return bodies


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and path.name != "lock")


def test_what_is_put_comes_out_in_order_and_whole(tmp_path: Path) -> None:
    subject = spool(tmp_path)
    subject.put(parcel("a", count=512))
    subject.put(parcel("b", count=3, signal_name="metrics"))
    stored = subject.oldest()
    assert stored is not None
    assert (stored.parcel.signal, stored.parcel.count, stored.is_own) == ("traces", 512, True)
    again = subject.oldest()  # asking takes nothing
    assert again is not None
    assert again.parcel.body == stored.parcel.body == b"a"
    subject.remove(stored)
    stored = subject.oldest()
    assert stored is not None
    assert (stored.parcel.signal, stored.parcel.count) == ("metrics", 3)
    assert stored.parcel.body == b"b"
    subject.remove(stored)
    assert subject.oldest() is None
    assert not subject


def test_nothing_is_made_on_disk_before_there_is_something_to_keep(tmp_path: Path) -> None:
    subject = spool(tmp_path / "spool")
    assert drained(subject) == []
    subject.close()
    assert not (tmp_path / "spool").exists()


def test_nothing_is_left_on_disk_once_all_was_sent(tmp_path: Path) -> None:
    subject = spool(tmp_path)
    subject.put(parcel("a"))
    assert drained(subject) == ["a"]
    subject.close()
    assert [path for path in tmp_path.rglob("*") if path.parent != tmp_path] == []


def test_only_the_user_may_read_it(tmp_path: Path) -> None:
    spool(tmp_path / "spool").put(parcel("a"))
    for path in [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_the_next_process_takes_over_before_its_own_and_the_oldest_process_first(
    tmp_path: Path,
) -> None:
    for name, age_s in (("younger", 10), ("older", 20)):
        before = spool(tmp_path)
        before.put(parcel(f"{name} 1"))
        before.put(parcel(f"{name} 2"))
        for path in files(tmp_path):
            if name.encode() in path.read_bytes():
                os.utime(path, (time.time() - age_s,) * 2)
        before.close()
    subject = spool(tmp_path)
    subject.put(parcel("own"))
    assert drained(subject) == ["older 1", "older 2", "younger 1", "younger 2", "own"]
    assert files(tmp_path) == []


def test_what_a_live_process_holds_is_not_touched(tmp_path: Path) -> None:
    alive = spool(tmp_path)
    alive.put(parcel("its own"))
    assert drained(spool(tmp_path)) == []
    assert drained(alive) == ["its own"]


def test_two_that_start_together_do_not_both_take_over_what_is_there(tmp_path: Path) -> None:
    before = spool(tmp_path)
    before.put(parcel("a"))
    before.close()
    first, second = spool(tmp_path), spool(tmp_path)
    first.adopt()
    assert drained(second) == []
    assert drained(first) == ["a"]


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    code = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from crucible_telemetry.encoding import Encoded
        from crucible_telemetry.spool import Spool
        subject = Spool(Path({str(tmp_path)!r}), "collector:4317", bytes_max={MIB})
        for text in "abc":
            subject.put(Encoded("traces", text.encode(), 1))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    killed = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert drained(spool(tmp_path)) == ["a", "b", "c"]


def test_data_for_one_collector_is_never_sent_to_another(tmp_path: Path) -> None:
    one = spool(tmp_path, "one:4317")
    one.put(parcel("secret"))
    one.close()
    assert drained(spool(tmp_path, "two:4317")) == []
    assert drained(spool(tmp_path, "one:4317")) == ["secret"]


def test_a_full_spool_loses_the_oldest_and_counts_them(tmp_path: Path) -> None:
    subject = spool(tmp_path, bytes_max=3 * 4096)  # three files of one block
    for index in range(5):
        subject.put(parcel(str(index), count=10))
    assert subject.take_lost_count() == 20
    assert subject.take_lost_count() == 0
    assert drained(subject) == ["2", "3", "4"]
    assert faults.counts()["spool_full"] == 2


def test_what_was_taken_over_goes_before_our_own(tmp_path: Path) -> None:
    before = spool(tmp_path, bytes_max=3 * 4096)
    for text in "ab":
        before.put(parcel(text))
    before.close()
    subject = spool(tmp_path, bytes_max=3 * 4096)
    subject.adopt()
    for text in "12":
        subject.put(parcel(text))
    assert subject.take_lost_count() == 0  # those were another process's
    assert drained(subject) == ["b", "1", "2"]


def test_what_other_processes_hold_counts_towards_the_bound(tmp_path: Path) -> None:
    other = spool(tmp_path, "elsewhere:4317", bytes_max=MIB)
    other.put(parcel("x" * 5000))  # two blocks
    subject = spool(tmp_path, bytes_max=3 * 4096)
    subject.put(parcel("a"))
    subject.put(parcel("b"))
    assert drained(subject) == ["b"]
    full = spool(tmp_path, bytes_max=2 * 4096)
    with pytest.raises(OSError, match="full") as caught:
        full.put(parcel("c"))
    assert caught.value.errno == errno.ENOSPC


def test_a_request_that_is_larger_than_the_whole_spool_drives_nothing_out(tmp_path: Path) -> None:
    subject = spool(tmp_path, bytes_max=2 * 4096)
    subject.put(parcel("small"))
    with pytest.raises(OSError, match="full"):
        subject.put(parcel("x" * 10_000))
    assert drained(subject) == ["small"]


@pytest.mark.parametrize("kept_bytes", [0, 3, 15, 16, 100, -1])
def test_a_file_that_is_not_whole_is_set_aside_and_the_next_one_goes(
    tmp_path: Path, kept_bytes: int
) -> None:
    before = spool(tmp_path)
    before.put(parcel("x" * 200))
    before.put(parcel("whole"))
    before.close()
    victim = files(tmp_path)[0]
    content = victim.read_bytes()
    victim.write_bytes(content[:kept_bytes] if kept_bytes >= 0 else content + b"more")
    assert drained(spool(tmp_path)) == ["whole"]
    (aside,) = files(tmp_path)
    assert aside.parent.name == "set-aside"
    assert faults.counts()["spool_file"] == 1


def test_no_flipped_bit_gets_through(tmp_path: Path) -> None:
    for position in range(16 + 5):
        before = spool(tmp_path)
        before.put(parcel("whole"))
        before.close()
        victim = next(path for path in files(tmp_path) if path.parent.name != "set-aside")
        content = bytearray(victim.read_bytes())
        content[position] ^= 1
        victim.write_bytes(content)
        assert drained(spool(tmp_path)) == []


def test_a_file_of_our_own_that_vanished_is_counted_and_does_not_block(tmp_path: Path) -> None:
    subject = spool(tmp_path)
    subject.put(parcel("a", count=7))
    subject.put(parcel("b"))
    files(tmp_path)[0].unlink()
    assert drained(subject) == ["b"]
    assert subject.take_lost_count() == 7


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    subject = spool(tmp_path)
    subject.put(parcel("a"))
    subject.close()
    directory = files(tmp_path)[0].parent
    (directory / "notes.txt").write_text("the user's own")
    assert drained(spool(tmp_path)) == ["a"]
    assert (directory / "notes.txt").exists()


def test_a_directory_that_is_removed_under_us_is_made_again(tmp_path: Path) -> None:
    subject = spool(tmp_path)
    subject.put(parcel("gone", count=5))
    for path in (*files(tmp_path), *tmp_path.rglob("lock")):
        path.unlink()
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        path.rmdir()
    subject.put(parcel("kept"))
    assert subject.take_lost_count() == 5
    assert drained(subject) == ["kept"]


def test_a_disk_that_takes_no_more_raises_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    subject = spool(tmp_path)
    subject.put(parcel("before"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # of a file: as good as a full disk
    try:
        with pytest.raises(OSError, match="large"):
            subject.put(parcel("x" * 100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert drained(subject) == ["before"]
    assert files(tmp_path) == []


def test_a_root_that_is_no_directory_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        spool(tmp_path / "file").put(parcel("a"))


def test_what_nobody_fetched_for_a_month_is_deleted_but_not_from_a_live_process(
    tmp_path: Path,
) -> None:
    old_s = time.time() - 31 * 86_400
    gone = spool(tmp_path, "gone:4317")
    gone.put(parcel("old"))
    gone.close()
    alive = spool(tmp_path, "alive:4317")
    alive.put(parcel("waits"))
    for path in files(tmp_path):
        os.utime(path.parent, (old_s, old_s))
    spool(tmp_path).adopt()
    assert drained(alive) == ["waits"]
    assert drained(spool(tmp_path, "gone:4317")) == []


def test_a_root_that_holds_other_things_keeps_them_however_old(tmp_path: Path) -> None:
    """A spool_dir may be anything: a home, a volume. All that is in it is old."""
    elsewhere = tmp_path / "elsewhere"
    root = tmp_path / "root"
    names = ("project/source", "0123456789abcdef/notes", "0123456789abcdef/42-0123456789ab")
    theirs = [root / name / "theirs.txt" for name in names]
    theirs += [
        root / "0123456789abcdef" / "set-aside" / "theirs.txt",
        elsewhere / "x" / "theirs.txt",
    ]
    for path in theirs:
        path.parent.mkdir(parents=True)
        path.write_text("kept")
    (root / "fedcba9876543210").symlink_to(elsewhere)
    long_ago = (time.time() - 400 * 86_400,) * 2
    for path in theirs:
        os.utime(path, long_ago)
        os.utime(path.parent, long_ago)
    subject = spool(root)
    subject.put(parcel("ours"))
    assert drained(subject) == ["ours"]
    subject.close()
    assert [path.read_text() for path in theirs] == ["kept"] * len(theirs)
    assert not (root / "project" / "source" / "lock").exists()


def test_what_others_keep_in_the_root_takes_no_room_of_the_spool(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "data").write_bytes(bytes(MIB))
    subject = spool(tmp_path, bytes_max=8192)
    subject.put(parcel("ours"))
    assert drained(subject) == ["ours"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_none_of_it_and_takes_no_lock_away(tmp_path: Path) -> None:
    subject = spool(tmp_path)
    subject.put(parcel("the parent's"))
    child = os.fork()
    if child == 0:
        subject.after_fork()
        held = bool(subject)
        subject.put(parcel("the child's"))
        os._exit(3 if held or drained(subject) != ["the child's"] else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert drained(spool(tmp_path)) == []  # the parent lives
    assert drained(subject) == ["the parent's"]


def test_the_place_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "crucible-telemetry" / "spool"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # which the specification says to ignore
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_root() == tmp_path / ".local" / "state" / "crucible-telemetry" / "spool"
