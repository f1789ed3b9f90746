"""However a process ends, its last numbers arrive and its scopes say how they ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crucible_telemetry import endings
from sdk.receivers import Received, grpc_receiver, plain

HEAD = """
import os, sys, signal, threading, time
import crucible_telemetry as crucible

# As from a terminal: what a shell runs in the background ignores it, and all that this starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

def ready():
    print("ready", flush=True)

def wait():
    ready()
    while True:
        time.sleep(0.01)

def train():
    with crucible.training(run_id="run") as training:
        with training.epoch() as epoch:
            for batch in epoch.batches(range(3)):
                batch.log(loss=float(batch.index))
            wait()
"""

CONFIGURE = "crucible.configure('script', endpoint=os.environ['ENDPOINT'])\n"


@contextmanager
def script(
    tmp_path: Path, address: str, body: str, *, configure: str = CONFIGURE
) -> Iterator[subprocess.Popen[str]]:
    path = tmp_path / "script.py"
    path.write_text(HEAD + configure + textwrap.dedent(body))
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ENDPOINT": f"http://{address}"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def is_ready(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "ready\n"


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, stderr = process.communicate(timeout=30)
    return process.returncode, stderr


def run(tmp_path: Path, received: Received, body: str) -> tuple[int, str]:
    with script(tmp_path, received.address, body) as process:
        return ended(process)


def statuses(received: Received) -> dict[str, Any]:
    """The name of each span that says how it ended, in order of arrival, and what it says."""
    found = ((span.name.partition(".")[2], plain(span.attributes)) for span in received.spans)
    return {
        name: attributes["crucible.status"]
        for name, attributes in found
        if "crucible.status" in attributes
    }


def test_sigterm_delivers_the_last_batch_and_is_what_ends_the_process(tmp_path: Path) -> None:
    with grpc_receiver() as received, script(tmp_path, received.address, "train()") as process:
        assert is_ready(process)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (-signal.SIGTERM, "")
    assert received.names.count("crucible_train.batch") == 3
    assert statuses(received) == {"epoch": "cancelled", "training": "cancelled"}


def test_sigterm_reaches_scopes_of_other_threads_and_an_event_loop(tmp_path: Path) -> None:
    body = """
        import asyncio
        threading.Thread(target=train, daemon=True).start()

        async def main():
            with crucible.training(run_id="asynchronous"):
                await asyncio.sleep(60)

        asyncio.run(main())
    """
    with grpc_receiver() as received, script(tmp_path, received.address, body) as process:
        assert is_ready(process)
        while b"asynchronous" not in b"".join(r.SerializeToString() for r in received.requests):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (-signal.SIGTERM, "")
    assert received.names.count("crucible_train.training") == 2


@pytest.mark.parametrize("is_first", [True, False])
def test_a_handler_of_the_users_own_wins(tmp_path: Path, *, is_first: bool) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    configure = own + CONFIGURE if is_first else CONFIGURE + own
    with grpc_receiver() as received:
        with script(tmp_path, received.address, "train()", configure=configure) as process:
            assert is_ready(process)
            process.send_signal(signal.SIGTERM)
            assert ended(process) == (7, "")
    assert statuses(received) == {"epoch": "failed", "training": "failed"}


def test_sigterm_is_left_alone_where_that_is_asked_for(tmp_path: Path) -> None:
    configure = "crucible.configure(endpoint=os.environ['ENDPOINT'], handle_sigterm=False)\n"
    with grpc_receiver() as received:
        with script(tmp_path, received.address, "train()", configure=configure) as process:
            assert is_ready(process)
            process.send_signal(signal.SIGTERM)
            assert ended(process) == (-signal.SIGTERM, "")
    assert statuses(received) == {}


def test_sigterm_during_the_last_flush_still_ends_the_process_by_that_signal(
    tmp_path: Path,
) -> None:
    body = """
        from crucible_telemetry import telemetry
        training = crucible.training()
        training.open()
        # The end takes long enough for a signal to come in the middle of it.
        telemetry.current().register(lambda timeout_s: (ready(), time.sleep(0.3)))
    """
    with grpc_receiver() as received, script(tmp_path, received.address, body) as process:
        assert is_ready(process)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (-signal.SIGTERM, "")
    assert statuses(received) == {"training": "cancelled"}


def test_sigterm_during_a_shutdown_of_the_programs_own_waits_for_it(tmp_path: Path) -> None:
    body = """
        from crucible_telemetry import telemetry
        with crucible.training():
            pass
        telemetry.current().register(lambda timeout_s: (ready(), time.sleep(0.3)))
        crucible.shutdown()
        print("still here")
    """
    with grpc_receiver() as received, script(tmp_path, received.address, body) as process:
        assert is_ready(process)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == -signal.SIGTERM
    assert statuses(received) == {"training": "completed"}


def test_sigterms_that_come_anywhere_never_leave_a_process_that_hangs(tmp_path: Path) -> None:
    body = """
        with crucible.experiment("sweep") as experiment, experiment.training() as training:
            with training.epoch() as epoch:
                threading.Timer(float(os.environ["AFTER_S"]), os.kill, (os.getpid(), 15)).start()
                ready()
                while True:
                    with epoch.batch() as batch:
                        batch.log(loss=1.0)
                    time.sleep(0.0001)  # unchecked, the loop outruns a queue of 10,000
    """
    with grpc_receiver() as received:
        for after_ms in range(0, 100, 20):
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("AFTER_S", str(after_ms / 1000))
                code, stderr = run(tmp_path, received, body)
            assert (code, stderr) == (-signal.SIGTERM, "")
    assert received.names.count("crucible_train.training") == 5


def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    body = """
        from crucible_telemetry import telemetry
        telemetry.current().register(lambda timeout_s: (ready(), time.sleep(60)))
        wait()
    """
    with grpc_receiver() as received, script(tmp_path, received.address, body) as process:
        for _ in range(2):
            assert is_ready(process)
            process.send_signal(signal.SIGTERM)
        assert ended(process) == (-signal.SIGTERM, "")


def test_as_process_1_sigterm_sends_what_waits_and_the_process_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("os.getpid", lambda: 1)
    monkeypatch.setattr(endings, "_flush", lambda: calls.append("flush"))
    monkeypatch.setattr(endings, "_finish", lambda: calls.append("finish"))
    endings._on_sigterm(signal.SIGTERM, None)
    assert calls == ["flush"]


def test_an_uncaught_exception_fails_what_was_opened_by_hand(tmp_path: Path) -> None:
    body = """
        training = crucible.training()
        training.open()
        epoch = training.epoch()
        epoch.open()
        raise ValueError("boom")
    """
    with grpc_receiver() as received:
        code, stderr = run(tmp_path, received, body)
    assert code == 1
    assert stderr.endswith("ValueError: boom\n")
    assert stderr.count("Traceback") == 1
    assert statuses(received) == {"epoch": "failed", "training": "failed"}
    attributes = plain(received.spans[-1].attributes)
    assert attributes["crucible.error.kind"] == "ValueError"


def test_a_hook_of_the_users_own_is_called_as_well(tmp_path: Path) -> None:
    body = """
        before = sys.excepthook
        def own(*arguments):
            print("own", file=sys.stderr)
            before(*arguments)
        sys.excepthook = own
        crucible.configure(endpoint=os.environ["ENDPOINT"])
        crucible.training().open()
        raise ValueError("boom")
    """
    with grpc_receiver() as received:
        code, stderr = run(tmp_path, received, body)
    assert code == 1
    assert stderr.startswith("own\n")
    assert stderr.count("ValueError: boom") == 1


def test_ctrl_c_cancels(tmp_path: Path) -> None:
    body = """
        training = crucible.training()
        training.open()
        wait()
    """
    with grpc_receiver() as received, script(tmp_path, received.address, body) as process:
        assert is_ready(process)
        process.send_signal(signal.SIGINT)
        ended(process)
    assert statuses(received) == {"training": "cancelled"}


def test_what_nobody_ended_is_cancelled_when_the_process_ends(tmp_path: Path) -> None:
    with grpc_receiver() as received:
        code, stderr = run(tmp_path, received, "training = crucible.training()\ntraining.open()")
    assert (code, stderr) == (0, "")
    assert statuses(received) == {"training": "cancelled"}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_deliver_what_they_recorded(
    tmp_path: Path, method: str
) -> None:
    body = f"""
        import multiprocessing

        def work(name):
            if crucible.counts()["accepted"] == 0 and {method != "fork"}:
                crucible.configure("child", endpoint=os.environ["ENDPOINT"])
            with crucible.training(run_id=name):
                pass

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            children = [context.Process(target=work, args=(f"child {{i}}",)) for i in range(2)]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
    """
    configure = "if __name__ == '__main__':\n    " + CONFIGURE
    with grpc_receiver() as received:
        with script(tmp_path, received.address, body, configure=configure) as process:
            code, stderr = ended(process)
    assert (code, stderr) == (0, "")
    runs = {plain(span.attributes)["crucible.run.id"] for span in received.spans}
    assert runs == {"child 0", "child 1"}
    assert received.names.count("crucible_train.training") == 2


def test_a_forked_child_ends_none_of_its_parents_scopes(tmp_path: Path) -> None:
    body = """
        with crucible.training(run_id="parent") as training:
            child = os.fork()
            if child == 0:
                with crucible.training(run_id="child"):
                    pass
                sys.exit(3)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    """
    with grpc_receiver() as received:
        code, stderr = run(tmp_path, received, body)
    assert (code, stderr) == (0, "")
    runs = [
        plain(span.attributes)["crucible.run.id"]
        for span in received.spans
        if span.name == "crucible_train.training"
    ]
    assert sorted(runs) == ["child", "parent"]
    assert statuses(received) == {"training": "completed"}


def test_forks_in_the_middle_of_deliveries_neither_hang_nor_lose(tmp_path: Path) -> None:
    body = """
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                crucible.training(run_id="parent").open()
                time.sleep(0.001)
        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads:
            thread.start()
        children = []
        for index in range(20):
            child = os.fork()
            if child == 0:
                with crucible.training(run_id=f"child {index}"):
                    pass
                os._exit(0 if crucible.flush(20) else 1)
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        stop.set()
        for thread in threads:
            thread.join()
        assert codes == [0] * 20, codes
    """
    with grpc_receiver() as received:
        code, stderr = run(tmp_path, received, body)
    assert (code, stderr) == (0, "")
    runs = {plain(span.attributes)["crucible.run.id"] for span in received.spans}
    assert {f"child {index}" for index in range(20)} <= runs


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_process_delivers_what_an_ended_one_could_not(
    tmp_path: Path, number: signal.Signals
) -> None:
    with grpc_receiver() as received:
        pass
    with script(tmp_path, received.address, "train()") as process:
        assert is_ready(process)
        spool = tmp_path / "state" / "crucible-telemetry" / "spool"
        while not list(spool.glob("*/*/*.traces.*")):
            time.sleep(0.01)
        started = time.monotonic()
        process.send_signal(number)
        assert ended(process)[0] == -number
        assert time.monotonic() - started < 5
    with grpc_receiver(Received(), received.address) as received:
        assert run(tmp_path, received, "") == (0, "")
    assert received.names.count("crucible_train.batch") == 3
    assert len({span.span_id for span in received.spans}) == len(received.spans)
    assert [name for name in received.names if not name.endswith(".start")][:3] == [
        "crucible_train.batch"
    ] * 3
    if number == signal.SIGTERM:
        assert statuses(received) == {"epoch": "cancelled", "training": "cancelled"}
