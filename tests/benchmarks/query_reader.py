"""Readers in a process of their own: an open loop of questions, each timed from when it was due.

It takes a `Reading` as JSON on standard input, asks when it is told `go`, and prints what it `Heard` as its
last line. A question that waits because others are slow counts its wait: the loop does not slow down with
what it measures.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import httpx

TIMEOUT_S = 60.0
# So many that a question due never waits for a thread: 20 a second, of which each may take three seconds.
THREADS = 64
_MS = 1_000.0


@dataclass(frozen=True)
class Asked:
    """One question: what it is called in tables, and what is sent."""

    name: str
    path: str
    body: dict[str, Any] | None = None  # POST with it; else GET


@dataclass(frozen=True)
class Reading:
    url: str
    per_s: float
    asked: list[Asked]  # in this order


@dataclass(frozen=True)
class Heard:
    """Of each question in order: milliseconds from when it was due to the end of its answer."""

    ms: list[float]
    failed: list[str]  # what was answered instead of 200, the first few


def read(reading: Reading) -> Heard:
    """Ask all of it, at its rate."""
    ms = [0.0] * len(reading.asked)
    failed: list[str] = []
    limits = httpx.Limits(max_connections=THREADS, max_keepalive_connections=THREADS)
    with (
        httpx.Client(base_url=reading.url, timeout=TIMEOUT_S, limits=limits) as client,
        ThreadPoolExecutor(THREADS) as threads,
    ):
        start_s = time.monotonic()

        def ask(number: int, one: Asked) -> None:
            due_s = start_s + number / reading.per_s
            response = (
                client.get(one.path) if one.body is None else client.post(one.path, json=one.body)
            )
            ms[number] = (time.monotonic() - due_s) * _MS
            if response.status_code != httpx.codes.OK:
                failed.append(f"{one.name}: {response.status_code} {response.text[:200]}")

        _pace(reading.asked, reading.per_s, start_s, lambda *each: threads.submit(ask, *each))
    return Heard(ms, failed[:10])


def _pace(asked: Sequence[Asked], per_s: float, start_s: float, submit: Any) -> None:
    for number, one in enumerate(asked):
        wait_s = start_s + number / per_s - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        submit(number, one)


def main() -> None:
    told = json.loads(sys.stdin.readline())
    asked = [Asked(**each) for each in told["asked"]]
    print("ready", flush=True)
    if sys.stdin.readline() != "go\n":
        return
    print(json.dumps(asdict(read(Reading(told["url"], told["per_s"], asked)))), flush=True)


if __name__ == "__main__":
    main()
