"""The random number of every record, what its sender has sampled, and how the outcome is told on.

OpenTelemetry's consistent probability sampling (specification, "TraceState: Probability Sampling" and
"TraceState Handling"): a trace's randomness R is `rv` in the `ot` member of its tracestate, else the last
56 bits of its trace id; a sampler tells its rejection threshold as `th` there, whose trailing zeros are
left out. A malformed `th` or `rv` is ignored, and so is a `th` above R: a record that its sender's
threshold rejects cannot have come by it.

A record without a trace takes R from a keyed hash of its request's digest and its place in the request,
so that it is decided alike when its window is prepared again.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crucible_collector.batch import I32, I64, U8, Bool, TextRef
from crucible_collector.candidates import NOT_TOLD, THRESHOLD_MAX, U64
from crucible_collector.decode import text_array
from crucible_collector.kernels import Int, inlined, kernel, read_only, writable

# W3C Trace Context, sections 3.3.1.1 and 3.3.1.3: members of a tracestate, characters of a value.
MEMBERS_MAX = 32
VALUE_CHARACTERS_MAX = 256

_DIGITS = 14
_RANDOM_MASK = np.uint64(THRESHOLD_MAX - 1)
_ADDED_BYTES_MAX = len("ot=th:;rv:") + 2 * _DIGITS + len(";,")

# Another key gives other numbers: records of one request are independent of traces and of each other.
_KEY = np.uint64(0x6372756369626C65)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

_COMMA, _SEMICOLON, _COLON, _EQUALS, _SPACE, _TAB = 44, 59, 58, 61, 32, 9
_LETTER_H, _LETTER_O, _LETTER_R, _LETTER_T, _LETTER_V = 104, 111, 114, 116, 118
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def randomness(
    buffer: U8, trace_state: TextRef | None, trace_id: U8, digest_word: U64, index: I32
) -> tuple[I64, I64]:
    """R of each record, and the threshold its sender told, NOT_TOLD where none (or one above R).

    `trace_id` is (rows, 16), zero where there is none; `digest_word` is a word of the digest of each
    record's request and `index` its place there. `trace_state` None: the signal has none. Costs 3 ns
    a record where all tracestates are empty, 80 where all say something.
    """
    found = of_trace_ids(trace_id)
    alone = without_trace(trace_id)
    if alone.any():
        found[alone] = _of_places(digest_word[alone], index[alone])
    upstream = np.full(len(found), NOT_TOLD, np.int64)
    if trace_state is not None and (trace_state.length > 0).any():
        offset, length = _writable(trace_state)
        _read_states(read_only(buffer), offset, length, found, upstream)
    return found, upstream


def of_trace_ids(trace_id: U8) -> I64:
    """The last 56 bits of each trace id."""
    words = np.ascontiguousarray(trace_id).view(">u8")
    return (words[:, 1].astype(np.uint64) & _RANDOM_MASK).view(np.int64)


def without_trace(trace_id: U8) -> Bool:
    """Where the trace id is zero."""
    words = np.ascontiguousarray(trace_id).view(np.uint64)
    found: Bool = (words[:, 0] | words[:, 1]) == 0
    return found


def final_trace_states(
    buffer: U8, trace_state: TextRef, threshold: I64, told: Bool, lost_randomness: I64
) -> pa.StringArray | None:
    """The tracestates as they are stored: with the final `th` where `told`, else as they came.

    None where nothing is told. `ot` comes first, since who changes a member puts it there, and keeps
    its other sub-keys, `rv` before those that might not fit; the rightmost member gives way where there
    would be more than W3C allows. Absent and empty ones that are not told are null. `lost_randomness`
    is written as `rv`, NOT_TOLD where the record tells its own: else `th` would contradict the trace id.
    """
    if not told.any():
        return None
    offset, length = _writable(trace_state)
    size = int(np.maximum(length, 0).sum(dtype=np.int64)) + _ADDED_BYTES_MAX * len(length)
    out = np.empty(size, np.uint8)
    ends = np.zeros(len(length) + 1, np.int64)
    _write_states(
        read_only(buffer),
        offset,
        length,
        writable(threshold, np.int64),
        writable(told, np.bool_),
        writable(lost_randomness, np.int64),
        out,
        ends,
    )
    lengths = np.diff(ends).astype(np.int32)
    lengths[lengths == 0] = -1
    return text_array(out, TextRef(ends[:-1], lengths))


def _writable(ref: TextRef) -> tuple[I64, I32]:
    return writable(ref.offset, np.int64), writable(ref.length, np.int32)


def _of_places(digest_word: U64, index: I32) -> I64:
    """SplitMix64's finalizer over the digest, then over place after place."""
    word = _mix(_mix(digest_word ^ _KEY) + index.astype(np.uint64) * _GOLDEN)
    return (word & _RANDOM_MASK).view(np.int64)


