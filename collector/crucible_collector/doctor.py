"""`crucible-collector doctor`: what is wrong with a collector, its database and its disk, and what to do.

It is told of them by the same settings as the collector, and changes nothing but for one trace that it
sends through (see `canary`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from crucible_collector.canary import check_collector
from crucible_collector.checkup import disk
from crucible_collector.findings import Finding
from crucible_collector.settings import Settings
from crucible_collector.store.database import EMBEDDED_DIRECTORY
from crucible_collector.store.embedded import running_dsn
from crucible_collector.store.examine import examine

EXIT_WELL, EXIT_WRONG = 0, 1


def report(settings: Settings, *, as_json: bool, sends: bool) -> int:
    """Print what is found, as it is found; 1 where anything is wrong."""
    found = []
    for finding in diagnose(settings, sends=sends):
        found.append(finding)
        if not as_json:
            print(_line(finding), flush=True)
    counts = Counter(finding.level for finding in found)
    if as_json:
        print(json.dumps({"well": not counts["wrong"], "findings": [asdict(one) for one in found]}))
    else:
        print(f"{counts['wrong']} wrong, {counts['warning']} to look at, {counts['ok']} well")
    return EXIT_WRONG if counts["wrong"] else EXIT_WELL


def diagnose(settings: Settings, *, sends: bool) -> Iterator[Finding]:
    """Yield what is found: the database, the disk, then the running collector."""
    dsn = settings.database_url or running_dsn(settings.data_dir / EMBEDDED_DIRECTORY)
    if dsn is None:
        says = f"the embedded database of {settings.data_dir} does not run"
        remedy = "start the collector, or give the --data-dir or --database-url that it has"
        yield Finding("connection", "wrong", says, remedy)
    else:
        yield from examine(dsn, past=dt.timedelta(days=settings.past_days))
    yield disk(settings)
    yield from check_collector(settings, sends=sends)


def _line(finding: Finding) -> str:
    line = f"{finding.level:8} {finding.check:11} {finding.says}"
    return f"{line}\n{'':20} → {finding.remedy}" if finding.remedy else line
