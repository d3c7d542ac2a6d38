# SPDX-License-Identifier: Apache-2.0
"""Accumulators to pixel words, word by word as `requantise.v` makes them.

Sources of the formulas: docs/pe_array/numbers.md, docs/pe_array/rounding.md. ``layers.requantise`` is the same for
whole maps; here are the fields of MAX and stochastic rounding with its random words, lane by lane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray, lane_seed, lfsr_step, round_shift, saturate, stochastic_addend
from models.lib.registers import Code
from models.pe_array.isa.descriptors import MULTIPLIER_BITS, ONE
from models.pe_array.isa.widths import SHIFT_MAX

POINT = 16
"""Bits behind the point of what is rounded."""
POINT_MASK = (1 << POINT) - 1
CUT = MULTIPLIER_BITS - 1 - POINT
"""Bits of every product that are cut besides those of its shift."""
CUT_MASK = (1 << CUT) - 1
_FAR = 1 << 52

BoolArray = npt.NDArray[np.bool_]
Numbers = int | IntArray


class AccumulatorField(Code):
    """What of an accumulator becomes the byte of an output."""

    SUM = 0, "the sum, requantised"
    VALUE = 1, "the largest pixel of a window"
    INDEX = 2, "its place in the window"


class RandomLanes:
    """The LFSRs of the lanes of one module.

    Attributes:
        state: present random words, int64 (lanes,), 1 … 65535.
    """

    def __init__(self, lanes: int, seed: int, base: int = 0) -> None:
        """Lanes ``base`` … ``base + lanes - 1`` with the 16-bit ``seed``."""
        self._numbers = base + np.arange(lanes)
        self.load(seed)

    def load(self, seed: int) -> None:
        """Start again with another seed."""
        self.state: IntArray = lane_seed(self._numbers, seed)

    def take(self, words: int) -> IntArray:
        """The random words of the next ``words`` words, int64 (words, lanes); the lanes step as often."""
        taken = np.empty((words, len(self.state)), dtype=np.int64)
        for word in taken:
            word[:] = self.state
            self.state = lfsr_step(self.state)
        return taken


def rounded(x: npt.ArrayLike, shift: int, random: npt.ArrayLike | None = None) -> IntArray:
    """``(x + r) >> shift``: half up, or stochastic with 16-bit random words; same shape, int64.

    Raises:
        ValueError: the shift is not 0 … 31.
    """
    if not 0 <= shift <= SHIFT_MAX:
        raise ValueError(f"shift = {shift} must be 0 … {SHIFT_MAX}")
    return round_shift(x, shift, None if random is None else stochastic_addend(random, shift))


@dataclass(frozen=True)
class DrainSettings:
    """What becomes of accumulators: fields of ``Output`` and ``Scales``, and of the records of channels.

    Of all fields but SUM only ``relu``, and with VALUE ``low`` and ``high`` and the mask, have an effect.

    Attributes:
        shift: right shift of the product, 0 … 31; int, or int64 that broadcasts with the accumulators.
        relu: negative results become 0.
        field: VALUE and INDEX take a byte as it is; INDEX, an unsigned number that comes out as a signed byte, knows
            nothing else, not even ``bits``.
        bits: DATA, 4 … 8.
        bias: added to the accumulators after ``hu(bias, bias_shift)``, 32 bits; as the shift.
        multiplier: 0 … 2^24 - 1, ``ONE`` is 1.0; as the shift.
        zero: added to what is rounded, before the saturation.
        low, high: limits of the result, signed bytes.
        even: halves are rounded to even, else up (where the rounding is not stochastic).
        mask_high: the mask must also be less than ``high``, which then is no limit of the result.
        addend_zero, addend_multiplier, addend_shift: of the addend: ``(a - zero) * multiplier / 2^(23 + shift)``.
        near_half: with ``even``, what is less than 2^-15 above a half is one, too.
    """

    shift: Numbers = 0
    relu: bool = False
    field: AccumulatorField = AccumulatorField.SUM
    bits: int = 8
    bias: Numbers = 0
    bias_shift: int = 0
    multiplier: Numbers = ONE
    zero: int = 0
    low: int = -128
    high: int = 127
    even: bool = False
    mask_high: bool = False
    addend_zero: int = 0
    addend_multiplier: int = ONE
    addend_shift: int = 0
    near_half: bool = False


def requantise(
    acc: npt.ArrayLike,
    settings: DrainSettings = DrainSettings(),
    random: npt.ArrayLike | None = None,
    mask: npt.ArrayLike | None = None,
    addend: npt.ArrayLike | None = None,
) -> tuple[IntArray, BoolArray]:
    """(values of ``bits`` bits, mask of the clipped ones) of accumulators, both of their shape.

    Clipped ones are counted before limits, ReLU and mask.

    Args:
        acc: accumulators, any shape.
        settings: what becomes of them.
        random: 16-bit random words of the same shape; None rounds half up or to even.
        mask: signed bytes of the same shape; the result is 0 where one is not positive.
        addend: signed bytes of the same shape that are scaled and added before the rounding.

    Raises:
        ValueError: a shift is not 0 … 31.
    """
    of, word = settings, np.asarray(acc, dtype=np.int64)
    if of.field is AccumulatorField.SUM:
        y, clipped = saturate(_scaled(word, of, random, addend) + of.zero, of.bits)
    else:
        y = (word >> (8 * (of.field - AccumulatorField.VALUE))).astype(np.int8).astype(np.int64)
        y, clipped = saturate(y, of.bits if of.field is AccumulatorField.VALUE else 8)
    if of.field is AccumulatorField.INDEX:
        return y, clipped
    y = np.minimum(np.maximum(y, of.low), 127 if of.mask_high else of.high)
    if of.relu:
        y = np.maximum(y, 0)
    if mask is not None:
        kept = np.asarray(mask) > 0
        y = np.where(kept & (np.asarray(mask) < of.high) if of.mask_high else kept, y, 0)
    return y, clipped


def _scaled(
    word: IntArray, of: DrainSettings, random: npt.ArrayLike | None, addend: npt.ArrayLike | None
) -> IntArray:  # fmt: skip
    """Sums, biased, multiplied, with the addend, rounded; exact but for saturation, far beyond a byte."""
    shift = np.asarray(of.shift, dtype=np.int64)
    for each in (shift, np.asarray(of.addend_shift)):
        if each.size and not 0 <= each.min() <= each.max() <= SHIFT_MAX:
            raise ValueError(f"shift = {each.min()} … {each.max()} must be 0 … {SHIFT_MAX}")
    word = word + round_shift(of.bias, of.bias_shift)
    # the product in two parts, as it has up to 73 bits; what is clipped here is still beyond a byte after any shift
    multiplier = np.asarray(of.multiplier, dtype=np.int64)
    low = (word & POINT_MASK) * multiplier
    whole = np.clip((word >> POINT) * multiplier + (low >> POINT), -_FAR, _FAR)
    product = (whole << POINT - CUT) + ((low & POINT_MASK) >> CUT)
    total = product >> shift  # as from here on all, with 16 bits behind the point
    if addend is not None:
        above = np.asarray(addend, dtype=np.int64) - of.addend_zero
        total = total + (above * of.addend_multiplier >> CUT + of.addend_shift)
    total = total + ((1 << POINT - 1) if random is None else np.asarray(random, dtype=np.int64))
    y = total >> POINT
    if of.even and random is None:
        lost = (low & CUT_MASK) | (product & (1 << shift) - 1)
        tie = (total & POINT_MASK) >> 1 == 0 if of.near_half else (total & POINT_MASK == 0) & (lost == 0)
        y = np.where(tie, y & ~1, y)
    return y
