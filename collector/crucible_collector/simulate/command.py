"""`crucible-collector sampling simulate`: what settings would do, in a table or as JSON.

It reads the database of a collector and changes nothing, while that runs or, where the database is not
the collector's own, does not. Of `--config` it takes [sampling] and where the database is.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

from crucible_collector import decode
from crucible_collector.errors import SettingsError
from crucible_collector.reach import dsn_of, time_of
from crucible_collector.sample.rules import Rules
from crucible_collector.settings import Settings
from crucible_collector.simulate.simulation import simulate
from crucible_collector.simulate.told import lines

EXIT_DONE = 0
PERIOD = dt.timedelta(hours=1)


def report(
    settings: Settings,
    start: str | None,
    end: str | None,
    experiment: str | None = None,
    *,
    as_json: bool,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> int:
    """Simulate and print. SettingsError for what is asked, DatabaseError for where it is asked."""
    if settings.sampling is None:
        raise SettingsError(
            "sampling: there is nothing to try; give --config with [sampling] in it, or --sampling"
        )
    rules = Rules.parse(settings.sampling)
    until = time_of("to", end) or now()
    since = time_of("from", start) or until - PERIOD
    if since >= until:
        raise SettingsError(f"from = {since:%Y-%m-%dT%H:%M:%SZ}: expected a time before --to")
    if settings.kernel_cache_dir is not None:
        decode.cache_directory(settings.kernel_cache_dir)
    outcome = simulate(dsn_of(settings), rules, since, until, experiment)
    if as_json:
        print(json.dumps(outcome.as_json()))
    else:
        print("\n".join(lines(outcome)))
    return EXIT_DONE
