# SPDX-License-Identifier: Apache-2.0
"""Packed vectors: lists of integers to and from the wide buses of the RTL. Lane 0 has the low bits."""

from __future__ import annotations

from collections.abc import Iterable


def pack(values: Iterable[int], width: int) -> int:
    """One unsigned integer with `width` bits per value; negative values as two's complement.

    Raises:
        ValueError: a value does not fit in `width` bits, signed or unsigned.
    """
    word = 0
    low, high = -(1 << (width - 1)), 1 << width
    for lane, value in enumerate(values):
        number = int(value)
        if not low <= number < high:
            raise ValueError(f"lane {lane}: {number} does not fit in {width} bits")
        word |= (number & (high - 1)) << (lane * width)
    return word


def unpack(word: int, width: int, count: int, signed: bool = True) -> list[int]:
    """The `count` integers of `width` bits in `word`."""
    mask, sign = (1 << width) - 1, 1 << (width - 1)
    fields = [(word >> (lane * width)) & mask for lane in range(count)]
    return [(field ^ sign) - sign for field in fields] if signed else fields


def signed_range(width: int) -> tuple[int, int]:
    """Smallest and largest value of a signed number of `width` bits."""
    return -(1 << (width - 1)), (1 << (width - 1)) - 1


def index_width(count: int) -> int:
    """Bits of an index 0 … count-1, at least 1: the address width of the RTL."""
    return max(1, (count - 1).bit_length())
