"""What the README says to run is run: against one collector on ports of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness import Collector, collector, eventually

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^(?:<!-- test: (\w+) -->\n)?```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    """The code blocks that are marked to be run as `kind`."""
    return [text for mark, _, text in BLOCK.findall(README) if mark == kind]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collector(tmp_path_factory.mktemp("readme") / "data") as one:
        yield one


def at(running: Collector, text: str) -> str:
    """The text with the default addresses replaced by the collector's."""
    return (
        text.replace("127.0.0.1:4317", running.addresses["grpc"])
        .replace("http://127.0.0.1:4318", running.addresses["http"])
        .replace("http://127.0.0.1:8080", running.addresses["api"])
    )


def test_the_python_example_makes_a_run(running: Collector, tmp_path: Path) -> None:
    (example,) = blocks("python")
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{running.addresses['grpc']}"},
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    runs = eventually(
        lambda: [
            run
            for run in running.get("/api/v1/runs?experiment=lr-sweep")["data"]
            if run["status"] == "completed"
        ],
        "the run is completed",
    )
    assert runs[0]["condition"] == "lr=1e-3"
    assert runs[0]["last_step"] == 5


def test_the_shell_examples_send_a_span_and_events_and_find_them(running: Collector) -> None:
    send, bridge, ask = blocks("shell")
    assert shell(at(running, send)) in {"{}", '{"partialSuccess":{}}'}
    eventually(lambda: running.get("/api/v1/runs/by-hand-1"), "the run by hand is there")
    assert '"accepted":2' in shell(at(running, bridge)).replace(" ", "")
    eventually(lambda: running.get("/api/v1/runs/beam-1"), "the bridged run is there")
    (hedged,) = running.get("/api/v1/events?event=crucible_hedging.request.stop")["data"]
    assert hedged["duration_ms"] == 120
    answers = shell("set -e\n" + at(running, ask))
    assert answers.count('"data"') == ask.count("curl")
    assert '"value":0.7' in answers.replace(" ", "")


def shell(script: str) -> str:
    answer = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, (script, answer.stderr)
    return answer.stdout.strip()


def test_every_make_target_in_the_readme_is_there_and_every_other_command_is_tested() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)) <= targets
    for mark, language, text in BLOCK.findall(README):
        if mark or language != "bash":
            continue
        commands = [line.split("#")[0].strip() for line in text.splitlines() if line.strip()]
        assert all(
            command.startswith(("make ", "crucible-collector serve")) for command in commands
        ), text


def demo(*arguments: str) -> str:
    """What `make demo` prints."""
    answer = subprocess.run(
        ["make", "demo", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    return answer.stdout


@pytest.mark.timeout(400)
def test_make_demo_shows_the_run_and_its_numbers(tmp_path: Path) -> None:
    shown = demo(f"DIR={tmp_path / 'demo'}", "ARGS=--seconds 3")
    assert "completed" in shown
    assert re.search(r"epochs +\d+ +batches +\d+", shown)
    assert re.search(r"loss +[\d.]+ at the start, [\d.]+ at the end", shown)
    assert re.search(r"points stored +[1-9]\d+", shown)
    assert re.search(r"worst batch +step \d+, loss [\d.]+", shown)
    assert re.search(r"[\d,]+ +crucible_train\.batch\.stop", shown)
    assert re.search(r"page +http://127\.0\.0\.1:\d+/#/runs/", shown)
    # The injected fault: found, told, explained, and drawn with its band.
    assert re.search(r"webhook: firing \(signature verified, [\d.]+ s after the fault\)", shown)
    found = (
        r"found +(loss|gradient_norm|accuracy) of run [\w-]+ (is|has reached) (a mean of )?[\d.]+"
    )
    assert re.search(found, shown)
    assert re.search(r"cause +.*learning_rate went from 0\.05 to 1\.5 at step \d+", shown)
    assert re.search(r"told +the webhook, ([0-9]|1[0-9])\.\d s after the fault", shown)
    assert re.search(r"^ +\d+ .*◀$", shown, re.MULTILINE)


@pytest.mark.timeout(400)
def test_a_clean_demo_is_silent_and_with_keep_leaves_the_collector_running(tmp_path: Path) -> None:
    shown = demo("KEEP=1", f"DIR={tmp_path / 'demo'}", "ARGS=--seconds 1 --clean")
    assert "no fault was injected, and nobody was alerted" in shown
    assert "webhook:" not in shown
    kept = psutil.Process(int(re.findall(r"kill (\d+)", shown)[0]))
    try:
        (page,) = re.findall(r"page +(http://[\d.:]+)/#", shown)
        with urllib.request.urlopen(page, timeout=30) as answer:
            assert "<html" in answer.read().decode()
    finally:
        kept.terminate()
        kept.wait(60)


def test_make_serve_runs_a_collector_until_it_is_told_to_stop(tmp_path: Path) -> None:
    ports = " ".join(f"--{name} 127.0.0.1:0" for name in ("grpc", "http", "api"))
    process = subprocess.Popen(
        ["make", "serve", f"ARGS=--data-dir {tmp_path / 'data'} {ports}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            # A make within a make says first which directory it enters.
            line = next((line for line in process.stdout or () if line.startswith("ready")), "")
            assert line.startswith("ready grpc=127.0.0.1:")
        finally:
            os.killpg(process.pid, signal.SIGINT)


def test_make_fuzz_compares_the_decoder_with_the_official_parser() -> None:
    answer = subprocess.run(
        ["make", "fuzz", "SECONDS=2"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert re.search(r"accepted", answer.stdout)
