"""What may be said of a comparison, in a sentence or two that do not claim more than was found.

One sign for all: an improvement is positive where the candidate is better, whichever way the metric improves;
a lower latency or cost is a positive improvement.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from crucible_collector.compare.choice import NAMES
from crucible_collector.compare.comparison import Asked, Compared
from crucible_collector.compare.effects import magnitude
from crucible_collector.compare.means import Effect
from crucible_collector.compare.pairs import Pair

Conclusion = Literal[
    "better", "worse", "different", "no_difference_found", "equivalent", "identical", "untestable"
]
_CORRECTIONS = {"holm": "Holm", "benjamini_hochberg": "Benjamini and Hochberg"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to conclude, as a word and in words.

    `improvement` (in the metric's unit) and `improvement_percent` (of the baseline; on the log scale of
    geometric means): positive is better, None where nobody knows which way is.
    """

    conclusion: Conclusion
    text: str
    improvement: Effect | None
    improvement_percent: Effect | None


def judged(pair: Pair, compared: Compared) -> Verdict:
    """What to conclude of a pair that is settled."""
    asked = compared.asked
    conclusion = _conclusion(pair, asked)
    words = {
        "identical": _identical,
        "untestable": _untestable,
        "no_difference_found": _not_found,
        "equivalent": _equivalent,
    }
    text = words.get(conclusion, _found)(pair, compared)
    return Verdict(
        conclusion, text, _improvement(pair, asked), _percent(pair, asked.lower_is_better)
    )


def is_significant(pair: Pair, asked: Asked) -> bool:
    """By the corrected p-value."""
    return pair.p_adjusted is not None and pair.p_adjusted < asked.alpha


def _conclusion(pair: Pair, asked: Asked) -> Conclusion:
    if pair.tested.p_value is None:
        return "identical" if pair.is_identical else "untestable"
    if _is_within(pair.mean_difference, asked.margin):
        return "equivalent"
    if not is_significant(pair, asked):
        return "no_difference_found"
    sign = direction(pair)
    if asked.lower_is_better is None or sign == 0 or pair.choice.test == "kolmogorov_smirnov":
        return "different"
    return "better" if (sign < 0) == asked.lower_is_better else "worse"


def direction(pair: Pair) -> int:
    """1 where the candidate is higher, by what was tested; -1 where it is lower."""
    value = pair.mean_difference.value
    if pair.ratio is not None:
        value = pair.ratio.value - 1
    if pair.choice.test in {"mann_whitney", "wilcoxon"} and pair.cliffs_delta is not None:
        value = pair.cliffs_delta.value
    return (value > 0) - (value < 0)


def _is_within(effect: Effect, margin: float | None) -> bool:
    if margin is None or effect.lower is None or effect.upper is None:
        return False
    return -margin < effect.lower and effect.upper < margin


def _improvement(pair: Pair, asked: Asked) -> Effect | None:
    if asked.lower_is_better is None:
        return None
    return _flipped(pair.mean_difference) if asked.lower_is_better else pair.mean_difference


def _flipped(effect: Effect) -> Effect:
    lower, upper = (None if each is None else -each for each in (effect.upper, effect.lower))
    return Effect(-effect.value, lower, upper)


def _percent(pair: Pair, lower_is_better: bool | None) -> Effect | None:
    if lower_is_better is None:
        return None
    base = abs(pair.baseline.mean)
    if pair.ratio is not None:
        relative = _each(pair.ratio, lambda ratio: (ratio - 1) * 100)
    elif base > 0:
        relative = _each(pair.mean_difference, lambda difference: difference / base * 100)
    else:
        return None
    return _flipped(relative) if lower_is_better else relative


def _each(effect: Effect, by: Callable[[float], float]) -> Effect:
    lower, upper = (None if each is None else by(each) for each in (effect.lower, effect.upper))
    return Effect(by(effect.value), lower, upper)


def _found(pair: Pair, compared: Compared) -> str:
    asked = compared.asked
    a, b = pair.baseline.name, pair.candidate.name
    if pair.choice.test == "kolmogorov_smirnov":
        return f"{asked.metric} is distributed otherwise in {b} than in {a}: {_how_sure(pair, compared)}."
    higher = "higher" if direction(pair) > 0 else "lower"
    conclusion = _conclusion(pair, asked)
    if conclusion == "different":
        text = f"{asked.metric} is {higher} in {b} than in {a}{_by(pair, asked)}, "
        text += f"{_how_sure(pair, compared)}."
        if asked.lower_is_better is None:
            text += " Whether that is better nobody has said: see direction."
    else:
        text = f"{b} is {conclusion} than {a}: {asked.metric} is {higher}{_by(pair, asked)}, "
        text += f"{_how_sure(pair, compared)}."
    return text + _magnitude(pair) + _practical(pair, asked)


def _by(pair: Pair, asked: Asked) -> str:
    """By how much, with the interval; as a share where the log scale was tested."""
    confidence = f"{_number(asked.confidence * 100)} % interval"
    if pair.choice.test in {"mann_whitney", "wilcoxon"} and pair.cliffs_delta is not None:
        effect = pair.cliffs_delta
        told = f" by order (Cliff's delta {_number(effect.value)}, {confidence} "
        return told + f"{_number(effect.lower)} to {_number(effect.upper)})"
    if pair.ratio is not None:
        effect, unit = _each(pair.ratio, lambda ratio: (ratio - 1) * 100), " %"
    elif pair.kind == "rate":
        effect, unit = _each(pair.mean_difference, lambda rate: rate * 100), " percentage points"
    else:
        effect, unit = pair.mean_difference, ""
    if effect.value < 0:
        effect = _flipped(effect)
    bounds = f"{_number(effect.lower)} to {_number(effect.upper)}"
    return f" by {_number(effect.value)}{unit} ({confidence} {bounds})"


