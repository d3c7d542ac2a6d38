# SPDX-License-Identifier: Apache-2.0
"""Bit-exact layers of the PE array (docs/pe_array/numbers.md), in all three phases of training.

Maps are int8 (channels, H, W, batch): activations, and gradients, called ``d``. Kernels are elements at ``Positions``
of the weight matrix, int8 (n, KH, KW). Sums are exact: where an accumulator of ``acc_bits`` would overflow,
``OverflowError`` is raised, because the hardware would wrap.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.pe_command import GRADIENT_BITS
from models.pe_array.isa.shapes import Conv, Pool, Positions, SlidingWindow
from models.pe_array.isa.widths import SHIFT_MAX
from models.pe_array.network import kernels, products, weight_gradients

Int8Array = npt.NDArray[np.int8]
UInt8Array = npt.NDArray[np.uint8]
UInt16Array = npt.NDArray[np.uint16]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Accumulators = npt.NDArray[np.int32] | npt.NDArray[np.int64]

ACC_BITS = 32
PRESET_MAX = 15
"""Largest left shift of a map that is loaded to Y."""
WIDE = 1 << 31
"""Sums that can be so large are made by loops of 64 bits."""
NO_BIAS: Int32Array = np.empty(0, dtype=np.int32)
"""Of layers without biases."""
HALF_UP: UInt16Array = np.empty(0, dtype=np.uint16)
"""In place of random words: round half up."""
NO_LIMIT = 128
"""Of results: more than one can be."""
UNBIASED: Int64Array = np.zeros(1, dtype=np.int64)
"""In place of biases: 0 for all channels."""


@dataclass(frozen=True)
class Requantised:
    """Values of at most 8 bits, and how many of them were clipped."""

    values: Int8Array
    saturated: int


def geometry(window: SlidingWindow) -> Int64Array:
    """Of a window, as the loops of kernels.py take it."""
    return np.array(
        [*window.kernel, *window.stride, window.pad[0], window.pad[1], *window.dilation], dtype=np.int64
    )  # fmt: skip


def _bytes(name: str, array: npt.NDArray[Any], *shape: int | None) -> Int8Array:
    """The array, contiguous; ValueError where it is not int8 of that shape (None: any size)."""
    found = array.shape
    matches = array.dtype == np.int8 and array.ndim == len(shape)
    if not matches or found != tuple(n if want is None else want for want, n in zip(shape, found, strict=True)):
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{name} is {array.dtype} {array.shape}, must be int8 ({wanted})")
    return np.ascontiguousarray(array)


def _check_shift(name: str, shift: int, low: int = 0, high: int = SHIFT_MAX) -> None:
    if not low <= shift <= high:
        raise ValueError(f"{name} = {shift} must be {low} … {high}")


def _fits(sums: npt.NDArray[Any], bits: int, what: str) -> None:
    if sums.size:
        _range_fits(int(sums.min()), int(sums.max()), bits, what)


def _range_fits(low: int, high: int, bits: int, what: str) -> None:
    if not -1 << (bits - 1) <= low <= high < 1 << (bits - 1):
        raise OverflowError(f"{what}: sums {low} … {high} do not fit in {bits} bits")


def sum_bound(positions: Positions, backward: bool, values: Int8Array, acc_bits: int) -> int:
    """What no sum of ``values`` times 8-bit data in one output channel (``backward``: input channel) exceeds, in
    magnitude. Their number says enough in most layers; else their magnitudes are added up."""
    most, limit = values.size << 14, 1 << min(acc_bits - 1, 31)
    if most < limit:
        return most
    index, known = positions.col if backward else positions.row, positions.derived
    if (sum_bound, backward) not in known:
        known[sum_bound, backward] = int(np.bincount(index).max())
    elements: int = known[sum_bound, backward]
    most = elements * (values.size // len(values)) << 14
    if most < limit:
        return most
    totals = np.zeros(int(index.max()) + 1, dtype=np.int64)
    kernels.magnitudes(index, values, totals)
    return 128 * int(totals.max())


def _checked(sums: Accumulators, bound: int, acc_bits: int, what: str) -> Accumulators:
    if bound >= 1 << (acc_bits - 1):
        _fits(sums, acc_bits, what)
    return sums.astype(np.int32) if acc_bits <= 32 and sums.dtype != np.int32 else sums


def conv_forward(
    conv: Conv, x: Int8Array, positions: Positions, values: Int8Array, acc_bits: int = ACC_BITS
) -> Accumulators:
    """Phase FF: accumulators (rows, OH, OW, batch) of a convolution of x (cols, H, W, batch).

    int32 for ``acc_bits`` up to 32, else int32 or int64. A fully connected layer is a 1 x 1 convolution.
    """
    x = _bytes("x", x, conv.cols, None, None, None)
    values = _bytes("values", values, len(positions), *conv.kernel)
    size = conv.out_size(x.shape[1], x.shape[2])
    bound = sum_bound(positions, False, values, acc_bits)
    if bound < WIDE:
        sums = products.sums(conv, x, positions, values, conv.rows, x.shape[1:3], backward=False)
        return _checked(sums, bound, acc_bits, "forward")
    wide = np.zeros((conv.rows, *size, x.shape[3]), dtype=np.int64)
    kernels.forward(geometry(conv), x, positions.row, positions.col, values, wide)
    return _checked(wide, bound, acc_bits, "forward")


def conv_input_gradient(
    conv: Conv, d: Int8Array, positions: Positions, values: Int8Array, height: int, width: int,
    acc_bits: int = ACC_BITS,
) -> Accumulators:  # fmt: skip
    """Phase NG: accumulators (cols, height, width, batch), gradient of the input, from d (rows, OH, OW, batch)."""
    d = _bytes("d", d, conv.rows, *conv.out_size(height, width), None)
    values = _bytes("values", values, len(positions), *conv.kernel)
    bound = sum_bound(positions, True, values, acc_bits)
    if bound < WIDE:
        sums = products.sums(conv, d, positions, values, conv.cols, (height, width), backward=True)
        return _checked(sums, bound, acc_bits, "input gradient")
    wide = np.zeros((conv.cols, height, width, d.shape[3]), dtype=np.int64)
    kernels.input_gradient(geometry(conv), d, positions.row, positions.col, values, wide)
    return _checked(wide, bound, acc_bits, "input gradient")


def conv_weight_gradient(conv: Conv, x: Int8Array, d: Int8Array, positions: Positions) -> Int32Array:
    """Phase WG: gradients int32 (n, KH, KW) at the elements alone, summed over images and pixels."""
    x = _bytes("x", x, conv.cols, None, None, None)
    d = _bytes("d", d, conv.rows, *conv.out_size(x.shape[1], x.shape[2]), x.shape[3])
    found = weight_gradients.gradients(conv, x, d, positions)
    if found.dtype != np.int32:
        _fits(found, GRADIENT_BITS, "weight gradient")
    return found.astype(np.int32, copy=False).reshape(-1, *conv.kernel)


def bias_gradient(d: Int8Array) -> Int32Array:
    """Gradients int32 (channels,) of the biases: sums of d (channels, OH, OW, batch) over images and pixels."""
    sums: Int64Array = d.reshape(len(d), -1).sum(axis=1, dtype=np.int64)
    _fits(sums, GRADIENT_BITS, "bias gradient")
    return np.asarray(sums, dtype=np.int32)


def max_pool(pool: Pool, x: Int8Array) -> tuple[Int8Array, UInt8Array]:
    """(maxima int8, indices uint8), both (C, OH, OW, batch), of x (C, H, W, batch).

    The index is the tap ``i*KW + j`` of the first maximum of the window in raster order; padding never wins.
    """
    x = _bytes("x", x, None, None, None, None)
    shape = (x.shape[0], *pool.out_size(x.shape[1], x.shape[2]), x.shape[3])
    value, index = np.empty(shape, dtype=np.int8), np.empty(shape, dtype=np.uint8)
    kernels.max_pool(geometry(pool), x, value, index)
    return value, index


def max_pool_backward(pool: Pool, d: Int8Array, index: UInt8Array, height: int, width: int) -> Int32Array:
    """Accumulators int32 (C, height, width, batch): every gradient of d at its window's maximum, sums of overlaps."""
    d = _bytes("d", d, None, *pool.out_size(height, width), None)
    if index.shape != d.shape or index.dtype != np.uint8:
        raise ValueError(f"index is {index.dtype} {index.shape}, must be uint8 {d.shape}")
    out = np.zeros((d.shape[0], height, width, d.shape[3]), dtype=np.int32)
    kernels.max_pool_backward(geometry(pool), d, np.ascontiguousarray(index), out)
    return out


