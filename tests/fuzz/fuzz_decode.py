"""The decoder against the official parser, for as long as one likes.

    python tests/fuzz/fuzz_decode.py --seconds 600

Random requests of all signals, most of them damaged: both read the same records, or both refuse.
The bytes of a difference (or a crash) are saved in build/fuzz/, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from collector.decode.generated import damaged, random_request  # noqa: E402
from collector.decode.observed import same_or_both_refuse  # noqa: E402
from crucible_collector.batch import Signal  # noqa: E402

SAVED = TESTS.parent / "build" / "fuzz"
FAILURES_MAX = 20  # enough to see a pattern


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    counts, failures = _run(arguments.seed, arguments.seconds)
    for (signal, outcome), count in sorted(counts.items()):
        print(f"{signal:8} {outcome:9} {count:9,}")
    print(f"{failures} differences" + (f", saved in {SAVED}" if failures else ""))
    return 1 if failures or not counts else 0


def _run(seed: int, seconds: float) -> tuple[Counter[tuple[str, str]], int]:
    rng = random.Random(seed)
    counts: Counter[tuple[str, str]] = Counter()
    failures = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until and failures < FAILURES_MAX:
        signal = rng.choice(list(Signal))
        whole = random_request(signal, rng).SerializeToString()
        for _ in range(5):
            body = damaged(whole, rng) if rng.random() < 0.9 else whole
            try:
                accepted = same_or_both_refuse(signal, body)
            except Exception:  # noqa: BLE001 - a crash is a finding, too
                failures += 1
                _save(signal, body, failures)
            else:
                counts[signal.name.lower(), "accepted" if accepted else "refused"] += 1
    return counts, failures


def _save(signal: Signal, body: bytes, number: int) -> None:
    SAVED.mkdir(parents=True, exist_ok=True)
    path = SAVED / f"{signal.name.lower()}-{number}.bin"
    path.write_bytes(body)
    print(f"difference: {path}")
    traceback.print_exc()


if __name__ == "__main__":
    sys.exit(main())
