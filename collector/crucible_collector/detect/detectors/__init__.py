"""Every detector, by its name; one a file.

In the stream by default: `ewma` for what follows a course, `drift` for where the course goes, `plateau`
for where it has ended, `rarity` for levels, `shift` for latencies, costs and norms, `proportion` for rates of
errors, `pace` for the steps of trainings, `throughput` for reported rates, `zero` for learning rates,
`non_finite` for everything. On request and in scans: `zscore`, `modified_z` and `iqr`, over the `window`
of a series' last values.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from crucible_collector.detect.detector import Detector
from crucible_collector.detect.detectors.drift import DRIFT
from crucible_collector.detect.detectors.ewma import EWMA
from crucible_collector.detect.detectors.iqr import IQR
from crucible_collector.detect.detectors.modified_z import MODIFIED_Z
from crucible_collector.detect.detectors.non_finite import NON_FINITE
from crucible_collector.detect.detectors.pace import PACE
from crucible_collector.detect.detectors.plateau import PLATEAU
from crucible_collector.detect.detectors.proportion import PROPORTION
from crucible_collector.detect.detectors.rarity import RARITY
from crucible_collector.detect.detectors.shift import SHIFT
from crucible_collector.detect.detectors.throughput import THROUGHPUT
from crucible_collector.detect.detectors.zero import ZERO
from crucible_collector.detect.detectors.zscore import ZSCORE

_ALL: tuple[Detector, ...] = (
    EWMA,
    RARITY,
    SHIFT,
    PROPORTION,
    ZERO,
    THROUGHPUT,
    PLATEAU,
    PACE,
    NON_FINITE,
    DRIFT,
    ZSCORE,
    MODIFIED_Z,
    IQR,
)

DETECTORS: Mapping[str, Detector] = MappingProxyType({each.name: each for each in _ALL})

# What these tell of is a mean of the last values, of which the newest may be on the good side of its bound.
MEANS = frozenset({DRIFT.name, SHIFT.name, THROUGHPUT.name})
