# SPDX-License-Identifier: Apache-2.0
"""Accumulators to pixel words, word by word as `requantise.v` makes them, and the deltas of the output layer.

Sources of the formulas: docs/pe_array/numbers.md, docs/pe_array/rounding.md. ``layers.requantise`` is the same for
whole maps, rounding half up; here are the fields of MAX and stochastic rounding with its random words, lane by lane.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray, lane_seed, lfsr_step, round_shift, saturate, stochastic_addend
from models.lib.registers import Code
from models.pe_array.isa.widths import SHIFT_MAX

DELTA_FRAC_MAX = 7
"""Largest number of fraction bits of the logits."""

BoolArray = npt.NDArray[np.bool_]


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


def requantise(
    acc: npt.ArrayLike,
    shift: int,
    random: npt.ArrayLike | None = None,
    relu: bool = False,
    mask: npt.ArrayLike | None = None,
    field: AccumulatorField = AccumulatorField.SUM,
    bits: int = 8,
) -> tuple[IntArray, BoolArray]:
    """(values of ``bits`` bits, mask of the clipped ones) of accumulators, both of their shape.

    Clipped ones are counted before ReLU and mask.

    Args:
        acc: accumulators, any shape.
        shift: 0 … 31, else ValueError; fields other than SUM are not shifted.
        random: 16-bit random words of the same shape; None rounds half up.
        relu: negative results become 0.
        mask: signed bytes of the same shape; the result is 0 where one is not positive.
        field: VALUE and INDEX take a byte as it is; INDEX, an unsigned number that comes out as a signed byte, knows
            neither ReLU nor mask nor ``bits``.
        bits: DATA, 4 … 8.
    """
    word = np.asarray(acc, dtype=np.int64)
    if field is AccumulatorField.SUM:
        y, clipped = saturate(rounded(word, shift, random), bits)
    else:
        y = (word >> (8 * (field - AccumulatorField.VALUE))).astype(np.int8).astype(np.int64)
        y, clipped = saturate(y, bits if field is AccumulatorField.VALUE else 8)
    if field is AccumulatorField.INDEX:
        return y, clipped
    if relu:
        y = np.maximum(y, 0)
    if mask is not None:
        y = np.where(np.asarray(mask) > 0, y, 0)
    return y, clipped


def sigmoid_table(frac: int) -> IntArray:
    """``T[i] = floor(128*sig(i/2**frac) + 0.5)``, 0 … 128, int64 (256,), at index ``i & 255``.

    Raises:
        ValueError: frac is not 0 … 7.
    """
    if not 0 <= frac <= DELTA_FRAC_MAX:
        raise ValueError(f"frac = {frac} must be 0 … {DELTA_FRAC_MAX}")
    logit = np.arange(256)
    logit[128:] -= 256
    sigmoid = 1.0 / (1.0 + np.exp(-logit / float(1 << frac)))
    return np.floor(128.0 * sigmoid + 0.5).astype(np.int64)


def sigmoid_constant(frac: int) -> str:
    """The table as the Verilog constant of `sigmoid8.vh`: byte ``i & 255`` is T[i]; 32 bytes a line."""
    table = sigmoid_table(frac).astype(np.uint8).tobytes()[::-1]
    return "{\n" + ",\n".join(f"        256'h{table[i : i + 32].hex()}" for i in range(0, 256, 32)) + "}"


def output_delta8(logits: npt.ArrayLike, labels: npt.ArrayLike, frac: int, bits: int = 8) -> IntArray:
    """``sat(hu(T[logit] - 128*[label == class], 8 - bits))``: sigmoid with cross-entropy; int64 (classes, batch).

    The scale is 2^(bits - 1).

    Args:
        logits: signed bytes (classes, batch).
        labels: classes 0 … 255 of the images, (batch,); one that is no class of the layer hits nothing.
        frac: fraction bits of the logits.
        bits: DATA, 4 … 8.
    """
    z = np.asarray(logits, dtype=np.int64)
    hit = np.asarray(labels)[None, :] == np.arange(len(z))[:, None]
    return saturate(round_shift(sigmoid_table(frac)[z & 0xFF] - 128 * hit, 8 - bits), bits)[0]
