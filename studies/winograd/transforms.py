# SPDX-License-Identifier: Apache-2.0
"""Winograd's F(2 x 2, 3 x 3) in whole numbers: transforms, and the bits that they take (docs/pe_array/winograd.md).

A tile of 2 x 2 outputs takes 16 products per kernel in place of 36: ``y = A' ((G g G') * (B' d B)) A`` with the tile's
4 x 4 pixels ``d`` and the kernel ``g``. ``G`` has halves. With ``2 G`` all is whole, and the sum over the channels is 4
times the output: it is divided at the end, exactly. Formulas: A. Lavin and S. Gray, "Fast Algorithms for Convolutional
Neural Networks", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.isa.shapes import Pair

PIXELS = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
"""B': of the 4 lines of a tile's pixels."""
KERNEL = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
"""2 G: of the 3 lines of a kernel, twice."""
OUTPUTS = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
"""A': to the 2 lines of a tile's outputs."""
DELTAS = np.array([[2, 0], [1, 1], [1, -1], [0, 2]])
"""2 G of F(3, 2), which makes gradients of weights: of the 2 lines of a tile's deltas."""
GRADIENTS = np.array([[1, 1, 1, 0], [0, 1, -1, 0], [0, 1, 1, -1]])
"""A' of F(3, 2): to the 3 lines of a kernel's gradient."""
SCALE = 4
"""What comes out is so many times the result: a factor of 2 from either direction."""
TILE, SIDE, PRODUCTS = 2, 4, 16
"""Outputs and pixels on a side of a tile; products of a tile and kernel, which make as many words of Y."""


def transformed(matrix: IntArray, values: IntArray) -> IntArray:
    """``M x M'`` of the last two axes of an integer array."""
    return np.asarray(matrix @ values @ matrix.T)


def tiles(map_: IntArray) -> IntArray:
    """(channels, H, W) with padding of 1 to the tiles' pixels (channels, H/2, W/2, 4, 4); H and W even."""
    padded = np.pad(map_, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))
    return windows[:, ::TILE, ::TILE]


def forward(map_: IntArray, weights: IntArray, bits: int = 32) -> IntArray:
    """FF of a 3 x 3 convolution with padding of 1, as the array would compute it.

    Args:
        map_: (cols, H, W), H and W even; with whole kernels of 0 taken out nothing changes.
        weights: (rows, cols, 3, 3).
        bits: of the accumulators, which wrap; the outputs have 2 bits less.

    Returns:
        (rows, H, W).
    """
    sums = np.einsum("rcij,cyxij->ryxij", transformed(KERNEL, weights), transformed(PIXELS, tiles(map_)))
    scaled = _wrap(transformed(OUTPUTS, _wrap(sums, bits)), bits)
    if (scaled % SCALE).any():
        raise AssertionError(f"sums that are no multiples of {SCALE}")
    rows, high, wide = scaled.shape[:3]
    return np.asarray((scaled // SCALE).transpose(0, 1, 3, 2, 4).reshape(rows, TILE * high, TILE * wide))


def turned(of_kernel: IntArray) -> IntArray:
    """FF's transformed kernels (…, 4, 4) as NG needs them, where kernels are turned by 180 degrees: other places."""
    order = [3, 1, 2, 0]
    return np.asarray(of_kernel[..., order, :][..., order])


def gradient(pixels: IntArray, deltas: IntArray) -> IntArray:
    """WG: a kernel's gradient (3, 3) from the pixels (n, 4, 4) and the deltas (n, 2, 2) of its tiles and images."""
    sums = (transformed(PIXELS, pixels) * transformed(DELTAS, deltas)).sum(axis=0)
    return np.asarray(transformed(GRADIENTS, sums) // SCALE)


def _wrap(values: IntArray, bits: int) -> IntArray:
    half = 1 << (bits - 1)
    return np.asarray((values + half) % (2 * half) - half)


def extremes(matrix: IntArray, low: int, high: int) -> Pair:
    """Least and greatest value of ``transformed(matrix, x)`` for x of low … high."""
    factors = [np.outer(one, other) for one, other in product(matrix, matrix)]
    most = [int(np.maximum(f, 0).sum() * high + np.minimum(f, 0).sum() * low) for f in factors]
    least = [int(np.maximum(f, 0).sum() * low + np.minimum(f, 0).sum() * high) for f in factors]
    return min(least), max(most)


def signed_bits(values: Iterable[int]) -> int:
    """Bits of a signed number that has these values."""
    return 1 + max((v if v >= 0 else -v - 1).bit_length() for v in values)


@dataclass(frozen=True)
class OperandWidths:
    """Bits of operands, and how many channels a sum may have so that it stays in its accumulator for any operands."""

    pixel: int
    weight: int
    delta: int
    product: int
    channels: int

    @classmethod
    def of(cls, data: int = 8, mac: int = 8, accumulator: int = 32) -> OperandWidths:
        """For pixels and MAC weights of so many bits."""
        ranges = [
            extremes(matrix, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
            for matrix, bits in ((PIXELS, data), (KERNEL, mac), (DELTAS, data))
        ]
        pixel, weight, delta = (signed_bits(each) for each in ranges)
        products = [a * b for a, b in product(ranges[0], ranges[1])]
        largest = 9 * SCALE << (data - 1) + (mac - 1)  # of a channel in an output, before the division
        return cls(pixel, weight, delta, signed_bits(products), ((1 << (accumulator - 1)) - 1) // largest)


def adder_bits(lanes: int, accumulator: int = 32) -> dict[str, int]:
    """Bits of adders for a word per clock, about a LUT each: before X of a broadcast, and behind Y in a drain.

    A tile's 16 words take 32 additions (two directions, 4 lines, 4 each), those of its outputs 16 + 8.
    """
    widths = OperandWidths.of()
    return {"input": 2 * lanes * widths.pixel, "output": 2 * lanes * accumulator}
