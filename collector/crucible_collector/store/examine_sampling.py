"""What the doctor says of sampling: what is in force, and whether a budget is too small for its purpose."""

from __future__ import annotations

from collections.abc import Iterator

from crucible_collector.errors import SettingsError
from crucible_collector.findings import Finding
from crucible_collector.sample.rules import ImportanceRule, Rules
from crucible_collector.store.sampling import in_force
from crucible_collector.store.versions import Connection

LATELY = """
-- What did each sampling rule see and keep within the last hour? The primary key, from its end.
select rule, sum(seen_count)::float8, sum(kept_count)::float8, min(error_probability_min)
from crucible.sampling_ledger
where time > now() - interval '1 hour'
group by rule
order by rule
"""


def sampling(conn: Connection) -> Iterator[Finding]:
    """Yield what is in force, and each rule that had to thin even errors."""
    newest = in_force(conn)
    if newest is None:
        yield Finding("sampling", "ok", "nobody ever had anything sampled: everything is kept")
        return
    try:
        rules = Rules.parse(newest.settings)
    except SettingsError as error:
        says = (
            f"version {newest.version} is not understood by this version of the collector: {error}"
        )
        remedy = "update the collectors, or put other rules with PUT /api/v1/sampling"
        yield Finding("sampling", "wrong", says, remedy)
        return
    lately = {
        rule: (seen, kept, error_min)
        for rule, seen, kept, error_min in conn.execute(LATELY).fetchall()
    }
    facts = {"version": newest.version, "origin": newest.origin, "rules": len(rules.rules)}
    told = [f"{rule} kept {kept:,.0f} of {seen:,.0f}" for rule, (seen, kept, _) in lately.items()]
    within = f"; within the last hour {', '.join(told)}" if told else ""
    says = f"version {newest.version} is in force with {len(rules.rules)} rules{within}"
    yield Finding("sampling", "ok", says, facts=facts)
    for rule in rules.rules:
        _, _, error_min = lately.get(rule.name, (0.0, 0.0, 1.0))
        # Who has a rate for errors, or leaves them to chance, was told so.
        if isinstance(rule, ImportanceRule) and rule.weights.error > 0 and error_min < 1:
            says = f"{rule.name} had to thin errors, too, down to {error_min:.2g} of them"
            remedy = "raise its budget_per_s, or thin what is no error by rules before it"
            yield Finding("sampling", "warning", says, remedy, {"rule": rule.name})
