"""Shortest decimal text of a double that reads back as the same double, inside kernels.

Schubfach: Raffaello Giulietti, "The Schubfach way to render doubles" (2020), in the arrangement of
Alexander Bolz's Drachennest. One multiplication by a 128-bit power of ten for each of the rounding
interval's ends; 30 to 40 ns a number, where collecting the numbers, casting them in Arrow and
splicing the text back costs three times that and a second walk over nested values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import U8
from crucible_collector.kernels import Int, inlined

U64 = npt.NDArray[np.uint64]

DOUBLE_TEXT_MAX = 330  # -1.7976931348623157e308 written out, with its ".0", and some

_K_MIN, _K_MAX = -292, 324
_LOW32 = np.uint64(0xFFFFFFFF)
_FRACTION = np.int64((1 << 52) - 1)


def _powers_of_ten() -> tuple[U64, U64]:
    """Return the high and low words of ceil(10^k * 2^(127 - floor(log2(10^k)))) from _K_MIN on."""
    high, low = [], []
    for k in range(_K_MIN, _K_MAX + 1):
        shift = 127 - (k * 1741647 >> 19)
        numerator = 10 ** max(k, 0) << max(shift, 0)
        denominator = 10 ** max(-k, 0) << max(-shift, 0)
        value = -(-numerator // denominator)
        high.append(value >> 64)
        low.append(value & (1 << 64) - 1)
    return np.array(high, dtype=np.uint64), np.array(low, dtype=np.uint64)


_HIGH, _LOW = _powers_of_ten()


@inlined
def _multiply(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the high and low 64 bits of a product."""
    shift = np.uint64(32)
    a_low, a_high = a & _LOW32, a >> shift
    b_low, b_high = b & _LOW32, b >> shift
    low = a_low * b_low
    middle = a_high * b_low + (low >> shift)
    other = a_low * b_high + (middle & _LOW32)
    return a_high * b_high + (middle >> shift) + (other >> shift), a * b


@inlined
def _round_to_odd(high: np.uint64, low: np.uint64, factor: np.uint64) -> np.uint64:
    carry_in, _ = _multiply(low, factor)
    top, middle = _multiply(high, factor)
    total = middle + carry_in
    if total < middle:
        top += np.uint64(1)
    return top | np.uint64(total > np.uint64(1))


@inlined
def _shortest(bits: Int) -> tuple[np.uint64, Int]:
    """Return (digits, exponent): digits * 10^exponent is the double with these bits, unsigned."""
    fraction = bits & _FRACTION
    biased = (bits >> 52) & 0x7FF
    if bits == 0:
        return np.uint64(0), 0
    if biased != 0:
        c = fraction | (np.int64(1) << 52)
        q = biased - 1075
        if q <= 0 and q > -53 and c & ((np.int64(1) << -q) - 1) == 0:
            return np.uint64(c >> -q), 0
    else:
        c = fraction
        q = np.int64(-1074)
    closer = np.int64(fraction == 0 and biased > 1)
    k = (q * 1262611 - closer * 524031) >> 22
    h = np.uint64(q + ((-k * 1741647) >> 19) + 1)
    high, low = _HIGH[-k - _K_MIN], _LOW[-k - _K_MIN]
    odd = np.int64(c & 1)
    lower = np.int64(_round_to_odd(high, low, np.uint64(4 * c - 2 + closer) << h)) + odd
    value = np.int64(_round_to_odd(high, low, np.uint64(4 * c) << h))
    upper = np.int64(_round_to_odd(high, low, np.uint64(4 * c + 2) << h)) - odd
    s = value >> 2
    if s >= 10:
        shorter = s // 10
        below = lower <= 40 * shorter
        above = 40 * shorter + 40 <= upper
        if below != above:
            return np.uint64(shorter + np.int64(above)), k + 1
    below = lower <= 4 * s
    above = 4 * s + 4 <= upper
    if below != above:
        return np.uint64(s + np.int64(above)), k
    middle = 4 * s + 2
    up = value > middle or (value == middle and s & 1 == 1)
    return np.uint64(s + np.int64(up)), k


@inlined
def write_digits(out: U8, position: Int, digits: np.uint64) -> Int:
    """Write an unsigned integer; return the next position."""
    ten = np.uint64(10)
    count = 1
    rest = digits // ten
    while rest > np.uint64(0):
        rest = rest // ten
        count += 1
    rest = digits
    for index in range(position + count - 1, position - 1, -1):
        out[index] = np.uint8(48) + np.uint8(rest % ten)
        rest = rest // ten
    return position + count


@inlined
def write_integer(out: U8, position: Int, value: Int) -> Int:
    """Write an int64 (at most 20 bytes); return the next position."""
    if value < 0:
        out[position] = 45  # -
        # The two's complement is right for the smallest int64, too, whose negation overflows.
        return write_digits(out, position + 1, ~np.uint64(value) + np.uint64(1))
    return write_digits(out, position, np.uint64(value))


@inlined
def write_double(out: U8, position: Int, bits: Int) -> Int:
    """Write a finite double, not -0.0, never so that jsonb gives it back as an integer.

    1.0, 0.001 and 12345678901234568000000.0 in full; from 1e-7 down with an exponent, which jsonb
    writes out itself. At most DOUBLE_TEXT_MAX bytes; return the next position.
    """
    if bits < 0:
        out[position] = 45
        position += 1
    digits, exponent = _shortest(bits & 0x7FFFFFFFFFFFFFFF)
    if digits == np.uint64(0):
        exponent = 0
    else:
        while digits % np.uint64(10) == np.uint64(0):
            digits //= np.uint64(10)
            exponent += 1
    if exponent >= 0:
        position = write_digits(out, position, digits)
        for _ in range(exponent):
            out[position] = 48
            position += 1
        out[position] = 46  # .
        out[position + 1] = 48
        return position + 2
    # The digits go one to the right of where they belong; those before the point move back.
    end = write_digits(out, position + 1, digits)
    point = end - position - 1 + exponent  # digits before the decimal point
    if point > 0:
        for index in range(position, position + point):
            out[index] = out[index + 1]
        out[position + point] = 46
        return end
    if point > -6:
        return _write_leading_zeros(out, position, end, -point)
    out[position] = out[position + 1]
    last = position + 1
    if end - position > 2:
        out[position + 1] = 46
        last = end
    out[last] = 101  # e
    return write_integer(out, last + 1, np.int64(point - 1))


@inlined
def _write_leading_zeros(out: U8, position: Int, end: Int, zeros: Int) -> Int:
    """Turn _123 into 0.00123."""
    for index in range(end - 1, position, -1):
        out[index + zeros + 1] = out[index]
    out[position] = 48
    out[position + 1] = 46
    for index in range(position + 2, position + 2 + zeros):
        out[index] = 48
    return end + zeros + 1