def _pool_as_conv(pool: Pool, channels: int, multiplier: int) -> tuple[Conv, Positions, Int8Array]:
    _check_shift("multiplier", multiplier, 1, 127)
    conv = Conv(pool.kernel, pool.stride, pool.pad, pool.dilation, channels, channels, channels)
    return conv, Positions.all_of(conv), np.full((channels, *pool.kernel), multiplier, dtype=np.int8)


def average_pool(pool: Pool, x: Int8Array, multiplier: int = 1, acc_bits: int = ACC_BITS) -> Accumulators:
    """Accumulators (C, OH, OW, batch): ``multiplier`` (1 … 127) times the sum of each window; padding counts as 0.

    The average is what ``requantise`` makes of it: shift s and multiplier m with m / 2**s near 1 / (KH*KW)
    (``average_scale``); for a window of 2**s pixels, m = 1.
    """
    x = _bytes("x", x, None, None, None, None)
    conv, positions, values = _pool_as_conv(pool, x.shape[0], multiplier)
    pool.out_size(x.shape[1], x.shape[2])
    return conv_forward(conv, x, positions, values, acc_bits)


def average_pool_backward(
    pool: Pool, d: Int8Array, height: int, width: int, multiplier: int = 1, acc_bits: int = ACC_BITS
) -> Accumulators:
    """Accumulators (C, height, width, batch): ``multiplier`` times the sum of d over the windows of each pixel."""
    conv, positions, values = _pool_as_conv(pool, d.shape[0], multiplier)
    pool.out_size(height, width)
    return conv_input_gradient(conv, d, positions, values, height, width, acc_bits)