def _how_sure(pair: Pair, compared: Compared) -> str:
    asked = compared.asked
    p = pair.p_adjusted
    assert p is not None
    told = "p < 0.0001" if p < 1e-4 else f"p = {_number(p)}"
    corrected = ""
    if compared.family_size > 1 and asked.correction in _CORRECTIONS:
        corrected = f", corrected by {_CORRECTIONS[asked.correction]} over {compared.family_size}"
    one_sided = "" if asked.is_two_sided else f", one-sided ({asked.alternative})"
    return f"{told} ({NAMES[pair.choice.test]}{one_sided}{corrected}; {_sizes(pair, asked)})"


def _sizes(pair: Pair, asked: Asked) -> str:
    a, b = pair.baseline.size, pair.candidate.size
    if pair.is_paired:
        return f"{a} pairs"
    return f"{a} {asked.unit}s each" if a == b else f"{a} and {b} {asked.unit}s"


def _magnitude(pair: Pair) -> str:
    if pair.cohens_d is None or pair.choice.test in {"mann_whitney", "wilcoxon"}:
        return ""
    d = pair.cohens_d.value
    return f" Beside the spread that is a {magnitude(d)} effect (d = {_number(abs(d))})."


def _practical(pair: Pair, asked: Asked) -> str:
    if asked.margin is None:
        return ""
    lower, upper = pair.mean_difference.lower, pair.mean_difference.upper
    matters = f"the {_number(asked.margin)} that matters"
    if lower is not None and upper is not None and max(lower, -upper) >= asked.margin:
        return f" It is more than {matters}."
    return f" Whether it is more than {matters} is not sure."


def _not_found(pair: Pair, compared: Compared) -> str:
    asked = compared.asked
    a, b = pair.baseline.name, pair.candidate.name
    side = ""
    if not asked.is_two_sided:
        more = "higher" if asked.alternative == "greater" else "lower"
        side = f" (asked was whether {b} is {more})"
    text = f"No difference found in {asked.metric} between {a} and {b}{side}: {_how_sure(pair, compared)}."
    return f"{text} {_detectable(pair, asked)}"


def _detectable(pair: Pair, asked: Asked) -> str:
    """What would have been seen, so that nobody takes silence for proof."""
    sizes = f"With {_sizes(pair, asked)}"
    seen = "would have been seen in 4 of 5 such comparisons"
    if pair.kind == "rate":
        if pair.detectable_difference is None:
            return f"{sizes} no difference of rates, however large, {seen}."
        points = _number(pair.detectable_difference * 100)
        return f"{sizes} only differences above {points} percentage points {seen}."
    if pair.detectable_d is None:
        return f"{sizes} no effect, however large, {seen}."
    told = f"d = {_number(pair.detectable_d)}"
    if pair.detectable_difference is not None:
        shown = pair.detectable_difference
        told += f" ({_number(shown * 100)} %)" if pair.scale == "log" else f" ({_number(shown)})"
    return f"{sizes} only effects above {told} {seen}."


def _equivalent(pair: Pair, compared: Compared) -> str:
    asked = compared.asked
    a, b = pair.baseline.name, pair.candidate.name
    assert asked.margin is not None
    unit = _number(asked.margin)
    text = f"{a} and {b} differ in {asked.metric} by less than the {unit} that matters"
    lower, upper = pair.mean_difference.lower, pair.mean_difference.upper
    text += f": {_number(asked.confidence * 100)} % interval {_number(lower)} to {_number(upper)}"
    if is_significant(pair, asked):
        return f"{text}. That there is some difference is sure ({_how_sure(pair, compared)})."
    return f"{text}; {_how_sure(pair, compared)}."


def _identical(pair: Pair, compared: Compared) -> str:
    asked = compared.asked
    a, b = pair.baseline, pair.candidate
    if pair.is_paired:
        return f"No difference: {asked.metric} is the same on both sides of all {a.size} pairs."
    value = _number(a.mean)
    return f"No difference can be tested: {asked.metric} is {value} in every {asked.unit} of {a.name} and {b.name}."


def _untestable(pair: Pair, compared: Compared) -> str:
    asked = compared.asked
    a, b = pair.baseline, pair.candidate
    if pair.is_paired:
        gap = _number(pair.mean_difference.value)
        return (
            f"{asked.metric} differs by the same {gap} in all {a.size} pairs of {a.name} and {b.name};"
            " without any spread no test says how sure that is."
        )
    return (
        f"{asked.metric} is {_number(a.mean)} in every {asked.unit} of {a.name} and {_number(b.mean)} in every"
        f" {asked.unit} of {b.name}; without any spread no test says how sure that difference is."
    )


def _number(value: float | None) -> str:
    """To three significant digits."""
    if value is None:
        return "unknown"
    if not math.isfinite(value):
        return "no bound"
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        digits = max(2 - math.floor(math.log10(abs(value))), 0)
        text = f"{value:.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.2e}"
