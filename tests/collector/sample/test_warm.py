"""No window waits for a kernel to be compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from collector.sample.windows import ids, records
from crucible_collector import kernels, sample
from crucible_collector.batch import Signal
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.sampler import Sampler
from crucible_collector.sample.strategy_settings import SETTINGS
from crucible_collector.sample.variance import KeptRows, Variances
from crucible_collector.sample.warm import _STRATEGIES, warm_up


def frozen(array: Any) -> Any:
    """As columns come that somebody else owns."""
    view = np.repeat(array, 2, axis=0)[::2]
    view.flags.writeable = False
    return view


def variants() -> dict[str, int]:
    own = [each for each in kernels.entry_points() if each.__module__.startswith(sample.__name__)]
    return {f"{entry.__module__}.{entry.__name__}": len(entry.signatures) for entry in own}


def test_every_kernel_is_ready_after_a_start_and_never_compiled_again() -> None:
    warm_up()
    ready = variants()
    assert ready == dict.fromkeys(ready, 1)
    generator = np.random.default_rng(3)
    window = [
        records(ids(generator, 50), signal=signal, received_ns=np.arange(50) * 10**10)
        for signal in (Signal.TRACES, Signal.LOGS)
    ]
    for each in window:
        for name in ("wanted", "trace_id", "randomness", "upstream", "status_code", "score"):
            setattr(each, name, frozen(getattr(each, name)))
    for strategy in _STRATEGIES:
        sampler = Sampler(Rules.parse({"rules": [{**strategy, "signals": ["spans", "logs"]}]}))
        for end in range(3):
            sampler.observe(window, end)
            sampler.decide(window, end)
        sampler.restore(sampler.state())
    word, place = frozen(np.arange(50, dtype=np.uint64)), frozen(np.arange(50))
    p = frozen(np.linspace(0.1, 1, 50))
    Variances().terms(KeptRows(word, word, word, place, place, p, p < 1, {"cost": p}))
    assert variants() == ready


def test_every_strategy_is_made_ready() -> None:
    assert {"uniform", *(each["strategy"] for each in _STRATEGIES)} == set(SETTINGS)