def average_scale(pixels: int) -> tuple[int, int]:
    """(multiplier, shift) with multiplier / 2**shift nearest to 1/pixels; multiplier 1 … 127, the smallest shift."""
    choices = [
        (m, s) for s in range(SHIFT_MAX + 1) for m in {(1 << s) // pixels, -(-(1 << s) // pixels)} if 1 <= m <= 127
    ]
    return min(choices, key=lambda choice: (abs(Fraction(choice[0] * pixels, 1 << choice[1]) - 1), choice[1]))


def add_residual(acc: Accumulators, x: Int8Array, shift: int, acc_bits: int = ACC_BITS) -> Accumulators:
    """Accumulators plus a map of the same shape, shifted left by 0 … 15: what a load to Y before the sums does."""
    _check_shift("shift", shift, 0, PRESET_MAX)
    if x.shape != acc.shape:
        raise ValueError(f"x is {x.shape}, must be {acc.shape}")
    total = np.empty(acc.shape, dtype=np.int32 if acc_bits <= 32 else np.int64)
    flat, added = np.ascontiguousarray(acc).reshape(-1), np.ascontiguousarray(x).reshape(-1)
    _range_fits(*kernels.add_shifted(flat, added, shift, total.reshape(-1)), acc_bits, "residual")
    return total


def requantise(
    acc: Accumulators, shift: int, relu: bool = False, mask: Int8Array | None = None, random: UInt16Array = HALF_UP,
    bits: int = 8, bias: Int64Array = UNBIASED, high: int = NO_LIMIT,
) -> Requantised:  # fmt: skip
    """``sat(hu(acc + bias, shift))``, or rounded with random words; shift 0 … 31.

    Args:
        acc: accumulators of any shape.
        relu: negative results become 0.
        mask: activations of the same shape; where one is not positive the result is 0 (derivative of ReLU), and where
            it is not below ``high``.
        random: 16-bit words, flat, one for every accumulator; none: half up.
        bits: of the results, 4 … 8.
        bias: one for every channel, int64 (channels,), the first axis of ``acc``; or one for all, (1,).
        high: limit of the results, but of those with a mask.

    The count of clipped values is taken before ReLU and mask.
    """
    _check_shift("shift", shift)
    if mask is not None:
        mask = _bytes("mask", mask, *acc.shape)
    out = np.empty(acc.shape, dtype=np.int8)
    flat = np.ascontiguousarray(acc).reshape(-1)
    at = out.reshape(-1)
    if len(bias) not in (1, len(acc)):
        raise ValueError(f"{len(bias)} biases must be one or {len(acc)}, the channels")
    if len(random) not in (0, len(flat)):
        raise ValueError(f"{len(random)} random words must be none or {len(flat)}")
    flat_mask = at if mask is None else mask.reshape(-1)
    saturated = kernels.requantise(
        flat, shift, 0 if relu else -128, high, flat_mask, mask is not None, bits, at, random, bias
    )
    return Requantised(out, int(saturated))


def relu(x: Int8Array) -> Int8Array:
    """max(x, 0)."""
    return np.maximum(x, np.int8(0))


def relu_backward(d: Int8Array, a: Int8Array) -> Int8Array:
    """d where the activation a is positive, else 0."""
    return np.where(a > 0, d, np.int8(0))
