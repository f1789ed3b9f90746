"""`crucible-collector doctor`: what is wrong with a collector, its database and its disk, and what to do.

It is told of them by the same settings as the collector, and changes nothing but for one trace that it
sends through (see `canary`).
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from crucible_collector.canary import check_collector
from crucible_collector.findings import Finding
from crucible_collector.settings import Settings
from crucible_collector.store.database import EMBEDDED_DIRECTORY
from crucible_collector.store.embedded import running_dsn
from crucible_collector.store.examine import examine

EXIT_WELL, EXIT_WRONG = 0, 1
FREE_BYTES_MIN = 256 * 1024 * 1024
MIB = 1024 * 1024


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


def disk(settings: Settings) -> Finding:
    """Whether the journal can grow to its limit where it lies."""
    directory = settings.data_dir
    if not directory.is_dir():
        says = f"{directory} is not here: the collector may run elsewhere"
        return Finding(
            "disk", "skipped", says, "run this beside the collector, with its --data-dir"
        )
    free = shutil.disk_usage(directory).free
    used = sum(_bytes_of(path) for path in (directory / "journal").glob("*"))
    facts = {"free_bytes": free, "journal_disk_bytes": used}
    says = f"{free / MIB:,.0f} MiB free where the journal lies, which takes {used / MIB:,.0f}"
    if free < FREE_BYTES_MIN:
        return Finding("disk", "wrong", says, "make room: a full disk turns clients away", facts)
    if free + used < settings.journal_bytes_max:
        limit = f"{settings.journal_bytes_max / MIB:,.0f} MiB"
        says += f" and may grow to {limit}"
        remedy = "make room, or lower --journal-bytes-max: it is what outlasts an outage"
        return Finding("disk", "warning", says, remedy, facts)
    return Finding("disk", "ok", says, facts=facts)


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a segment that went meanwhile
        return 0


def _line(finding: Finding) -> str:
    line = f"{finding.level:8} {finding.check:11} {finding.says}"
    return f"{line}\n{'':20} → {finding.remedy}" if finding.remedy else line
