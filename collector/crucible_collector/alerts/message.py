"""What a delivery says: of each alert, what happened in one plain sentence, and what may have caused it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

from crucible_collector.detect.detectors import MEANS
from crucible_collector.detect.detectors.plateau import PLATEAU
from crucible_collector.store.causes import Cause
from crucible_collector.store.outbox import Due, delivery_id
from crucible_collector.store.periods import BACK, HEARD_AGAIN

_NO_UNIT = frozenset({None, "", "1"})


@dataclass(frozen=True, slots=True)
class Links:
    """Where more is told."""

    period: str  # over REST
    run: str | None  # a page

    @classmethod
    def of(cls, alert: Due, public_url: str) -> Links:
        """`public_url` is where people reach the API and its page, without a slash at its end."""
        run = (
            None if alert.run_id is None else f"{public_url}/#/runs/{quote(alert.run_id, safe='')}"
        )
        return cls(f"{public_url}/api/v1/anomalies/periods/{alert.period_id}", run)


@dataclass(frozen=True, slots=True)
class Told:
    """One alert of a message."""

    alert: Due
    says: str
    causes: Sequence[Cause]
    links: Links


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery to one webhook, whatever form it takes."""

    delivery: str
    webhook: str
    told: Sequence[Told]  # oldest first, at least one; all of one run, or of one experiment

    @property
    def is_firing(self) -> bool:
        """Whether it tells of anything that is not over by what it tells itself."""
        state = {each.alert.period_id: each.alert.kind for each in self.told}
        return "firing" in state.values()


def compose(
    webhook: str, alerts: Sequence[Due], causes: Mapping[UUID, Sequence[Cause]], public_url: str
) -> Message:
    """The message of alerts that go together; `causes` by period."""
    told = [
        Told(alert, sentence(alert), causes.get(alert.period_id, ()), Links.of(alert, public_url))
        for alert in alerts
    ]
    return Message(delivery_id(alerts), webhook, told)


def sentence(alert: Due) -> str:
    """As in "loss of run r is 12.3 at step 812, expected 0.41 to 0.62 (ewma, score 5.2)"."""
    return _resolved(alert) if alert.kind == "resolved" else _firing(alert)


def _firing(alert: Due) -> str:
    about = f"{alert.metric}{_whose(alert)}"
    how = f" ({alert.detector}{_score(alert.peak_score)})"
    if alert.peak_value is None:
        return f"{about} has stopped, as was noticed at {_clock(alert.started_at)}{how}"
    where = f"at step {alert.first_step}" if alert.first_step is not None else ""
    if alert.detector == PLATEAU.name:
        place = where or f"at {_clock(alert.started_at)}"
        return f"{about} had not got better for long {place}{_mean_so_far(alert)}{how}"
    value = _mean(alert) + _number(alert.peak_value, alert.unit)
    if alert.peak_at is not None and alert.peak_at > alert.started_at:
        since = where.replace("at", "from", 1) or f"from {_clock(alert.started_at)}"
        happened = f"has reached {value}, flagged {since} on"
    else:
        verb = "has" if alert.detector in MEANS else "is"
        happened = f"{verb} {value} {where or 'at ' + _clock(alert.started_at)}"
    return f"{about} {happened}{_expected(alert)}{how}"


def _resolved(alert: Due) -> str:
    ended = alert.ended_at or alert.last_flag_at
    lasted = _duration(ended - alert.started_at)
    flags = "1 flag" if alert.flag_count == 1 else f"{alert.flag_count:,} flags"
    worst = ""
    if alert.peak_value is not None:
        worst = f", at worst {_mean(alert)}{_number(alert.peak_value, alert.unit)}"
    about = f"{alert.metric}{_whose(alert)}"
    if alert.state_reason in (BACK, HEARD_AGAIN):
        return f"{about} is back after {lasted} and {flags}{worst} ({alert.detector})"
    why = f"; {alert.state_reason}" if alert.state_reason else ""
    return f"{about} was anomalous for {lasted}, {flags}{worst}{why} ({alert.detector})"


def _whose(alert: Due) -> str:
    if alert.run_id is not None:
        return f" of run {alert.run_id}"
    parts = [f" of {alert.event_name}"] if alert.event_name is not None else []
    for word, value in (
        ("model", alert.model),
        ("condition", alert.condition),
        ("experiment", alert.experiment_id),
    ):
        if value is not None:
            parts.append(f"{',' if parts else ' of'} {word} {value}")
    return "".join(parts)


def _expected(alert: Due) -> str:
    lower, upper = _bound(alert.peak_lower), _bound(alert.peak_upper)
    if lower is not None and upper is not None:
        return f", expected {lower} to {upper}"
    if upper is not None:
        return f", expected at most {upper}"
    if lower is not None:
        return f", expected at least {lower}"
    about = _bound(alert.peak_expected)
    return "" if about is None else f", expected about {about}"


def _mean_so_far(alert: Due) -> str:
    mean = _bound(alert.peak_expected)
    return "" if mean is None else f", a mean of {mean}"


def _mean(alert: Due) -> str:
    return "a mean of " if alert.detector in MEANS else ""


def _bound(value: float | None) -> str | None:
    return None if value is None or not math.isfinite(value) else f"{value:.4g}"


def _score(score: float) -> str:
    return f", score {score:.3g}" if math.isfinite(score) else ""


def _number(value: float, unit: str | None) -> str:
    return f"{value:.4g}" if unit in _NO_UNIT else f"{value:.4g} {unit}"


def _clock(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def _duration(lasted: dt.timedelta) -> str:
    whole_s = lasted.total_seconds()
    if whole_s < 60:
        return f"{whole_s:.3g} s"
    minutes, seconds = divmod(int(whole_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
