# SPDX-License-Identifier: Apache-2.0
"""Averages of windows that do not count their padding, or are a whole map of any size.

Sums of 8-bit numbers times 8-bit multipliers, like all averages. Where padding does not count, a window at the border
sees fewer pixels and has a multiplier of its own: a tap's weight is number ``(rows - 1) * KW + columns - 1`` of a
table, for windows of so many rows and columns on the map. That works both ways, as a window spreads its gradient over
the pixels that it has seen.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.shapes import KERNEL_MAX, Pair, Pool, WholeMap
from models.pe_array.isa.widths import SHIFT_MAX
from models.pe_array.network import layers
from models.pe_array.network.layers import Accumulators, Int8Array, Int32Array

TAPS_MAX = KERNEL_MAX * KERNEL_MAX
"""Pixels of a part of a whole map, for which memories of the PEs have room."""
MULTIPLIER_MAX = 127
ERROR_MAX = Fraction(1, 16)
"""Of the average of any window: configurations and models with a larger one are refused."""
IntArray = npt.NDArray[np.int64]


@lru_cache(maxsize=4096)
def counts(pool: Pool, height: int, width: int) -> tuple[IntArray, IntArray]:
    """(places in the table of multipliers, pixels that count) of all windows, int64 (OH, OW)."""
    size = pool.out_size(height, width)
    rows, cols = (
        np.array([pool.counted_taps(axis, n, (height, width)[axis]) for n in range(size[axis])]) for axis in (0, 1)
    )
    return (rows[:, None] - 1) * pool.kernel[1] + cols - 1, rows[:, None] * cols


@lru_cache(maxsize=4096)
def base(pool: Pool, height: int, width: int) -> tuple[int, int]:
    """(K, shift): sums are K times the averages, nearly, and K / 2**shift is nearly 1 where a shift is to do it.

    Multipliers are K / pixels, rounded and limited to 1 … 127. K is the number, and the smallest one, for which they
    are best.
    """
    found = {int(n) for n in counts(pool, height, width)[1].reshape(-1)}
    least, most = min(found), max(found)
    choices = range(most, max(most, MULTIPLIER_MAX * least) + 1)
    shifts = [s for s in range(SHIFT_MAX + 1) if most < 2 << s]
    return (
        min(choices, key=lambda total: (_error(found, total), total)),
        min(shifts, key=lambda s: (_error(found, 1 << s), s)),
    )


def check(pool: Pool, height: int, width: int, total: int) -> None:
    """ValueError where the average of a window is further off than ERROR_MAX, with multipliers K / pixels."""
    found = {int(n) for n in counts(pool, height, width)[1].reshape(-1)}
    if (error := _error(found, total)) > ERROR_MAX:
        raise ValueError(
            f"windows of {min(found)} … {max(found)} pixels that count have averages off by {float(error):.0%}, "
            f"which must be at most {float(ERROR_MAX):.1%}: less padding, or one that counts"
        )


def _error(pixels: set[int], total: int) -> Fraction:
    """Of the average that is most off, relative."""
    return max(abs(Fraction(_multiplier(total, n) * n, total) - 1) for n in pixels)


def _multiplier(total: int, pixels: int) -> int:
    return min(round(Fraction(total, pixels)), MULTIPLIER_MAX)


def table(pool: Pool, total: int) -> tuple[int, ...]:
    """Multipliers K / pixels of windows of 1 … KH rows and 1 … KW columns, at most 127."""
    rows, cols = (range(1, side + 1) for side in pool.kernel)
    return tuple(_multiplier(total, high * wide) for high in rows for wide in cols)


def average(pool: Pool, x: Int8Array, multipliers: tuple[int, ...]) -> Accumulators:
    """Sums (C, OH, OW, batch) of the windows of x (C, H, W, batch), each times its multiplier."""
    whole = isinstance(pool, WholeMap)
    sums = x.sum(axis=(1, 2), keepdims=True, dtype=np.int32) if whole else layers.average_pool(pool, x)
    made: Int32Array = sums * _of_windows(pool, (x.shape[1], x.shape[2]), multipliers)
    return made


def average_backward(pool: Pool, d: Int8Array, height: int, width: int, multipliers: tuple[int, ...]) -> Accumulators:
    """Sums (C, height, width, batch) of d (C, OH, OW, batch) over each pixel's windows, times their multipliers."""
    scaled = d * _of_windows(pool, (height, width), multipliers)
    if isinstance(pool, WholeMap):
        return np.repeat(np.repeat(scaled, height, axis=1), width, axis=2)
    top, left, bottom, right = pool.pad
    out = np.zeros((len(d), height + top + bottom, width + left + right, d.shape[3]), dtype=np.int32)
    size = d.shape[1:3]
    for tap in np.ndindex(*pool.kernel):
        rows, cols = (
            slice(first, first + (size[axis] - 1) * pool.stride[axis] + 1, pool.stride[axis])
            for axis, first in enumerate(n * step for n, step in zip(tap, pool.dilation, strict=True))
        )
        out[:, rows, cols] += scaled
    return np.ascontiguousarray(out[:, top : top + height, left : left + width])


def _of_windows(pool: Pool, size: Pair, multipliers: tuple[int, ...]) -> Int32Array:
    """The multiplier of every window, int32 (OH, OW, 1)."""
    if len(multipliers) == 1:
        return np.array(multipliers, dtype=np.int32)
    return np.array(multipliers, dtype=np.int32)[counts(pool, *size)[0]][:, :, None]


@lru_cache(maxsize=4096)
def parts(height: int, width: int) -> tuple[int, Pair]:
    """(parts, size of each) of a map that is averaged as a whole: the fewest of at most 121 pixels.

    In memory a part follows the other: a channel of n parts is n channels of a smaller map.
    """
    pixels = height * width
    count = next(n for n in range(1, pixels + 1) if pixels % n == 0 and pixels // n <= TAPS_MAX)
    return count, (height // count, width) if height % count == 0 else (1, pixels // count)
