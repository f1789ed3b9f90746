"""What happened in a period of anomalies, in a sentence for people. Its columns are the queries'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crucible_collector.detect.detectors import MEANS
from crucible_collector.detect.detectors.plateau import PLATEAU

Row = Mapping[str, Any]


def sentence(period: Row) -> str:
    """As in "loss was anomalous 5 times from step 812 on, at worst 12.3, expected 0.52 (0.41 to 0.62)"."""
    metric, value, count = period["metric"], period["peak_value"], period["flag_count"]
    if value is None:
        return f"{metric} has stopped, as was noticed at {period['started_at']}"
    step = period["first_step"]
    where = f" at step {step}" if step is not None else ""
    since = f" from step {step} on" if step is not None else ""
    if period["detector"] == PLATEAU.name:
        mean = (
            ""
            if period["peak_expected"] is None
            else f", a mean of {number(period['peak_expected'])}"
        )
        return f"{metric} had not got better for long{where}{mean}"
    is_finite = not isinstance(value, str)
    if count == 1:
        return f"{metric} was {_worst(period)}{where}" + (_expected(period) if is_finite else "")
    if not is_finite:
        return f"{metric} was not finite {count} times{since}, first {period['first_value']}"
    worst = f"at worst {_worst(period)}{_expected(period)}"
    return f"{metric} was anomalous {count} times{since}, {worst}"


def _worst(period: Row) -> str:
    unit = period["unit"]
    mean = "a mean of " if period["detector"] in MEANS else ""
    return mean + number(period["peak_value"]) + (f" {unit}" if unit and unit != "1" else "")


def _expected(period: Row) -> str:
    low, high = period["peak_lower"], period["peak_upper"]
    if low is not None and high is not None:
        bounds = f"{number(low)} to {number(high)}"
    elif high is not None:
        bounds = f"at most {number(high)}"
    else:
        bounds = f"at least {number(low)}" if low is not None else ""
    expected = period["peak_expected"]
    if expected is None:
        return f", expected {bounds}" if bounds else ""
    return f", expected {number(expected)}" + (f" ({bounds})" if bounds else "")


def number(value: float | str) -> str:
    """To four digits; what JSON has no number for comes as its name."""
    return value if isinstance(value, str) else f"{value:.4g}"
