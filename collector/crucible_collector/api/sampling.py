"""What answers about sampling look like: rules in force, how they do, what they kept.

`models` says how they are written.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from crucible_collector.api.models import Model, Time

_SHARE = "kept_count / seen_count; null where nothing was seen."
_WEIGHT = "How many records one that was kept stands for, on average; null where nothing was kept."
_PROBABILITY = "Smallest inclusion probability of anything that was seen, kept or not."

Signal = Literal["spans", "log_records"]


class SamplingVersion(Model):
    """Rules that are, or were, in force for every collector of the database."""

    version: int = Field(description="Rises with every change.")
    origin: Literal["file", "api"] = Field(
        description="file: the settings of a collector; api: `PUT /sampling`."
    )
    changed_at: Time
    changed_by: str = Field(
        description="Who, as they said; of a file the collector's host and data directory."
    )
    reason: str
    settings: dict[str, Any] = Field(
        description="As `PUT /sampling` takes them, with every default.",
        examples=[{"decision_wait_s": 10.0, "rules": []}],
    )


class SamplingRuleUse(Model):
    """How a rule is doing, for one signal; each signal has its own budget and strata."""

    rule: str = Field(examples=["inferences"])
    signal: Signal
    strategy: str | None = Field(description="Null where the rule is gone by now.")
    seen_count: int = Field(description="Records that it was about, since the collector started.")
    kept_count: int
    kept_share: float | None = Field(description=_SHARE)
    weight_mean: float | None = Field(description=_WEIGHT)
    budget_per_s: float | None = Field(description="Rows a second; null: it has no budget.")
    spent_per_s: float | None = Field(description="Rows a second that it was about to keep lately.")
    stratum_count: int = Field(description="Strata that it tells apart now.")
    evicted_count: int = Field(description="Strata that it forgot to stay within bounds.")


class CollectorSampling(Model):
    """This collector's part; what all of them kept is in `/sampling/ledger`."""

    version: int = Field(
        description="By which it works: a change arrives within seconds. 0: none yet, all is kept."
    )
    forgotten_trace_count: int = Field(
        description="Traces that were forgotten to stay within bounds. What comes later of one that was kept "
        "is decided anew, with its own probability; one that was notable is no more so for what waits."
    )
    rules: list[SamplingRuleUse] = Field(description="Those that have seen anything.")


class Sampling(Model):
    """The rules in force, and how they are doing here."""

    version: int = Field(description="0: nobody made any, and everything is kept.")
    origin: Literal["file", "api"] | None
    changed_at: Time | None
    changed_by: str
    reason: str
    settings: dict[str, Any] = Field(examples=[{"decision_wait_s": 10.0, "rules": []}])
    collector: CollectorSampling | None = Field(
        description="Null where this process stores nothing itself."
    )


class SamplingCount(Model):
    """Exact counts of what a rule saw and kept, over all collectors, by minute of receipt."""

    time: Time | None = Field(
        description="Start of the minute, hour or day (UTC); null: all of the period in one row."
    )
    rule: str = Field(description="The name of the rule that the records came to.")
    signal: Signal
    stratum: str = Field(
        description="By which the rule tells records apart; empty: it does not. Beyond the first hundred: other."
    )
    seen_count: int
    kept_count: int
    kept_share: float | None = Field(description=_SHARE)
    weight_sum: float = Field(description="Sum of 1/p of what was kept: an estimate of seen_count.")
    weight_mean: float | None = Field(description=_WEIGHT)
    probability_min: float = Field(description=_PROBABILITY)
    error_seen_count: int = Field(description="Of seen_count, with status error.")
    error_kept_count: int
    error_probability_min: float = Field(description="The same of records with an error.")