def _mix(word: U64) -> U64:
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return word ^ (word >> np.uint64(31))


@inlined
def _end(buffer: U8, position: Int, end: Int, mark: Int) -> Int:
    """Where the next `mark` is, `end` if none follows."""
    while position < end and buffer[position] != mark:
        position += 1
    return position


@inlined
def _trimmed(buffer: U8, begin: Int, end: Int) -> tuple[Int, Int]:
    while begin < end and (buffer[begin] == _SPACE or buffer[begin] == _TAB):
        begin += 1
    while end > begin and (buffer[end - 1] == _SPACE or buffer[end - 1] == _TAB):
        end -= 1
    return begin, end


@inlined
def _is_ot(buffer: U8, begin: Int, end: Int) -> bool:
    return bool(
        end - begin >= 3
        and buffer[begin] == _LETTER_O
        and buffer[begin + 1] == _LETTER_T
        and buffer[begin + 2] == _EQUALS
    )


@inlined
def _find_ot(buffer: U8, position: Int, end: Int) -> tuple[Int, Int]:
    """The value of the first member `ot`, empty where there is none or it is too long to be one."""
    while position < end:
        stop = _end(buffer, position, end, _COMMA)
        begin, last = _trimmed(buffer, position, stop)
        if _is_ot(buffer, begin, last):
            if last - begin - 3 > VALUE_CHARACTERS_MAX:
                return end, end
            return begin + 3, last
        position = stop + 1
    return end, end


@inlined
def _hex(buffer: U8, begin: Int, end: Int) -> Int:
    """Lower-case hex digits as the leading ones of 14; -1 for anything else."""
    if end <= begin or end - begin > _DIGITS:
        return -1
    value = np.int64(0)
    for position in range(begin, end):
        byte = np.int64(buffer[position])
        if 48 <= byte <= 57:
            value = value << 4 | (byte - 48)
        elif 97 <= byte <= 102:
            value = value << 4 | (byte - 87)
        else:
            return -1
    return value << (4 * (_DIGITS - (end - begin)))


@inlined
def _is_sub_key(buffer: U8, begin: Int, end: Int, first: Int, second: Int) -> bool:
    return bool(
        end - begin >= 3
        and buffer[begin] == first
        and buffer[begin + 1] == second
        and buffer[begin + 2] == _COLON
    )


@kernel
def _read_states(buffer: U8, offset: I64, length: I32, random: I64, upstream: I64) -> None:
    """Overwrite R by `rv` and `upstream` by `th`, where tracestates have them; the first counts."""
    for row in range(len(offset)):
        if length[row] <= 0:
            continue
        position, end = _find_ot(buffer, offset[row], offset[row] + length[row])
        told, value = np.int64(-1), np.int64(-1)
        while position < end:
            stop = _end(buffer, position, end, _SEMICOLON)
            if told < 0 and _is_sub_key(buffer, position, stop, _LETTER_T, _LETTER_H):
                told = _hex(buffer, position + 3, stop)
            elif (
                value < 0
                and stop - position == 3 + _DIGITS
                and _is_sub_key(buffer, position, stop, _LETTER_R, _LETTER_V)
            ):
                value = _hex(buffer, position + 3, stop)
            position = stop + 1
        if value >= 0:
            random[row] = value
        if told >= 0 and told <= random[row]:
            upstream[row] = told


