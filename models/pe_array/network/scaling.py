# SPDX-License-Identifier: Apache-2.0
"""Scales of layers that somebody else trained: biases, a multiplier and shift per channel, zero points, limits.

    y = clamp(sat(round((acc + bias) * m / 2**(23 + s) [+ (a - za) * ma / 2**(23 + sa)]) + zero), low, high)

Multipliers are 24-bit numbers with 23 bits behind the point. Each product is cut after 16 bits behind the point, as the
array does; rounding half to even sees what was cut of the first one. Layers that the array trains have powers of two
instead, which follow from fraction bits (docs/pe_array/numbers.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.pe_array.isa.descriptors import MULTIPLIER_BITS, MULTIPLIER_MAX, ONE
from models.pe_array.isa.widths import SHIFT_MAX
from models.pe_array.network.layers import Accumulators, Int8Array, Requantised
from models.pe_array.network.requantise import CUT, POINT, POINT_MASK

Int64Array = npt.NDArray[np.int64]
Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code

HALF = 1 << POINT - 1


@dataclass(frozen=True)
class Addend:
    """How a second map is added to the sums: ``(a - zero) * multiplier / 2**(23 + shift)``.

    Attributes:
        multiplier: 0 … 2**24 - 1.
        shift: 0 … 31.
        zero: the map's zero point, -128 … 127.
    """

    multiplier: int
    shift: int = 0
    zero: int = 0

    def __post_init__(self) -> None:
        _check("addend.multiplier", self.multiplier, 0, MULTIPLIER_MAX)
        _check("addend.shift", self.shift, 0, SHIFT_MAX)
        _check("addend.zero", self.zero, -128, 127)


@dataclass(frozen=True, eq=False)
class Scaling:
    """What becomes of the sums of a layer. ``n`` is the number of its output channels, or 1: all have the same.

    Attributes:
        biases: int64 (n,), each of 32 bits; with ``- zero_in * sum(weights)`` where ``zero_in`` is not 0.
        multipliers: int64 (n,), 0 … 2**24 - 1; 2**23 is 1.
        shifts: int64 (n,), 0 … 31.
        zero_in: zero point of the map that is read: what padding is worth.
        zero: zero point of the output, added after rounding and before saturation.
        low, high: limits of the output, zero point included: ReLU is ``low = zero``.
        even: round half to even; otherwise half up.
        addend: how the map of ``Layer.add`` is added; None where there is none. Then all channels have the same scales,
            because a drain reads records of channels or a second map.
        zero_out: zero point of the map that is made; None: ``zero``. Biases hold the rest of it, where ties must go to
            the even byte and not to the even step.
        near_half: with ``even``, what is less than 2**-15 above a half is one, too: a multiplier for division by a
            number with odd factors is rounded up, so that halves are there.

    Raises:
        ValueError: arrays of different lengths, or a number outside its range.
    """

    biases: Int64Array
    multipliers: Int64Array
    shifts: Int64Array
    zero_in: int = 0
    zero: int = 0
    low: int = -128
    high: int = 127
    even: bool = False
    addend: Addend | None = None
    zero_out: int | None = None
    near_half: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("biases", -(1 << 31), (1 << 31) - 1), ("multipliers", 0, MULTIPLIER_MAX), ("shifts", 0, SHIFT_MAX)
        ):  # fmt: skip
            array = getattr(self, name)
            if array.ndim != 1 or array.dtype != np.int64 or len(array) != len(self.biases) or not len(array):
                raise ValueError(f"{name} is {array.dtype} {array.shape}, must be int64 ({max(1, len(self.biases))},)")
            _check(name, int(array.min()), low, high)
            _check(name, int(array.max()), low, high)
        for name in ("zero_in", "zero", "low", "high"):
            _check(name, getattr(self, name), -128, 127)
        _check("zero_out", self.zero if self.zero_out is None else self.zero_out, -128, 127)
        _check("low", self.low, -128, self.high)
        if self.addend is not None and len(self.biases) > 1:
            raise ValueError("a map is added where all channels have the same scales")

    @classmethod
    def of(
        cls, scales: npt.ArrayLike, biases: npt.ArrayLike = 0, *, zero_in: int = 0, zero: int = 0, low: int = -128,
        high: int = 127, even: bool = False, addend: Addend | None = None,
    ) -> Scaling:  # fmt: skip
        """From real factors, of every channel or of all of them, that sums are multiplied with.

        Raises:
            ValueError: a factor is out of reach, see ``fixed``, or an attribute out of its range.
        """
        bias = np.atleast_1d(np.asarray(biases, dtype=np.int64))
        factor = np.atleast_1d(np.asarray(scales, dtype=np.float64))
        bias, factor = np.broadcast_arrays(bias, factor)
        found = np.array([fixed(each) for each in factor.tolist()], dtype=np.int64)
        return cls(bias.copy(), found[:, 0].copy(), found[:, 1].copy(), zero_in, zero, low, high, even, addend)

    def requantise(self, acc: Accumulators, added: Int8Array | None = None, bits: int = 8) -> Requantised:
        """Values of sums (channels, …), and how many were clipped before the limits.

        Args:
            acc: int32 or int64; the first axis is that of the channels.
            added: int8 of the same number of elements; with ``addend`` alone, and always then.
            bits: of the results, 4 … 8.

        Raises:
            ValueError: the channels are not those of the scales, or ``added`` and ``addend`` do not go together.
        """
        channels = len(self.biases)
        if channels not in (1, len(acc)):
            raise ValueError(f"scales of {channels} channels do not fit sums of {len(acc)}")
        if (added is None) != (self.addend is None):
            raise ValueError("a map is added where the scales say how, and only there")
        out = np.empty(acc.shape, dtype=np.int8)
        flat, at = np.ascontiguousarray(acc).reshape(channels, -1), out.reshape(channels, -1)
        second = self.addend or Addend(0)
        other = at if added is None else np.ascontiguousarray(added).reshape(at.shape)
        clipped = scaled(
            flat, self.biases, self.multipliers, self.shifts, other, second.multiplier, second.shift, second.zero,
            self.zero, self.low, self.high, self.even, self.near_half, bits, at,
        )  # fmt: skip
        return Requantised(out, int(clipped))


def fixed(factor: float) -> tuple[int, int]:
    """(multiplier, shift) nearest to a real factor, with as many bits as there are.

    Raises:
        ValueError: the factor is negative, or above the largest multiplier, nearly 2.
    """
    if not 0 <= factor <= 2 or round(factor * ONE) > MULTIPLIER_MAX:
        raise ValueError(f"a scale of {factor} must be 0 … {MULTIPLIER_MAX / ONE:.7f}")
    if factor == 0:
        return 0, 0
    shift = min(SHIFT_MAX, max(0, -math.floor(math.log2(factor))))
    multiplier = round(math.ldexp(factor, MULTIPLIER_BITS - 1 + shift))
    return (multiplier, shift) if multiplier <= MULTIPLIER_MAX else (multiplier >> 1, shift - 1)


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} = {value} must be {low} … {high}")


@njit(cache=True)
def scaled(
    acc: Array, biases: Array, multipliers: Array, shifts: Array, added: Array, factor: Int, shift_added: Int,
    zero_added: Int, zero: Int, low: Int, high: Int, even: bool, near_half: bool, bits: Int,
    out: Array,
) -> Int:  # fmt: skip
    """Fill ``out`` int8 from sums, both (channels, n); returns the number of values that were clipped to ``bits``.

    ``added`` int8 of that shape may be ``out`` itself where ``factor`` is 0.
    """
    clipped = 0
    limit = np.int64(1) << (bits - 1)
    for c in range(acc.shape[0]):
        bias, multiplier, shift = biases[c], multipliers[c], CUT + shifts[c]
        lost = (np.int64(1) << shift) - 1
        for k in range(acc.shape[1]):
            product = (np.int64(acc[c, k]) + bias) * multiplier
            total = product >> shift
            if factor:
                total += (np.int64(added[c, k]) - zero_added) * factor >> CUT + shift_added
            whole = (total + HALF) >> POINT
            point = total & POINT_MASK
            if even and ((point | 1) == (HALF | 1) if near_half else point == HALF and (product & lost) == 0):
                whole -= whole & 1
            wide = whole + zero
            narrow = min(max(wide, -limit), limit - 1)
            clipped += narrow != wide
            out[c, k] = min(max(narrow, low), high)
    return clipped
