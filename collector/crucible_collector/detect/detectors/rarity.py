"""Rarity: a value where few or none of the series' values have been.

Assumption: a level comes back to where it was, be that one place or several. Formula: a histogram of 30
bins over the running range, in which a value counts e^(-0.0005 age); c what the value's bin holds and half
of what its neighbours do, n what all hold; score = sensitivity (-ln((c + 1/2) / (n + 15)) / 6.4) before the
value is added. Outside of the range by e times its length, one bin off, this is multiplied by
1 + log10(1 + e), so that a score tells how far away a value is where nothing has ever been. Peak-hold: what
exceeds the last score told neither with that factor nor without it, and comes within 300 values, has a
score of 0: one event is told once, and again only for what is rarer.
The range grows to at most ten times its length a value: one number of 1e9 does not put all others into one
bin for good. Of what half has been empty for some 9,000 values, the other half is the new range. Values
closer together than 1e-6 of their size are one value. On the log scale a value that is not above 0 is
passed over. `direction`: a rare value on the other side of the median has a score of 0.
Lower and upper are the ends of the bins around the value that are not rare (around the nearest one
towards the median, where its own is), expected the fullest of these.
Source: statistics, "rarity"; the factor, and how the range grows and shrinks, are ours.
Guarantee: NAB, standard profile, 69.7 with its own threshold and 66.7 with a score of 1 (31 files). Of 10,000
values in which nothing happens are flagged 12 of normal noise, 10 with an autocorrelation of 0.9, 19 of t with
3 degrees of freedom, 18 of lognormal noise (20 series of 20,000 values): "info", and by score or number above
that in 0.2 of 10,000 at most of these and none of normal noise. A step of 3 deviations is found within 4 values
in 86 % of 300 series, one of 5 at the first value in 96 %.
Warm-up: 100 values, without a score.

>>> import numpy as np
>>> from crucible_collector.detect.detector import Values
>>> from crucible_collector.detect.detectors.rarity import RARITY
>>> level = np.where(np.arange(1000) % 100 < 50, 20.0, 80.0) + np.arange(1000) % 7
>>> level[900] = 50.0
>>> none = np.zeros(1000, np.int64)
>>> values = Values(none, none, level, none, none, none > 0, none.astype(np.int8), none + 1.0)
>>> found = RARITY.score(np.zeros(1, RARITY.record), values)
>>> np.flatnonzero(found.score > 1.0).tolist()
[900]
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from crucible_collector.batch import F64, I64, Bool
from crucible_collector.detect.detector import I8, Records, Scored, Severities, Severity, Values
from crucible_collector.detect.scale import below, not_below, off_scale, on_scale
from crucible_collector.kernels import Int, inlined, kernel

WARM_UP = 100
HOLD = 300
BINS = 30

_SURPRISE = 6.4  # -ln of a share of 0.17 %
_PRIOR = 0.5  # of each bin
_GROWTH = math.exp(
    0.0005
)  # a value's weight beside the one before: what is old need not be touched
_WEIGHT_MAX = math.e  # then all are divided by it; before, single precision holds them to 1e-7
_RANGES_MAX = 9.0  # by which the range grows on one side at a value
_FORGOTTEN = 0.01  # what a bin holds of one value after 9,200
_SAME = 1e-6
# Nor are values told apart that are closer than this: a thirtieth of the smallest numbers is 0, which
# nothing can be divided by.
_SAME_MIN = 1e-300
_AWAY_MAX = 1e300  # ranges; what is farther away would have a score that is not finite
_EXPONENT_MAX = 150.0  # ten ranges to the power of this are beyond all that there is

_LINEAR, _LOG = 1, 2
_NOWHERE = -3


class Rarity:
    """How few values have been where a value is."""

    name: ClassVar[str] = "rarity"
    record: ClassVar[np.dtype[Any]] = np.dtype(
        [
            ("low", np.float64),
            ("high", np.float64),
            ("weight", np.float32),  # of the newest value
            ("peak", np.float32),  # -ln of the share, that is held
            ("far_peak", np.float32),  # the same with how far away the value was
            ("count", np.int32),  # up to the warm-up's end
            ("age", np.int16),  # of the peak
            ("mode", np.int16),  # scale that all of this is in
            ("total", np.float32),
            ("bins", np.float32, (BINS,)),
        ]
    )
    takes_non_finite: ClassVar[bool] = False
    quiet_max: ClassVar[int] = HOLD + 1
    severities: ClassVar[Severities] = Severities(
        least=Severity.INFO, warning_score=1.75, warning_count=6
    )

    def score(self, records: Records, values: Values) -> Scored:
        found = Scored.of(len(values))
        _score(
            records,
            values.number,
            values.value,
            values.is_log,
            values.direction,
            values.sensitivity,
            np.empty(BINS),
            found.score,
            found.expected,
            found.lower,
            found.upper,
        )
        return found


@inlined
def _same(s: Any, x: float) -> float:
    """Values closer together than this are one."""
    if s.mode == _LOG:
        return _SAME
    return float(max(_SAME * max(abs(s.low), abs(s.high), abs(x)), _SAME_MIN))


@inlined
def _width(s: Any) -> float:
    """Of a bin; 0 where all values so far were one."""
    length = s.high - s.low
    return float(length / BINS if length > _same(s, s.low) else 0.0)


@inlined
def _bin(s: Any, x: float, width: float) -> Int:
    """Of a value: -1 and BINS are next to the range, -2 and BINS + 1 anything beyond."""
    if width == 0.0:
        if abs(x - s.low) <= _same(s, x):
            return 0
        return -2 if x < s.low else BINS + 1
    if x < s.low:
        return -1 if s.low - x <= width else -2
    if x > s.high:
        return BINS if x - s.high <= width else BINS + 1
    return min(int((x - s.low) / width), BINS - 1)


@inlined
def _mass(s: Any, at: Int) -> float:
    """What a bin and half of its neighbours hold, and the prior."""
    mass = _PRIOR * s.weight
    if 0 <= at < BINS:
        mass += s.bins[at]
    if 1 <= at <= BINS:
        mass += 0.5 * s.bins[at - 1]
    if -1 <= at < BINS - 1:
        mass += 0.5 * s.bins[at + 1]
    return float(mass)


@inlined
def _median(s: Any) -> Int:
    """The bin of the median."""
    below_count = 0.0
    for at in range(BINS):
        below_count += s.bins[at]
        if below_count >= 0.5 * s.total:
            return at
    return BINS - 1


@inlined
def _toward(s: Any, at: Int, way: Int, limit: float) -> Int:
    """The nearest bin from there on that is not rare; _NOWHERE: there is none."""
    at = min(max(at, -1), BINS)
    while -1 <= at <= BINS:
        if _mass(s, at) >= limit:
            return at
        at += way
    return _NOWHERE


@inlined
def _ranges_away(s: Any, x: float, width: float) -> float:
    """How far beyond the bins next to the range, in lengths of the range."""
    if width == 0.0:
        return 0.0
    beyond = max(s.low - width - x, x - s.high - width, 0.0)
    return float(min(beyond / (BINS * width), _AWAY_MAX))


@inlined
def _is_told(s: Any, surprise: float, far: float) -> bool:
    """Whether it is above what is held, which it then takes the place of."""
    here, far_here = np.float32(surprise), np.float32(far)
    if here <= s.peak and far_here <= s.far_peak and s.age < HOLD:
        s.age += 1
        return False
    s.peak = here
    s.far_peak = far_here
    s.age = 0
    return True


@inlined
def _stretch(s: Any, x: float, taken: F64) -> None:
    """Let the range reach to a value, or as near as it may."""
    width = _width(s)
    low, high = min(s.low, x), max(s.high, x)
    if width > 0.0:
        low = max(low, s.low - _RANGES_MAX * (s.high - s.low))
        high = min(high, s.high + _RANGES_MAX * (s.high - s.low))
    if low == s.low and high == s.high:
        return
    if width > 0.0 or high - low > _same(s, x):
        _take(s, taken)
        for at in range(BINS):
            center = s.low + (at + 0.5) * width
            s.bins[min(int((center - low) / ((high - low) / BINS)), BINS - 1)] += taken[at]
    s.low = low
    s.high = high


@inlined
def _take(s: Any, taken: F64) -> None:
    """Empty the bins."""
    for at in range(BINS):
        taken[at] = s.bins[at]
        s.bins[at] = 0.0


@inlined
def _rest(s: Any, taken: F64) -> None:
    """Now and then: make weights small again, and the range, where half of it is forgotten."""
    total = 0.0
    first, last = BINS, -1
    for at in range(BINS):
        s.bins[at] /= s.weight
        total += s.bins[at]
        if s.bins[at] >= _FORGOTTEN:
            first = min(first, at)
            last = at
    s.weight = 1.0
    s.total = total
    width = _width(s)
    if width == 0.0 or last - first >= BINS // 2:
        return
    first = min(first, BINS - BINS // 2)
    _take(s, taken)
    for at in range(BINS):
        s.bins[at] = 0.5 * taken[first + at // 2]
    s.high = s.low + (first + BINS // 2) * width
    s.low += first * width


@inlined
def _add(s: Any, x: float, taken: F64) -> None:
    """Remember a value."""
    _stretch(s, x, taken)
    s.weight *= _GROWTH
    s.bins[min(max(_bin(s, x, _width(s)), 0), BINS - 1)] += s.weight
    s.total += s.weight
    if s.weight > _WEIGHT_MAX:
        _rest(s, taken)


@inlined
def _begin(s: Any, x: float, mode: Int) -> None:
    s.mode = mode
    s.low = s.high = x
    s.weight = 1.0
    s.total = s.peak = s.far_peak = 0.0
    s.count = s.age = 0
    for at in range(BINS):
        s.bins[at] = 0.0


@inlined
def _band(s: Any, run: Int, width: float, limit: float) -> tuple[float, float, float]:
    """The fullest of the bins around one that is not rare, and where these end, on the scale."""
    if width == 0.0:
        return s.low, s.low - _same(s, s.low), s.low + _same(s, s.low)
    first = last = fullest = min(max(run, 0), BINS - 1)
    most = s.bins[fullest]
    limit -= _PRIOR * s.weight
    inner, here = most, s.bins[first - 1] if first > 0 else 0.0
    while first > -1:
        outer = s.bins[first - 2] if first > 1 else 0.0
        if here + 0.5 * (inner + outer) < limit:
            break
        first -= 1
        if here > most:
            most, fullest = here, first
        inner, here = here, outer
    inner, here = s.bins[last], s.bins[last + 1] if last < BINS - 1 else 0.0
    while last < BINS:
        outer = s.bins[last + 2] if last < BINS - 2 else 0.0
        if here + 0.5 * (inner + outer) < limit:
            break
        last += 1
        if here > most:
            most, fullest = here, last
        inner, here = here, outer
    end = s.high if last == BINS - 1 else s.low + (last + 1) * width
    return s.low + (fullest + 0.5) * width, s.low + first * width, end


@inlined
def _reach(s: Any, whole: float, sensitivity: float) -> float:
    """How far beyond the bins next to the range values are not rare, in lengths of the range."""
    empty = sensitivity * math.log(whole / (_PRIOR * s.weight))
    if empty > _SURPRISE:
        return 0.0
    return float(10.0 ** min(_SURPRISE / empty - 1.0, _EXPONENT_MAX) - 1.0)


@inlined
def _tell(
    s: Any, x: float, value: float, is_log: Any, direction: Int, sensitivity: float
) -> tuple[float, float, float, float]:
    """Score, expected, lower and upper of a value that is not yet in the histogram."""
    width = _width(s)
    whole = s.total + BINS * _PRIOR * s.weight
    limit = whole * math.exp(-_SURPRISE / sensitivity)
    at = _bin(s, x, width)
    surprise = math.log(whole / _mass(s, at))
    far = surprise * (1.0 + math.log10(1.0 + _ranges_away(s, x, width)))
    is_rare = far * sensitivity > _SURPRISE
    is_above = False
    run = at
    if is_rare:
        median = _median(s)
        is_above = at > median or (at == median and direction >= 0)
        run = _toward(s, at, -1 if is_above else 1, limit)
    score = far * sensitivity / _SURPRISE
    if is_rare and direction != 0 and is_above != (direction > 0):
        is_rare = False
        score = 0.0
    elif not _is_told(s, surprise, far):
        score = 0.0
    if run == _NOWHERE:
        return score, math.nan, math.nan, math.nan
    middle, low, high = _band(s, run, width, limit)
    reach = _reach(s, whole, sensitivity)
    if width == 0.0 and reach > 0.0:
        return score, off_scale(middle, is_log), math.nan, math.nan
    reach *= s.high - s.low
    lower = off_scale(low - reach, is_log)
    upper = off_scale(high + reach, is_log)
    if not is_rare:
        lower, upper = -not_below(-lower, -value), not_below(upper, value)
    elif is_above:
        upper = below(upper, value)
    else:
        lower = -below(-lower, -value)
    return (
        score,
        off_scale(middle, is_log),
        lower if direction <= 0 else math.nan,
        upper if direction >= 0 else math.nan,
    )


@kernel
def _score(
    records: Records,
    number: I64,
    value: F64,
    is_log: Bool,
    direction: I8,
    sensitivity: F64,
    taken: F64,
    score: F64,
    expected: F64,
    lower: F64,
    upper: F64,
) -> None:
    for row in range(len(number)):
        x = on_scale(value[row], is_log[row])
        if math.isnan(x):
            continue
        s = records[number[row]]
        mode = _LOG if is_log[row] else _LINEAR
        if s.mode != mode:
            _begin(s, x, mode)
        if s.count < WARM_UP:
            s.count += 1
        else:
            score[row], expected[row], lower[row], upper[row] = _tell(
                s, x, value[row], is_log[row], direction[row], sensitivity[row]
            )
        _add(s, x, taken)


RARITY = Rarity()