@inlined
def _copy(buffer: U8, begin: Int, end: Int, out: U8, at: Int) -> Int:
    for position in range(begin, end):
        out[at] = buffer[position]
        at += 1
    return at


@inlined
def _write_threshold(threshold: Int, out: U8, at: Int) -> Int:
    """Write ot=th: and the digits without trailing zeros, 0 for none."""
    for letter in (_LETTER_O, _LETTER_T, _EQUALS, _LETTER_T, _LETTER_H, _COLON):
        out[at] = letter
        at += 1
    shift = 4 * (_DIGITS - 1)
    while True:
        out[at] = _HEX[threshold >> shift & 15]
        at += 1
        if shift == 0 or threshold & ((np.int64(1) << shift) - 1) == 0:
            return at
        shift -= 4


@inlined
def _write_sub_keys(buffer: U8, begin: Int, end: Int, rv: bool, out: U8, at: Int, last: Int) -> Int:
    """Copy `rv`, or every other sub-key but `th`, as far as they fit before `last`."""
    while begin < end:
        stop = _end(buffer, begin, end, _SEMICOLON)
        is_wanted = (
            stop > begin
            and not _is_sub_key(buffer, begin, stop, _LETTER_T, _LETTER_H)
            and rv == _is_sub_key(buffer, begin, stop, _LETTER_R, _LETTER_V)
        )
        if is_wanted and at + 1 + stop - begin <= last:
            out[at] = _SEMICOLON
            at = _copy(buffer, begin, stop, out, at + 1)
        begin = stop + 1
    return at


@inlined
def _write_others(buffer: U8, position: Int, end: Int, out: U8, at: Int) -> Int:
    members = 1
    while position < end:
        stop = _end(buffer, position, end, _COMMA)
        begin, last = _trimmed(buffer, position, stop)
        if last > begin and members < MEMBERS_MAX and not _is_ot(buffer, begin, last):
            out[at] = _COMMA
            at = _copy(buffer, begin, last, out, at + 1)
            members += 1
        position = stop + 1
    return at


@inlined
def _write_randomness(randomness: Int, out: U8, at: Int) -> Int:
    """Write ;rv: and 14 digits."""
    for letter in (_SEMICOLON, _LETTER_R, _LETTER_V, _COLON):
        out[at] = letter
        at += 1
    for place in range(_DIGITS):
        out[at] = _HEX[randomness >> (4 * (_DIGITS - 1 - place)) & 15]
        at += 1
    return at


@kernel
def _write_states(
    buffer: U8,
    offset: I64,
    length: I32,
    threshold: I64,
    told: Bool,
    lost_randomness: I64,
    out: U8,
    ends: I64,
) -> None:
    at = np.int64(0)
    for row in range(len(offset)):
        begin, end = offset[row], offset[row] + max(np.int64(length[row]), 0)
        if told[row]:
            value, value_end = _find_ot(buffer, begin, end)
            last = at + 3 + VALUE_CHARACTERS_MAX
            at = _write_threshold(threshold[row], out, at)
            if lost_randomness[row] >= 0:
                at = _write_randomness(lost_randomness[row], out, at)
            else:
                at = _write_sub_keys(buffer, value, value_end, True, out, at, last)
            at = _write_sub_keys(buffer, value, value_end, False, out, at, last)
            at = _write_others(buffer, begin, end, out, at)
        else:
            at = _copy(buffer, begin, end, out, at)
        ends[row + 1] = at
