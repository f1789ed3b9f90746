"""kill -9 at any moment: everything acknowledged is read back once, and nothing else."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

from journals import drain, open_small

ROUNDS = 15

# Says "+n" before it appends n and "=n" once n is acknowledged; goes on until it is killed.
WRITER = """
import os, pathlib, sys, threading
from crucible_collector.errors import OverloadedError
from journals import entry_of, open_small

directory, released, first = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
journal = open_small(directory, segment_bytes=64 << 10, bytes_max=2 << 20, retain_s=0)
journal.release(released)

def append(thread):
    number = first + thread
    while True:
        os.write(1, b"+%d\\n" % number)
        try:
            journal.append(entry_of(number, body_bytes=100 + number * 37 % 9000)).result()
        except OverloadedError:
            continue
        os.write(1, b"=%d\\n" % number)
        number += 4

for thread in range(4):
    threading.Thread(target=append, args=(thread,)).start()
"""


def run_and_kill(directory: Path, released: int, first: int, line_count: int) -> list[str]:
    """What the writer said until it was killed, in whole lines."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), str(released), str(first)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    ) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(line_count)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    rng = random.Random(20)
    released = 0
    first = 0
    inodes: set[int] = set()
    segments = 0
    for _ in range(ROUNDS):
        lines = run_and_kill(tmp_path, released, first, rng.randrange(1, 400))
        sent = {int(line[1:]) for line in lines if line[0] == "+"}
        acknowledged = {int(line[1:]) for line in lines if line[0] == "="}
        with open_small(tmp_path, segment_bytes=64 << 10, bytes_max=2 << 20) as journal:
            found = drain(journal, released)
            assert found.damaged == []
            assert len(found.numbers) == len(set(found.numbers)), "stored twice"
            assert acknowledged <= set(found.numbers) <= sent
            released = journal.tail
        inodes |= {path.stat().st_ino for path in tmp_path.glob("*.segment")}
        segments = released // (64 << 10)
        first = max(sent, default=first) + 4
    assert len(inodes) < segments, "segments were used again"
