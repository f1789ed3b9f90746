"""Non-finite: a number is NaN or infinite.

Assumption: none; what a training or a service reports is a number. Formula: score = infinity. Source: IEEE
754, where nothing that is computed from NaN is a number again: in a training, a loss of NaN stays.
Guarantee: every value that is not finite is flagged at once, whatever came before, and no other.
Warm-up: none. Mixed precision makes infinite gradient norms in the ordinary course of things (the step is
left out and the scale of the loss halved): where that is so, a rule can leave them unwatched.

>>> import numpy as np
>>> from crucible_collector.detect.detector import Values
>>> from crucible_collector.detect.detectors.non_finite import NON_FINITE
>>> none = np.zeros(1, np.int64)
>>> value = np.array([np.nan])
>>> values = Values(none, none, value, none, none, none > 0, none.astype(np.int8), none + 1.0)
>>> NON_FINITE.score(np.zeros(1, NON_FINITE.record), values).score.tolist()
[inf]
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from crucible_collector.detect.detector import Records, Scored, Severities, Severity, Values


class NonFinite:
    """Every value that is not finite."""

    name: ClassVar[str] = "non_finite"
    # Nothing has to be remembered, but an array of records has to have bytes.
    record: ClassVar[np.dtype[Any]] = np.dtype([("is_seen", np.uint8)])
    takes_non_finite: ClassVar[bool] = True
    quiet_max: ClassVar[int] = 10
    severities: ClassVar[Severities] = Severities(least=Severity.CRITICAL)

    def score(self, records: Records, values: Values) -> Scored:
        found = Scored.of(len(values))
        is_finite = np.isfinite(values.value)
        found.score[~is_finite] = np.inf
        records["is_seen"][values.number[~is_finite]] = 1
        return found


NON_FINITE = NonFinite()
