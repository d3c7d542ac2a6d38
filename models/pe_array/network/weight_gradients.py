# SPDX-License-Identifier: Apache-2.0
"""WG: sums of products over all pixels and images, at the elements alone; same bits as kernels.py.

All lanes of some channels are gathered, one row for each tap, and each weight's gradient is the product of such a row
with one of the output's gradient. Where most elements are there, all of them are computed, in squares that use a row
several times.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.lib import threads
from models.pe_array.isa.shapes import Conv, Positions, SlidingWindow
from models.pe_array.network.gathering import Gather, gather_lanes, gathers, with_zero
from models.pe_array.network.products import CACHE, PART, sums
from models.pe_array.network.simd import SIDE, STEP, TAPS, row_dots, square_dots

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code
Int8Array = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Gradients = npt.NDArray[np.int32] | npt.NDArray[np.int64]

LANES_MAX = 1 << 17
"""So many products of bytes may be more than 32 bits hold."""
STRIP = 1 << 11
"""Lanes that are gathered at once."""
SPARSE_COST = 1.6
"""Time of a product in ``row_dots``, as a multiple of that in ``square_dots``, as measured."""
FEW_LANES = 256
"""Up to so many, adding up what ``square_dots`` has in its registers takes longer than turning the map round."""


@njit(cache=True, nogil=True)
def all_gradients(
    d: Array, d_lanes: Int, first_row: Int, end_row: Int, x: Array, pixels: Int, batch: Int, source: Array, strip: Int,
    channels: Int, first: Int, end: Int, out: Array,
) -> None:  # fmt: skip
    """out (rows, all channels * taps) += products of some rows of d with some channels of x; int32 or int64.

    Args:
        d: int8, flat: ``d_lanes`` lanes of every row, in whole STEP and SIDE: 0 beyond the map.
        x, pixels, batch, source: as in ``multiply``.
        strip: lanes that are gathered at once, a multiple of STEP.
        channels: that are gathered at once.
    """
    taps = len(source)
    lanes = source.shape[1] * batch
    channels = min(channels, end - first)
    data = np.zeros((channels * taps + SIDE) * strip, dtype=np.int8)
    tile = np.empty(SIDE * SIDE, dtype=np.int32)
    for lane in range(0, lanes, strip):
        count = min(strip, lanes - lane)
        for c in range(first, end, channels):
            here = min(channels, end - c)
            gather_lanes(x, pixels, source, batch, lane, count, c, c + here, strip, data)
            for r in range(first_row, end_row, SIDE):
                for k in range(0, here * taps, SIDE):
                    square_dots(
                        d, r * d_lanes + lane, d_lanes, data, k * strip, strip, (count + STEP - 1) // STEP, tile
                    )
                    for m in range(min(SIDE, end_row - r)):
                        for t in range(min(SIDE, here * taps - k)):
                            out[r + m, c * taps + k + t] += tile[m * SIDE + t]


@njit(cache=True, nogil=True)
def some_gradients(
    d: Array, d_lanes: Int, row: Array, element: Array, starts: Array, x: Array, pixels: Int, batch: Int,
    source: Array, strip: Int, first: Int, end: Int, out: Array,
) -> None:  # fmt: skip
    """out[element, tap] int32 += products at the elements of some channels, which are those from starts[channel] on.

    Args:
        row: int32, of every element, in the order of the channels; ``element``: its number.
        d, d_lanes, x, pixels, batch, source, strip: as in ``all_gradients``.
    """
    taps = len(source)
    lanes = source.shape[1] * batch
    data = np.zeros((taps + TAPS) * strip, dtype=np.int8)
    tile = np.empty(TAPS, dtype=np.int32)
    for lane in range(0, lanes, strip):
        count = min(strip, lanes - lane)
        for c in range(first, end):
            if starts[c] == starts[c + 1]:
                continue
            gather_lanes(x, pixels, source, batch, lane, count, c, c + 1, strip, data)
            for e in range(starts[c], starts[c + 1]):
                for k in range(0, taps, TAPS):
                    d0 = row[e] * d_lanes + lane
                    row_dots(d, d0, d_lanes, data, k * strip, strip, (count + STEP - 1) // STEP, tile)
                    for t in range(min(TAPS, taps - k)):
                        out[element[e], k + t] += tile[t]


def gradients(conv: Conv, x: Int8Array, d: Int8Array, positions: Positions) -> Gradients:
    """(n, KH*KW) of x (cols, H, W, batch) and d (rows, OH, OW, batch); int64 where 32 bits may not hold them."""
    lanes = d.shape[1] * d.shape[2] * d.shape[3]
    out = np.zeros((len(positions), conv.taps), dtype=np.int32 if lanes < LANES_MAX else np.int64)
    seen = gathers(conv, x.shape[1], x.shape[2], backward=False)
    if not out.size or not lanes or not seen:
        return out
    taps, flat_d = seen[0].taps, d.reshape(conv.rows, lanes)
    found: Gradients
    if len(positions) * -(-len(taps) // TAPS) * TAPS * SPARSE_COST < conv.rows * conv.cols * len(taps):
        found = np.zeros((len(positions), len(taps)), dtype=out.dtype)
        _some(seen[0], x, flat_d, positions, found)
    else:
        every = np.zeros((conv.rows, conv.cols * len(taps)), dtype=out.dtype)
        if lanes <= FEW_LANES:
            every = _by_lanes(seen[0], x, flat_d)
        else:
            _all(seen[0], x, flat_d, every)
        found = _chosen(every, conv, positions)
    if len(taps) == conv.taps:
        return found
    out[:, taps] = found
    return out


def _some(gather: Gather, x: Int8Array, d: Int8Array, positions: Positions, out: Gradients) -> None:
    """Add the gradients (n, taps) at the elements, by channels."""
    channels, height, width, batch = x.shape
    flat, whole, lanes = with_zero(x), _whole_steps(d), d.shape[1]
    rows, order, starts = _by_channel(positions, channels)
    strip = min(whole.shape[1], STRIP)

    def part(first: int, end: int) -> None:
        some_gradients(
            whole.reshape(-1), whole.shape[1], rows, order, starts, flat, height * width + 1, batch, gather.source,
            strip, first, end, out,
        )  # fmt: skip

    threads.split(part, channels, -(-PART * channels // (out.size * lanes)))


def _by_channel(positions: Positions, channels: int) -> tuple[Int32Array, Int64Array, Int64Array]:
    """Rows and numbers of the elements in the order of their input channels, and where each channel starts there."""
    known, key = positions.derived, (_by_channel, channels)
    if key not in known:
        order = np.argsort(positions.col, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(positions.col, minlength=channels))])
        known[key] = positions.row[order], order, starts
    found: tuple[Int32Array, Int64Array, Int64Array] = known[key]
    return found


def _all(gather: Gather, x: Int8Array, d: Int8Array, out: Gradients) -> None:
    """Add all gradients (rows, channels * taps), by channels, or by rows where there are few channels."""
    channels, height, width, batch = x.shape
    flat, whole, (rows, lanes), taps = with_zero(x), _whole_steps(d), d.shape, len(gather.taps)
    strip = min(whole.shape[1], STRIP)
    together = max(1, CACHE // 2 // (taps * strip))

    def part(first_row: int, end_row: int, first: int, end: int) -> None:
        all_gradients(
            whole.reshape(-1), whole.shape[1], first_row, end_row, flat, height * width + 1, batch, gather.source,
            strip, together, first, end, out,
        )  # fmt: skip

    least = -(-PART // (taps * lanes))
    if channels >= threads.PARTS * threads.count():
        threads.split(lambda first, end: part(0, rows, first, end), channels, -(-least // rows))
    else:
        squares = -(-rows // SIDE)  # whole ones: what a square reads beyond the last row of a part must be there
        some = max(-(-least // (channels * SIDE)), -(-squares // threads.count()))
        threads.split(lambda first, end: part(first * SIDE, min(end * SIDE, rows), 0, channels), squares, some)


def _by_lanes(gather: Gather, x: Int8Array, d: Int8Array) -> Int32Array:
    """All gradients (rows, channels * taps) as sums of FF: its channels are the lanes here, its lanes the taps."""
    channels, height, width, batch = x.shape
    (rows, lanes), taps = d.shape, channels * len(gather.taps)
    seen = np.empty((taps, lanes), dtype=np.int8)
    pixels = height * width + 1
    gather_lanes(with_zero(x), pixels, gather.source, batch, 0, lanes, 0, channels, lanes, seen.reshape(-1))
    turned = np.ascontiguousarray(seen.T).reshape(lanes, 1, 1, taps)
    values = d.reshape(-1, 1, 1)
    return sums(SlidingWindow(), turned, _every(*d.shape), values, rows, (1, 1), backward=False).reshape(rows, taps)


@functools.lru_cache(maxsize=64)
def _every(rows: int, cols: int) -> Positions:
    """All positions of a matrix."""
    return Positions.of_mask(np.ones((rows, cols), dtype=np.bool_))


def _whole_steps(d: Int8Array) -> Int8Array:
    """(rows, lanes) as rows and lanes that ``square_dots`` can read: 0 beyond what is there."""
    rows, lanes = d.shape
    whole = np.zeros((-(-rows // SIDE) * SIDE, -(-lanes // STEP) * STEP), dtype=np.int8)
    whole[:rows, :lanes] = d
    return whole


def _chosen(every: Gradients, conv: Conv, positions: Positions) -> Gradients:
    """(n, taps) at the elements, of all (rows, cols * taps)."""
    elements, known = every.reshape(conv.rows * conv.cols, -1), positions.derived
    key = (_chosen, conv.rows, conv.cols)
    if key not in known:
        place = positions.row.astype(np.int64) * conv.cols + positions.col
        known[key] = None if np.array_equal(place, np.arange(len(elements))) else place
    return elements if known[key] is None else elements[known[key]]
