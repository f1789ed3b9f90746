"""Metrics that others own: they are there while their owners are, and absent otherwise."""

from __future__ import annotations

from prometheus_client import generate_latest

from crucible_collector.batch import Signal
from crucible_collector.errors import DatabaseAwayError
from crucible_collector.pipeline.in_force import InForce
from crucible_collector.pipeline.sampling import SamplingInForce
from crucible_collector.sample.rules import Rules
from crucible_collector.sample.rulings import RuleUse
from crucible_collector.sample.strategy import Use
from crucible_collector.scrape import LedgerMetrics, SamplingMetrics


class Ledger:
    """What the API reads, of one line; a test takes it away."""

    is_away = False

    def json_rows(self, question: str, /, **_parameters: object) -> list[str]:
        assert question == "ledger_totals"
        if self.is_away:
            raise DatabaseAwayError("away")
        return ['{"signal": "spans", "outcome": "sampled", "reason": "thin", "count": 90}']


def lines(metrics: LedgerMetrics | SamplingMetrics) -> list[str]:
    text = generate_latest(metrics).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_the_ledger_is_absent_while_the_database_is_away() -> None:
    reads = Ledger()
    [line] = lines(LedgerMetrics(reads))
    assert line == (
        'crucible_ledger_records_total{outcome="sampled",reason="thin",signal="spans"} 90.0'
    )
    reads.is_away = True
    assert lines(LedgerMetrics(reads)) == []


def test_before_anything_was_sampled_only_the_version_is_told() -> None:
    assert lines(SamplingMetrics(SamplingInForce())) == [
        "crucible_sampling_version 0.0",
        "crucible_sampling_forgotten_traces_total 0.0",
    ]


def test_each_rule_tells_how_it_does_and_of_budgets_only_where_it_has_one() -> None:
    sampling = SamplingInForce()
    sampling.now = InForce(7, Rules.parse({}))
    sampling.use = (
        RuleUse("afford", Signal.TRACES, Use(200.0, 180.0, 12, 1), 1000, 20, 50.0),
        RuleUse("thin", Signal.LOGS, Use(), 10, 5, 2.0),
    )
    told = set(lines(SamplingMetrics(sampling)))
    afford, thin = '{rule="afford",signal="spans"}', '{rule="thin",signal="log_records"}'
    assert told == {
        "crucible_sampling_version 7.0",
        "crucible_sampling_forgotten_traces_total 0.0",
        f"crucible_sampling_seen_records_total{afford} 1000.0",
        f"crucible_sampling_seen_records_total{thin} 10.0",
        f"crucible_sampling_kept_records_total{afford} 20.0",
        f"crucible_sampling_kept_records_total{thin} 5.0",
        f"crucible_sampling_evicted_strata_total{afford} 1.0",
        f"crucible_sampling_evicted_strata_total{thin} 0.0",
        f"crucible_sampling_weight_mean{afford} 50.0",
        f"crucible_sampling_weight_mean{thin} 2.0",
        f"crucible_sampling_budget_per_s{afford} 200.0",
        f"crucible_sampling_spent_per_s{afford} 180.0",
        f"crucible_sampling_strata{afford} 12.0",
        f"crucible_sampling_strata{thin} 0.0",
    }
