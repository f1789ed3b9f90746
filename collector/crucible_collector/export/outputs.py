"""Where an export goes: one file, or Parquet in directories by experiment and day.

Directories are named as Hive, Spark, DuckDB and polars have it: experiment_id=…/day=…, with special characters
as %XX and what has no experiment under __HIVE_DEFAULT_PARTITION__; the column is then in the path alone. So
many files may be open at a time, and so many bytes wait in them together; what comes later for one that was
closed makes another file beside it.
"""

from __future__ import annotations

import datetime as dt
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from crucible_collector.api.exports import ExportFormat
from crucible_collector.errors import SettingsError
from crucible_collector.export.shown import Shown
from crucible_collector.export.writers import ParquetWriter, writer

OPEN_MAX = 64
WAITING_BYTES_MAX = 16 * 1024 * 1024
NO_EXPERIMENT = "__HIVE_DEFAULT_PARTITION__"
_NAME_BYTES_MAX = 255  # of a directory, on common file systems
_DAY_US = 86_400_000_000


@dataclass(slots=True)
class WrittenFile:
    name: str  # relative to the export's directory, with slashes
    row_count: int = 0
    byte_count: int = 0


class Output(Protocol):
    """Takes the rows of an export."""

    files: list[WrittenFile]

    def write(self, batch: pa.RecordBatch, raw: pa.RecordBatch) -> None:
        """Add rows as they are shown; `raw` are the same as they came."""
        ...

    @property
    def byte_count(self) -> int:
        """Written so far."""
        ...

    def close(self) -> None:
        """Finish all files."""
        ...


class OneFile:
    """All rows in one file, which is its caller's to close."""

    def __init__(
        self, file: IO[bytes], form: ExportFormat, shown: Shown, name: str, *, is_stream: bool
    ) -> None:
        self._file = _Counted(file)
        self._writer = writer(
            form, self._file, shown.schema, shown.json_columns, is_stream=is_stream
        )
        self.files = [WrittenFile(name)]

    def write(self, batch: pa.RecordBatch, raw: pa.RecordBatch) -> None:
        del raw
        self._writer.write(batch)
        self.files[0].row_count += batch.num_rows

    @property
    def byte_count(self) -> int:
        return self._file.byte_count

    def close(self) -> None:
        self._writer.finish()
        self.files[0].byte_count = self.byte_count


class _Counted(io.RawIOBase):
    """Counts what is written to a file."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self.byte_count = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if (
            not self._file.closed
        ):  # the writer of an export that was given up ends whenever it is collected
            self._file.write(data)
        self.byte_count += size
        return size

    def tell(self) -> int:
        return self.byte_count

    def flush(self) -> None:
        self._file.flush()

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """The file is somebody else's."""


@dataclass(slots=True)
class _Part:
    file: IO[bytes]
    writer: ParquetWriter
    written: WrittenFile


@dataclass(slots=True)
class Partitions:
    """Parquet by experiment and day, under `directory`; `day_of` is the column that the day is of."""

    directory: Path
    shown: Shown
    day_of: str
    files: list[WrittenFile] = field(default_factory=list)
    _open: dict[str, _Part] = field(default_factory=dict)  # the one written to last is the last
    _numbers: Counter[str] = field(default_factory=Counter)

    def write(self, batch: pa.RecordBatch, raw: pa.RecordBatch) -> None:
        inner = batch.select([name for name in batch.schema.names if name != "experiment_id"])
        for place, rows in _parts(raw, self.day_of):
            part = self._part(place, inner.schema)
            part.writer.write(inner if rows is None else inner.take(rows))
            part.written.row_count += inner.num_rows if rows is None else len(rows)
        self._bound()

    @property
    def byte_count(self) -> int:
        open_bytes = sum(part.file.tell() for part in self._open.values())
        return open_bytes + sum(each.byte_count for each in self.files)

    def close(self) -> None:
        while self._open:
            self._close(next(iter(self._open)))

    def _part(self, place: str, schema: pa.Schema) -> _Part:
        part = self._open.pop(place, None)
        if part is None:
            if len(self._open) >= OPEN_MAX:
                self._close(next(iter(self._open)))
            name = f"{place}/part-{self._numbers[place]}.parquet"
            self._numbers[place] += 1
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("wb")
            part = _Part(file, ParquetWriter(file, schema), WrittenFile(name))
            self.files.append(part.written)
        self._open[place] = part
        return part

    def _bound(self) -> None:
        waiting = sum(part.writer.waiting_bytes for part in self._open.values())
        while waiting > WAITING_BYTES_MAX:
            most = max(self._open.values(), key=lambda part: part.writer.waiting_bytes)
            waiting -= most.writer.waiting_bytes
            most.writer.flush()

    def _close(self, place: str) -> None:
        part = self._open.pop(place)
        with part.file:
            part.writer.finish()
            part.file.flush()
            part.written.byte_count = part.file.tell()


def _parts(raw: pa.RecordBatch, day_of: str) -> Iterator[tuple[str, pa.Array | None]]:
    """The directories of a batch's rows, and which rows go to each; None: all."""
    experiments = raw.column("experiment_id").dictionary_encode()
    # By their buffers, which begin with the batch: to_numpy would have pyarrow load pandas where there is one.
    codes = np.frombuffer(experiments.indices.buffers()[1], np.int32)[: raw.num_rows].astype(
        np.int64
    )
    if experiments.null_count:
        bits = np.frombuffer(experiments.indices.buffers()[0], np.uint8)
        is_there = np.unpackbits(bits, count=raw.num_rows, bitorder="little")
        codes = np.where(is_there, codes, len(experiments.dictionary))
    days = np.frombuffer(raw.column(day_of).buffers()[1], np.int64)[: raw.num_rows] // _DAY_US
    names = [*experiments.dictionary.to_pylist(), None]
    keys, places = np.unique(np.stack([codes, days]), axis=1, return_inverse=True)
    for number, (code, day) in enumerate(keys.T):
        rows = None
        if keys.shape[1] > 1:
            found = np.flatnonzero(places.ravel() == number)
            rows = pa.Array.from_buffers(pa.int64(), len(found), [None, pa.py_buffer(found)])
        yield _directory(names[code], int(day)), rows


def _directory(experiment: str | None, day: int) -> str:
    value = NO_EXPERIMENT if experiment is None else quote(experiment, safe=" ")
    named = f"experiment_id={value}"
    if len(named) > _NAME_BYTES_MAX:
        raise SettingsError(
            f"partition: the experiment id {experiment!r} is too long for a directory's name"
        )
    return f"{named}/day={dt.date(1970, 1, 1) + dt.timedelta(days=day)}"
