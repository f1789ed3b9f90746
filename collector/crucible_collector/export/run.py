"""One export from its request to its last byte; what it holds in memory does not grow with its rows.

A thread reads and decodes batches while this one writes them, so that the server, reading and writing share the
cores. All of it is as of one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crucible_collector.api.exports import ExportRequest, as_of_now
from crucible_collector.export.anonymise import Hiding
from crucible_collector.export.chosen import NS_REST, Chosen, chosen
from crucible_collector.export.kinds import parameters_of
from crucible_collector.export.outputs import Output
from crucible_collector.export.shown import Shown
from crucible_collector.export.writers import TEXT_FORMATS
from crucible_collector.jobs import Progress, Report
from crucible_collector.store.copy_ahead import copied_ahead
from crucible_collector.store.copy_out import copying
from crucible_collector.store.exported import row_estimate

# Rows of one day in order of time: what does not fit is sorted on the server's disk.
_SORTS_IN = {"work_mem": "64MB"}
FILES_TOLD_MAX = 1000

Opens = Callable[[Shown], Output]


def run(
    dsn: str,
    asked: ExportRequest,
    opens: Opens,
    progress: Progress,
) -> Report:
    """Write what is asked for to what `opens` gives; what there is to tell of it (api.exports.ExportReport).

    SettingsError where it cannot be asked for; DatabaseAwayError, DatabaseError; what `progress` and the output
    raise. Closes the output only where all went well.
    """
    parameters = parameters_of(asked)
    hiding = Hiding(asked.anonymise)
    with copying(dsn, _SORTS_IN) as connection:
        picked = chosen(connection, asked, parameters, hiding)
        as_of = as_of_now()
        estimate = row_estimate(connection, picked.statement, parameters)
        shown = Shown(
            picked.schema, _names(asked, picked), hiding, as_text=asked.format in TEXT_FORMATS
        )
        output, row_count = opens(shown), 0

        def told(share: float) -> Report:
            found = _report(picked, shown, output, asked, hiding)
            found |= {"row_count": row_count, "row_count_estimated": estimate, "as_of": as_of}
            progress(share, found)
            return found

        def share() -> float:
            return min(row_count / max(estimate, row_count, 1), 0.99)

        batches = copied_ahead(
            connection, picked.statement, parameters, picked.schema, lambda: told(share())
        )
        for raw in batches:
            output.write(shown.batch(raw), raw)
            row_count += raw.num_rows
            told(share())
        output.close()
        return _finished(told(1.0), output)


def _names(asked: ExportRequest, picked: Chosen) -> tuple[str, ...]:
    """Text has the nanoseconds within the time."""
    if asked.format in TEXT_FORMATS and asked.fields is None:
        return tuple(name for name in picked.shown if name != NS_REST)
    return picked.shown


def _report(
    picked: Chosen, shown: Shown, output: Output, asked: ExportRequest, hiding: Hiding
) -> dict[str, Any]:
    in_paths = {"experiment_id"} if asked.partition else set()
    key = "given" if hiding.has_key else "random"
    return {
        "byte_count": output.byte_count,
        "columns": [name for name in shown.schema.names if name not in in_paths],
        "columns_left_out_count": picked.left_out_count,
        "files": [],
        "file_count": len(output.files),
        "hash_key": key if hiding.hashes else None,
    }


def _finished(report: Report, output: Output) -> Report:
    files = [
        {"name": each.name, "byte_count": each.byte_count, "row_count": each.row_count}
        for each in output.files[:FILES_TOLD_MAX]
    ]
    total = sum(each.byte_count for each in output.files)
    told: Mapping[str, Any] = {**report, "files": files, "byte_count": total}
    return told
