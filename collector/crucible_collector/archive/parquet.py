"""A file of an archive: rows as Parquet, what the manifest says of them, and their reading back.

Columns are as stored: ids of 16 bytes, hashes and counts as integers, times in microseconds with what is
beyond them beside (`time_ns_rest`), jsonb as its text, with its decimal points. `content_sha256` is that of
the rows as PostgreSQL takes them in a binary COPY, one after the other: what counts is what can be brought
back, not how it is packed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crucible_collector.errors import ArchiveError
from crucible_collector.store.copy import encode

COMPRESSION, LEVEL = "zstd", 3
ROW_GROUP_ROWS = 50_000
ROWS_AT_ONCE = 8192
# Before and behind the rows of a binary COPY.
_HEADER_BYTES, _TRAILER_BYTES = 19, 2

Columns = Sequence[tuple[str, str]]  # names and PostgreSQL's types


class Reads(Protocol):
    """Where a file is read from."""

    def read(self, name: str) -> bytes:
        """All of a file; FileNotFoundError, ArchiveError."""
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """The bytes of a file and what the manifest says of it."""

    data: memoryview
    entry: dict[str, Any]


def make(path: str, relation: str, columns: Columns, batches: Sequence[pa.RecordBatch]) -> Made:
    """Make a file of the rows."""
    table = pa.Table.from_batches(batches)
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        compression=COMPRESSION,
        compression_level=LEVEL,
        row_group_size=ROW_GROUP_ROWS,
        write_page_checksum=True,
    )
    data = out.getbuffer()
    entry = {
        "path": path,
        "relation": relation,
        "row_count": table.num_rows,
        "byte_count": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "content_sha256": content_sha256(columns, batches),
        "columns": [{"name": name, "type": of_type} for name, of_type in columns],
        **_times(table),
        "sampling": _sampling(table),
    }
    return Made(data, entry)


def read_back(source: Reads, entry: dict[str, Any]) -> list[pa.RecordBatch]:
    """The rows of a file, whole and as they were written; ArchiveError where they are not."""
    path = entry["path"]
    try:
        data = source.read(path)
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            data = source.read(path)  # what was garbled on its way is whole the next time
    except FileNotFoundError as error:
        raise ArchiveError(str(error)) from None
    if len(data) != entry["byte_count"]:
        raise ArchiveError(
            f"{path} has {len(data)} bytes, and had {entry['byte_count']} when it was written"
        )
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ArchiveError(f"{path} has another SHA-256 than when it was written")
    return _rows(data, entry)


def columns_of(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and PostgreSQL's types of a file's columns."""
    return [(each["name"], each["type"]) for each in entry["columns"]]


def content_sha256(columns: Columns, batches: Sequence[pa.RecordBatch]) -> str:
    """SHA-256 of the rows' bytes in a binary COPY, however they are cut into batches."""
    jsonb = frozenset(name for name, of_type in columns if of_type == "jsonb")
    found = hashlib.sha256()
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            stream = memoryview(encode(batch.slice(start, ROWS_AT_ONCE), jsonb))
            found.update(stream[_HEADER_BYTES : len(stream) - _TRAILER_BYTES])
    return found.hexdigest()


def _rows(data: bytes, entry: dict[str, Any]) -> list[pa.RecordBatch]:
    path = entry["path"]
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        count = file.metadata.num_rows
        names = file.schema_arrow.names
        batches = list(file.iter_batches(ROWS_AT_ONCE))
    except (pa.ArrowException, OSError) as error:
        raise ArchiveError(f"{path} cannot be read as Parquet: {error}") from None
    if count != entry["row_count"]:
        raise ArchiveError(f"{path} has {count} rows, and had {entry['row_count']}")
    if names != [name for name, _ in columns_of(entry)]:
        raise ArchiveError(f"{path} has other columns than the manifest says")
    if content_sha256(columns_of(entry), batches) != entry["content_sha256"]:
        raise ArchiveError(f"{path} reads back other values than were written")
    return batches


def unique(batches: Sequence[pa.RecordBatch], name: str) -> Iterator[Any]:
    """Each value of a column once, nulls left out; nothing where there is no such column."""
    for batch in batches:
        if name in batch.schema.names:
            yield from pc.drop_null(pc.unique(batch.column(name))).to_pylist()


def _times(table: pa.Table) -> dict[str, str | None]:
    found: dict[str, str | None] = {"first_time": None, "last_time": None}
    if "time" in table.column_names and table.num_rows:
        least = pc.min_max(table["time"]).as_py()
        found = {"first_time": least["min"].isoformat(), "last_time": least["max"].isoformat()}
    return found


def _sampling(table: pa.Table) -> dict[str, Any] | None:
    """What is known of rows that stand for others; None where rows are never sampled."""
    if "sample_probability" not in table.column_names or not table.num_rows:
        return None
    probability = table["sample_probability"]
    bounds = pc.min_max(probability).as_py()
    return {
        "sampled_row_count": pc.sum(pc.less(probability, 1.0)).as_py() or 0,
        "probability_min": bounds["min"],
        "probability_max": bounds["max"],
        "weight_sum": pc.sum(pc.divide(1.0, probability)).as_py(),
    }
