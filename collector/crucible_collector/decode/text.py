"""Bytes that claim to be UTF-8, made into text that PostgreSQL takes.

NUL and every ill-formed sequence become U+FFFD, one for each maximal subpart, exactly as Python's
`bytes.decode("utf-8", "replace")` does (Unicode 17, section 3.9). Surrogates are ill-formed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crucible_collector.batch import I32, I64, U8, TextRef
from crucible_collector.errors import TooLargeError
from crucible_collector.kernels import Int, inlined, kernel, read_only, writable

# What a byte may need of the output at most: \u001f, or U+FFFD for an ill-formed one.
ESCAPED_BYTES_MAX = 6

TEXT_BYTES_MAX = 2**31 - 1

_COPY, _NUL, _MULTI, _CONTROL, _SHORT = 0, 1, 2, 3, 4


def _classes() -> U8:
    classes = np.zeros(256, dtype=np.uint8)
    classes[0] = _NUL
    classes[1:32] = _CONTROL
    classes[128:] = _MULTI
    for byte in b'"\\\b\f\n\r\t':
        classes[byte] = _SHORT
    return classes


def _letters() -> U8:
    letters = np.zeros(256, dtype=np.uint8)
    for byte, letter in zip(b'"\\\b\f\n\r\t', b'"\\bfnrt', strict=True):
        letters[byte] = letter
    return letters


_CLASS = _classes()
_LETTER = _letters()
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


@inlined
def _sequence(buffer: U8, position: Int, end: Int) -> tuple[Int, bool]:
    """Return (bytes, well-formed) of the sequence whose first byte is 128 or more."""
    lead = buffer[position]
    if lead < 0xC2 or lead > 0xF4:
        return 1, False
    wanted = 2 if lead < 0xE0 else (3 if lead < 0xF0 else 4)
    low, high = 0x80, 0xBF
    if lead == 0xE0:
        low = 0xA0
    elif lead == 0xED:
        high = 0x9F
    elif lead == 0xF0:
        low = 0x90
    elif lead == 0xF4:
        high = 0x8F
    for index in range(1, wanted):
        if position + index >= end:
            return index, False
        byte = buffer[position + index]
        if byte < low or byte > high:
            return index, False
        low, high = 0x80, 0xBF
    return wanted, True


@inlined
def write_replacement(out: U8, position: Int) -> Int:
    out[position] = 0xEF
    out[position + 1] = 0xBF
    out[position + 2] = 0xBD
    return position + 3


@inlined
def write_text(buffer: U8, offset: Int, size: Int, out: U8, position: Int, escaped: bool) -> Int:
    """Write a byte string as UTF-8, `escaped` as JSON has it between quotes; or return -1.

    The escapes are those of Python's json.dumps(ensure_ascii=False). -1: `out` might not hold it.
    """
    if size * (ESCAPED_BYTES_MAX if escaped else 3) > len(out) - position:
        return -1
    index = offset
    end = offset + size
    while index < end:
        byte = buffer[index]
        kind = _CLASS[byte]
        if kind == _COPY or (not escaped and kind > _MULTI):
            out[position] = byte
            position += 1
            index += 1
        elif kind == _MULTI:
            count, well_formed = _sequence(buffer, index, end)
            if well_formed:
                for step in range(count):
                    out[position + step] = buffer[index + step]
                position += count
            else:
                position = write_replacement(out, position)
            index += count
        elif kind == _NUL:
            position = write_replacement(out, position)
            index += 1
        else:
            out[position] = 92  # \
            if kind == _SHORT:
                out[position + 1] = _LETTER[byte]
                position += 2
            else:
                out[position + 1] = 117  # u
                out[position + 2] = 48
                out[position + 3] = 48
                out[position + 4] = _HEX[byte >> 4]
                out[position + 5] = _HEX[byte & 15]
                position += 6
            index += 1
    return position


@kernel
def _gather(buffer: U8, offset: I64, length: I32, out: U8, ends: I32) -> Int:
    """Write all texts one after another; return -1 if `out` might not hold them."""
    position = 0
    for row in range(len(offset)):
        if length[row] > 0:
            position = write_text(buffer, offset[row], length[row], out, position, False)
            if position < 0:
                return position
        ends[row + 1] = position
    return position


def text_array(buffer: U8, ref: TextRef) -> pa.StringArray:
    """Return byte strings as Arrow text: NUL and ill-formed UTF-8 as U+FFFD, absent ones null."""
    offset, length = writable(ref.offset, np.int64), writable(ref.length, np.int32)
    # Room for the worst case; pages that are not written to cost nothing.
    out = np.empty(3 * int(np.maximum(length, 0).sum(dtype=np.int64)), dtype=np.uint8)
    ends = np.zeros(len(offset) + 1, dtype=np.int32)
    size = _gather(read_only(buffer), offset, length, out, ends)
    return string_array(out[:size], ends, length < 0)


def must_fit(size: int) -> None:
    """Raise TooLargeError for more text than the 32-bit `ends` of one array can say.

    A window is bounded far below it, and so is a request of the default size in any form.
    """
    if size > TEXT_BYTES_MAX:
        raise TooLargeError(f"{size} bytes of text in one window; {TEXT_BYTES_MAX} are possible")


def string_array(data: U8, ends: I32, absent: npt.NDArray[np.bool_]) -> pa.StringArray:
    """Return an Arrow array over these bytes without copying them, null where `absent`."""
    must_fit(len(data))
    validity = None
    if absent.any():
        validity = pa.py_buffer(np.packbits(~absent, bitorder="little"))
    return pa.StringArray.from_buffers(
        len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(data), validity
    )
