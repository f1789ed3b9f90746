"""A signal to the process is heard, whichever of its threads the system gives it to."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

import pytest

from databases import TestServer
from harness import collector

STOP_TIMEOUT_S = 20.0


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="threads have ids of their own on Linux")
def test_a_signal_that_another_thread_was_given_ends_it(
    plain_server: TestServer, tmp_path: Path
) -> None:
    with plain_server.database() as dsn, collector(tmp_path / "one", dsn) as one:
        pid = one.running.pid
        others = [int(each.name) for each in Path(f"/proc/{pid}/task").iterdir()]
        others.remove(pid)
        assert ctypes.CDLL(None, use_errno=True).tgkill(pid, max(others), signal.SIGTERM) == 0
        assert one.running.wait(STOP_TIMEOUT_S) == 0
