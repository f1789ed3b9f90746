"""Where gzip is undone, for both transports: in steps, so that a bomb costs what a body may.

gRPC's own decompression is switched off. Whether it stops early differs between versions, and it
runs on the thread that serves every connection.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

from crucible_collector.errors import MalformedError, TooLargeError

MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31  # zlib: a gzip header and trailer around each member

# What is decompressed between two looks at the limits.
_STEP_BYTES = 1 << 20

# zlib hands back what it did not consume as a copy, so it is fed in slices.
_SLICE_BYTES = 64 << 10

# A gzip file may hold several members one after another. Some writers flush that way; a body of
# millions of empty ones costs microseconds each and carries nothing.
_MEMBERS_MAX = 1_000


def inflate(body: bytes, bytes_max: int, grow: Callable[[int], None]) -> bytes:
    """Decompress gzip; an empty body stays empty.

    `grow` is told the size reached before each step, and may raise to end it. TooLargeError over
    `bytes_max`, MalformedError where the stream is damaged, cut short or followed by something else.
    """
    inflated = io.BytesIO()
    member = zlib.decompressobj(_GZIP_WBITS)
    member_count = 1
    for start in range(0, len(body), _SLICE_BYTES):
        rest = body[start : start + _SLICE_BYTES]
        while rest:
            if member.eof:
                member = zlib.decompressobj(_GZIP_WBITS)
                member_count += 1
                if member_count > _MEMBERS_MAX:
                    raise MalformedError(f"the gzip body has more than {_MEMBERS_MAX} members")
            rest = _step(member, rest, inflated, bytes_max, grow)
    if body and not member.eof:
        raise MalformedError("the gzip body ends before its stream does")
    return inflated.getvalue()


def _step(
    member: zlib._Decompress,
    data: bytes,
    inflated: io.BytesIO,
    bytes_max: int,
    grow: Callable[[int], None],
) -> bytes:
    """Decompress up to one step of `data`; what is left of it comes back."""
    grow(inflated.tell())
    try:
        inflated.write(member.decompress(data, _STEP_BYTES))
    except zlib.error as error:
        raise MalformedError(f"the body is not valid gzip ({error})") from None
    if inflated.tell() > bytes_max:
        raise TooLargeError(f"the body is larger than {bytes_max} bytes once decompressed")
    return member.unused_data if member.eof else member.unconsumed_tail
