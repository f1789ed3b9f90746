"""The texts that slots lead to, read in one pass over the rows."""

from __future__ import annotations

import numpy as np

from crucible_collector.batch import I32, I64, U8, AttributeKind, Attributes
from crucible_collector.kernels import kernel, writable

_STRING = int(AttributeKind.STRING)


def read_texts(at: I32, attributes: Attributes, offset: I64, length: I32) -> None:
    """Where the string values at these rows of the attribute table lie; -1 and other kinds are absent."""
    _read(
        writable(at, np.int32),
        writable(attributes.kind, np.uint8),
        writable(attributes.value.offset, np.int64),
        writable(attributes.value.length, np.int32),
        offset,
        length,
    )


@kernel
def _read(
    at: I32, kind: U8, value_offset: I64, value_length: I32, offset: I64, length: I32
) -> None:
    for row in range(len(at)):
        index = at[row]
        if index >= 0 and kind[index] == _STRING:
            offset[row], length[row] = value_offset[index], value_length[index]
        else:
            offset[row], length[row] = 0, -1
