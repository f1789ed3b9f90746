"""The formats: what takes batches and writes a file.

Parquet is written in row groups of 65,536 rows or some 12 MB of columns, with statistics and zstd of level 1, and
holds no more than one of these. CSV is that of RFC 4180 with line feeds alone: texts are quoted, null is
nothing, an empty text "". Cells that a spreadsheet would take for a formula are left as they are: what is
read back has to be what was stored.
"""

from __future__ import annotations

from io import RawIOBase
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from crucible_collector.api.exports import ExportFormat
from crucible_collector.export.json_lines import lines

ROW_GROUP_ROWS = 65_536
ROW_GROUP_BYTES = 12 * 1024 * 1024
PAGE_BYTES = (
    256 * 1024
)  # of data or of a dictionary; each column has one of either while it is written
ZSTD_LEVEL = 1

SUFFIXES: dict[ExportFormat, str] = {
    "csv": "csv",
    "jsonl": "jsonl",
    "parquet": "parquet",
    "arrow": "arrow",
}
TEXT_FORMATS: frozenset[ExportFormat] = frozenset({"csv", "jsonl"})


class Writer(Protocol):
    """Writes batches of one schema to a file that is its caller's to close."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        ...

    def finish(self) -> None:
        """Write what the format has at its end; nothing may be added then."""
        ...


def writer(
    form: ExportFormat,
    file: IO[bytes] | RawIOBase,
    schema: pa.Schema,
    json_columns: frozenset[str],
    *,
    is_stream: bool = False,
) -> Writer:
    """The writer of a format. `is_stream`: Arrow for readers that cannot go back in it."""
    if form == "parquet":
        return ParquetWriter(file, schema)
    if form == "jsonl":
        return _JsonLines(file, json_columns)
    if form == "csv":
        return _Finished(pa_csv.CSVWriter(file, schema))
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    kind = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    return _Finished(kind(file, schema, options=options))


class ParquetWriter:
    """Gathers rows for row groups; `waiting_bytes` is what it holds of them."""

    def __init__(self, file: IO[bytes] | RawIOBase, schema: pa.Schema) -> None:
        self._file = pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            version="2.6",
            data_page_size=PAGE_BYTES,
            dictionary_pagesize_limit=PAGE_BYTES,
        )
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self.waiting_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self.waiting_bytes += batch.nbytes
        if self._waiting_rows >= ROW_GROUP_ROWS or self.waiting_bytes >= ROW_GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits as a row group."""
        if self._waiting:
            table = pa.Table.from_batches(self._waiting)
            self._waiting, self._waiting_rows, self.waiting_bytes = [], 0, 0
            self._file.write_table(table, row_group_size=table.num_rows)

    def finish(self) -> None:
        self.flush()
        self._file.close()


class _Finished:
    """A writer of pyarrow's, whose end is called close."""

    def __init__(self, wrapped: pa_csv.CSVWriter | pa.ipc.RecordBatchStreamWriter) -> None:
        self._wrapped = wrapped

    def write(self, batch: pa.RecordBatch) -> None:
        self._wrapped.write_batch(batch)

    def finish(self) -> None:
        self._wrapped.close()


class _JsonLines:
    def __init__(self, file: IO[bytes] | RawIOBase, json_columns: frozenset[str]) -> None:
        self._file = file
        self._json_columns = json_columns

    def write(self, batch: pa.RecordBatch) -> None:
        self._file.write(lines(batch, self._json_columns))

    def finish(self) -> None:
        """Lines end each for itself."""
