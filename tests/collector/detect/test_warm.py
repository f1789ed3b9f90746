"""No window waits for a kernel of detection to be compiled."""

from __future__ import annotations

import numpy as np

from collector.detect.numbers import ACCURACY, GAUGE, LATENCY, LOSS, losses, observations
from crucible_collector import detect, kernels
from crucible_collector.detect.detectors import DETECTORS
from crucible_collector.detect.engine import Engine
from crucible_collector.detect.observations import Source
from crucible_collector.detect.settings import Detection
from crucible_collector.detect.warm import warm_up

kernels.cache_directory()

STATUS = LATENCY._replace(source=Source.STATUS, metric="error_rate")
STEPS = LOSS._replace(source=Source.STEP, metric="steps_per_second")


def variants() -> dict[str, int]:
    own = [each for each in kernels.entry_points() if each.__module__.startswith(detect.__name__)]
    return {f"{entry.__module__}.{entry.__name__}": len(entry.signatures) for entry in own}


def test_every_kernel_is_ready_after_a_start_and_never_compiled_again() -> None:
    warm_up()
    ready = variants()
    assert min(ready.values()) >= 1  # other tests of this process may have given lists of integers
    everything = {"metrics": ["hw.temperature"], "detectors": sorted(DETECTORS)}
    engine = Engine(Detection.parse({"rules": [everything]}))
    for begin in range(0, 400, 100):
        values = losses(400)[begin : begin + 100]
        values[7] = np.nan
        engine.look(
            [
                observations(values, subject, key=key, first=begin, is_cumulative=key == 1)
                for key, subject in enumerate((LOSS, GAUGE, ACCURACY, LATENCY, STATUS, STEPS))
            ]
        )
    engine.look([observations(np.ones(20_000), LATENCY, key=np.arange(20_000))])
    engine.restore(engine.state())
    engine.look([observations(np.ones(20_000), LATENCY, key=np.arange(20_000), first=1)])
    assert variants() == ready
