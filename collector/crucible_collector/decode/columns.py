"""The two passes put together: requests in a buffer become one array of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import (
    F64,
    I32,
    I64,
    SLOT_KEYS,
    U8,
    Attributes,
    Resources,
    Scopes,
    TextRef,
)
from crucible_collector.decode.fill import AttributeArrays, fill
from crucible_collector.decode.plan import Counter, Layout
from crucible_collector.decode.survey import new_stack, survey
from crucible_collector.errors import MalformedError
from crucible_collector.kernels import read_only, writable


def survey_requests(
    layout: Layout, buffer: U8, offset: I64, length: I64, *, deep: bool
) -> tuple[int, int, I64]:
    """Return (code or 0, index of the request with it, rows by `Counter`)."""
    counts = np.zeros(len(Counter), dtype=np.int64)
    if layout.row_each:
        counts[Counter.RECORD] = len(offset)
    code, request = survey(buffer, offset, length, layout.plan, deep, counts, new_stack())
    return code, request, counts


@dataclass(slots=True)
class Cells:
    """The filled arrays, and how to take a column out of them."""

    layout: Layout
    buffer: U8
    base: I64
    cells: I64
    trace_id: U8
    slots: I32
    resource_slots: I32
    attributes: Attributes

    def cell(self, name: str) -> I64:
        index = self._index(name)
        return self.cells[self.base[index] : self.base[index + 1]]

    def int32(self, name: str) -> I32:
        return self.cell(name).astype(np.int32)

    def float64(self, name: str) -> F64:
        return self.cell(name).view(np.float64)

    def text(self, name: str) -> TextRef:
        index = self._index(name)
        first, second, third = self.base[index : index + 3]
        return TextRef(self.cells[first:second], self.cells[second:third].astype(np.int32))

    def _index(self, name: str) -> int:
        return self.layout.column_index[name]

    def common(self) -> dict[str, Any]:
        """Return the fields of `batch.Records`."""
        return {
            "buffer": self.buffer,
            "request": self.int32("request"),
            "index": self.int32("index"),
            "size": self.int32("size"),
            "scope": self.int32("scope"),
            "attribute_start": self.cell("attribute_start"),
            "slots": self.slots,
            "attributes": self.attributes,
            "resources": Resources(
                request=self.int32("resource_request"),
                attribute_start=self.cell("resource_attribute_start"),
                slots=self.resource_slots,
                schema_url=self.text("resource_schema_url"),
                dropped_attributes_count=self.cell("resource_dropped_attributes_count"),
            ),
            "scopes": Scopes(
                resource=self.int32("scope_resource"),
                name=self.text("scope_name"),
                version=self.text("scope_version"),
                attribute_start=self.cell("scope_attribute_start"),
                schema_url=self.text("scope_schema_url"),
                dropped_attributes_count=self.cell("scope_dropped_attributes_count"),
            ),
        }

    def cells_of(self, *names: str) -> dict[str, Any]:
        return {name: self.cell(name) for name in names}

    def texts_of(self, *names: str) -> dict[str, Any]:
        return {name: self.text(name) for name in names}


def decode(layout: Layout, buffer: npt.ArrayLike, offset: I64, length: I64) -> Cells:
    """Decode the messages of one layout that lie in a buffer."""
    buffer = read_only(buffer)
    offset, length = writable(offset, np.int64), writable(length, np.int64)
    code, request, counts = survey_requests(layout, buffer, offset, length, deep=False)
    if code != 0:
        raise MalformedError(f"request {request} of the window is not what the check let through")
    decoded = _allocate(layout, buffer, counts)
    cursor = _first_rows(counts)
    code = fill(
        buffer,
        offset,
        length,
        layout.row_each,
        layout.initial,
        (layout.plan, layout.opens, layout.opens_start, decoded.base),
        (decoded.cells, cursor, decoded.trace_id, decoded.slots, decoded.resource_slots),
        _arrays(decoded.attributes),
        new_stack(),
    )
    if code != 0:
        raise MalformedError("a request of the window is not what the check let through")
    return decoded


def _allocate(layout: Layout, buffer: U8, counts: I64) -> Cells:
    base = np.zeros(len(layout.rows) + 1, dtype=np.int64)
    np.cumsum(counts[layout.rows] + layout.extra, out=base[1:])
    records, resources = int(counts[Counter.RECORD]), int(counts[Counter.RESOURCE])
    rows = int(
        counts[Counter.RECORD_ATTRIBUTE]
        + counts[Counter.OTHER_ATTRIBUTE]
        + counts[Counter.RESOURCE_ATTRIBUTE]
    )
    return Cells(
        layout=layout,
        buffer=buffer,
        base=base,
        cells=np.empty(base[-1], dtype=np.int64),
        trace_id=np.zeros((records, 16), dtype=np.uint8),
        slots=np.full((records, len(SLOT_KEYS)), -1, dtype=np.int32),
        resource_slots=np.full((resources, len(SLOT_KEYS)), -1, dtype=np.int32),
        attributes=Attributes(
            key=TextRef(np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int32)),
            kind=np.empty(rows, dtype=np.uint8),
            number=np.empty(rows, dtype=np.int64),
            value=TextRef(np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int32)),
        ),
    )


def _arrays(attributes: Attributes) -> AttributeArrays:
    key, value = attributes.key, attributes.value
    return key.offset, key.length, attributes.kind, attributes.number, value.offset, value.length


def _first_rows(counts: I64) -> I64:
    """Return the cursors to begin with: scopes' attributes follow records', resources' both."""
    cursor = np.zeros(len(Counter), dtype=np.int64)
    cursor[Counter.OTHER_ATTRIBUTE] = counts[Counter.RECORD_ATTRIBUTE]
    cursor[Counter.RESOURCE_ATTRIBUTE] = (
        counts[Counter.RECORD_ATTRIBUTE] + counts[Counter.OTHER_ATTRIBUTE]
    )
    return cursor
