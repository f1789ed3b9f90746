"""`crucible-collector prices`: which price a model has, and costs computed anew, without a collector that runs."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from typing import Any

from crucible_collector.cost.price_list import data_version
from crucible_collector.cost.price_table import PriceTable
from crucible_collector.cost.pricing import CallNames, Pricing, Source
from crucible_collector.errors import DatabaseAwayError, SettingsError
from crucible_collector.reach import dsn_of, time_of
from crucible_collector.reprice.asked import Asked
from crucible_collector.reprice.recompute import recompute
from crucible_collector.settings import Settings
from crucible_collector.store.repricing import prices_in_force

EXIT_UNPRICED = 1


def table_of(settings: Settings) -> PriceTable:
    """The prices that settings tell, else those in force in the database, else none.

    SettingsError; a database that cannot be reached has none to tell.
    """
    if settings.prices is not None:
        return PriceTable.parse(settings.prices)
    try:
        return PriceTable.parse(prices_in_force(dsn_of(settings)))
    except DatabaseAwayError:
        return PriceTable.parse({})


def check(settings: Settings, models: Sequence[str], provider: str | None, day: str | None) -> int:
    """Print which price calls of models have on a day; 1 where one has none."""
    try:
        on = dt.datetime.now(dt.UTC).date() if day is None else dt.date.fromisoformat(day)
    except ValueError as error:
        raise SettingsError(f"day = {day!r} (command line): {error}") from None
    pricing = Pricing(table_of(settings))
    at = dt.datetime.combine(on, dt.time(12), dt.UTC)
    found = [pricing.source(CallNames(provider, (model,)), at) for model in models]
    print(f"US dollars a million tokens on {on}, by {data_version()}")
    for model, source in zip(models, found, strict=True):
        print(f"{model}: {'no price' if source is None else _said(source)}")
    return EXIT_UNPRICED if None in found else 0


def _said(source: Source) -> str:
    origin = f"your price {source.table_entry}"
    if not source.table_entry:
        origin = f"{source.provider}/{source.model}"
    parts = []
    for start, price in ((0, source.rate.base), *source.rate.steps):
        said = (
            f"input {price.input_usd:g}, cache read {price.cache_read_usd:g}, cache write"
            f" {price.cache_write_usd:g}, output {price.output_usd:g}, reasoning {price.reasoning_usd:g}"
        )
        if price.request_usd:
            said += f", and {price.request_usd:g} a call"
        parts.append(f"prompts over {start:,} tokens: {said}" if start else said)
    return f"{'; '.join(parts)} ({origin})"


def recompute_costs(
    settings: Settings,
    start: str | None,
    end: str | None,
    experiment: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Compute costs anew and print what was changed."""
    asked = Asked.of(time_of("from", start), time_of("to", end), experiment, dry_run=dry_run)
    dsn = dsn_of(settings)
    shows = sys.stderr.isatty()

    def told(share: float, report: dict[str, Any]) -> None:
        if shows:
            changed = report["changed_count"]
            print(f"\r{share:4.0%}  {changed:,} changed", end="", file=sys.stderr, flush=True)

    report = recompute(dsn, Pricing(table_of(settings)), asked, told)
    if shows:
        print(file=sys.stderr)
    print(json.dumps(report) if as_json else _reported(report, dry_run=dry_run))
    return 0


def _reported(report: dict[str, Any], *, dry_run: bool) -> str:
    verb = "would change" if dry_run else "changed"
    calls = f"{report['call_count']:,} calls whose cost nobody told"
    return (
        f"{calls}, {report['unpriced_count']:,} without a price\n"
        f"{verb} {report['changed_count']:,}: from {report['before_usd']:.6f} to"
        f" {report['after_usd']:.6f} USD as stored,"
        f" {report['weighted_difference_usd']:+.6f} USD with what was sampled away"
    )
