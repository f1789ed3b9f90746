"""What the demo shows of detection: the fault that was found, its band, its cause, the run's health."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from demo_webhook import Alert, DemoWebhook
from tqdm import tqdm

# How long after the end of the training an alert may take to arrive; it is made with the anomaly.
ALERT_TIMEOUT_S = 15.0
# So many steps after the fault began its first flag may lie.
STEPS_MAX = 20
WATCHED = ("loss", "gradient_norm")
CAUSE = "learning_rate"
BAND_BEFORE, BAND_AFTER = 3, 6
EVENT = "crucible_train.batch.stop"

Get = Callable[..., Any]


@dataclass
class Fault:
    """What is done to the training; `began_at` in Unix seconds, None before it was."""

    steps: int
    step: int | None = None
    began_at: float | None = None

    def is_now(self, step: int, *, is_due: bool) -> bool:
        """Whether it is at this step; it begins at the first at which it is due."""
        if self.step is None and is_due:
            self.step, self.began_at = step, time.time()
        return self.step is not None and step < self.step + self.steps

    def is_told_by(self, alert: Alert) -> bool:
        """Whether the alert is about it, and says why."""
        period, causes = alert.told["period"], alert.told["causes"]
        return (
            self.step is not None
            and alert.is_genuine
            and alert.told["kind"] == "firing"
            and period["metric"] in WATCHED
            and self.step <= period["first_step"] <= self.step + STEPS_MAX
            and CAUSE in {cause["metric"] for cause in causes}
        )


def tell_as_it_comes(get: Get, fault: Fault | None, verdicts: list[str]) -> Callable[[Alert], None]:
    """What says so, beside the training's progress, when an alert arrives, and asks how the run is.

    The verdicts on its health are added to `verdicts`.
    """

    def tell(alert: Alert) -> None:
        told = alert.told
        signed = "signature verified" if alert.is_genuine else "NOT SIGNED BY THE COLLECTOR"
        since = ""
        if fault is not None and fault.began_at is not None:
            since = f", {alert.arrived_at - fault.began_at:.1f} s after the fault"
        lines = [f"webhook: {told['kind']} ({signed}{since})", f"  {told['says']}"]
        lines += [f"  before that, {cause['says']}" for cause in told["causes"]]
        if told["kind"] == "firing":
            health = get(f"/runs/{told['period']['run_id']}/health")["data"]
            verdicts.append(health["verdict"])
            stop = ", should stop" if health["should_stop"] else ""
            lines.append(f"  health of the run: {health['verdict']}{stop}")
        for line in lines:
            tqdm.write(line)

    return tell


def show_found(
    get: Get, run_id: str, fault: Fault, webhook: DemoWebhook, verdicts: Sequence[str]
) -> bool:
    """Print the period of the fault, its band and its cause; whether all of it is there."""
    alert = webhook.wait_for(fault.is_told_by, ALERT_TIMEOUT_S)
    print("\nWhat the detectors found (from REST):\n")
    _list(_periods(get, run_id))
    if alert is None:
        print("\n  THE FAULT WAS NOT FOUND, or the webhook did not hear of it and its cause")
        return False
    period = get(f"/anomalies/periods/{alert.told['period']['period_id']}")["data"]
    causes = "; ".join(cause["says"] for cause in period["causes"])
    print(
        f"\n  fault          {CAUSE} was too high from step {fault.step} on, for {fault.steps} steps"
    )
    print(f"  found          {alert.told['says']}")
    print(f"  cause          {causes}")
    latency = alert.arrived_at - (fault.began_at or alert.arrived_at)
    print(f"  told           the webhook, {latency:.1f} s after the fault, signature verified")
    now = get(f"/runs/{run_id}/health")["data"]["verdict"]
    while_training = ", ".join(verdicts) or "not asked"
    print(f"  health         {while_training} as alerts came; {now} now that it has ended")
    _show_band(get, run_id, period)
    return any(cause["metric"] == CAUSE for cause in period["causes"])


def show_silence(get: Get, run_id: str, webhook: DemoWebhook) -> bool:
    """Print whether a clean run was silent: no alert, and nothing that is worth one."""
    alert = webhook.wait_for(lambda _: True, 2.0)
    periods = _periods(get, run_id)
    worse = [period for period in periods if period["severity"] != "info"]
    health = get(f"/runs/{run_id}/health")["data"]["verdict"]
    is_silent = alert is None and not worse and health == "healthy"
    print("\nWhat the detectors found (from REST):\n")
    if is_silent:
        print("  nothing        no fault was injected, and nobody was alerted")
    else:
        print("  NOT SILENT     no fault was injected, and yet:")
    _list(periods)
    print(f"  health         {health}")
    return is_silent


def _periods(get: Get, run_id: str) -> list[dict[str, Any]]:
    """Oldest first."""
    found: list[dict[str, Any]] = get("/anomalies/periods", run=run_id, limit=100)["data"]
    return found[::-1]


def _list(periods: Sequence[dict[str, Any]]) -> None:
    for period in periods:
        steps = f"steps {period['first_step']} to {period['last_step']}"
        about = f"{period['metric']} by {period['detector']}"
        print(f"  {period['severity']:14} {about}, {steps}, {period['flag_count']} flags")


def _show_band(get: Get, run_id: str, period: dict[str, Any]) -> None:
    """The curve around the first flag, with what was expected of it."""
    first = period["first_step"]
    rows = get(
        f"/runs/{run_id}/series/{period['metric']}/band",
        event=EVENT,
        detector=period["detector"],
        from_step=first - BAND_BEFORE,
        to_step=first + BAND_AFTER,
    )["data"]
    print(
        f"\n  band of {period['metric']} ({period['detector']}; above 1 the score is an anomaly's)\n"
    )
    print(
        f"    {'step':>8} {'value':>10} {'expected':>10} {'lower':>10} {'upper':>10} {'score':>8}"
    )
    for row in rows:
        names = ("value", "expected", "lower", "upper")
        numbers = " ".join(f"{_number(row[name]):>10}" for name in names)
        mark = "  ◀" if isinstance(row["score"], float) and row["score"] > 1 else ""
        print(f"    {row['step']:>8} {numbers} {_number(row['score']):>8}{mark}")


def _number(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"
