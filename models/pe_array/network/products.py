# SPDX-License-Identifier: Apache-2.0
"""Sums of products of the PE array's layers, in the order that is fast on a processor; same bits as kernels.py.

FF and NG are the same work. What every window sees of a map is gathered, a strip of *lanes* (pixels times images) after
the other: small enough to stay in cache. Pairs of channels or taps lie side by side, as simd.py multiplies them. Then
every *panel* of output channels is multiplied with the strip, ROWS channels at a time where most kernels are there, or
each channel by itself where many are pruned: the blocks that a panel lists are its kernels, as in CSB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.lib import threads
from models.pe_array.isa.shapes import Positions, SlidingWindow
from models.pe_array.network.gathering import Gather, gather_pairs, gathers, run_of_lanes, with_zero
from models.pe_array.network.simd import ROW_TILE, ROWS, TILE, panel_sums, row_sums

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code
Int8Array = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

CACHE = 1 << 19
"""Bytes of a strip: half of a second-level cache."""
SPARSE_COST = 1.8
"""Time of a product in ``row_sums``, as a multiple of that in ``panel_sums``, as measured: with 3 x 3 both ways take
equally long where half of the kernels are left."""
PART = 1 << 23
"""Products that are worth a thread."""
PACKING = 32
"""Products in the time in which ``pack`` moves a weight."""


@njit(cache=True, nogil=True)
def scatter_tile(
    tile: Array, rows: Int, lanes: Int, places: Array, batch: Int, lane: Int, count: Int, out: Array, row: Int
) -> None:  # fmt: skip
    """out[row + m, places[pixel], image] = tile[m*lanes + k] for ``rows`` rows and ``count`` lanes from one on."""
    pixel = lane // batch
    skipped = lane - pixel * batch
    done = 0
    while done < count:
        begin, length, pixel = run_of_lanes(places, pixel, skipped, batch, count - done)
        skipped = 0
        for m in range(rows):
            begin_u, from_u = np.uint64(begin), np.uint64(m * lanes + done)
            for k in range(np.uint64(length)):
                out[row + m, begin_u + k] = tile[from_u + k]
        done += length


@njit(cache=True, nogil=True)
def multiply(
    x: Array, x_pixels: Int, batch: Int, source: Array, places: Array, group: Int, rows: Int, starts: Array,
    blocks: Array, weights: Array, strip: Int, first_strip: Int, end_strip: Int, first: Int, end: Int, out: Array,
) -> None:  # fmt: skip
    """Sums of some panels in some strips of a gather.

    Args:
        x: int8, flat: channels of ``x_pixels`` pixels, the last of which is 0, of ``batch`` images.
        source, places: of the gather.
        group: channels in a block.
        rows: in a panel, ROWS or 1.
        starts: int64 (panels + 1,), first block of every panel.
        blocks: int32, of every panel.
        weights: int32 (blocks, pairs, rows), flat, see simd.py.
        strip: lanes.
        out: int32 (output channels, pixels * batch).
    """
    pairs = (group * len(source) + 1) // 2
    channels = len(x) // (x_pixels * batch)
    tile_lanes = TILE if rows == ROWS else ROW_TILE
    data = np.zeros((channels + group - 1) // group * pairs * 2 * strip, dtype=np.int8)
    tile = np.empty(rows * tile_lanes, dtype=np.int32)
    lanes = len(places) * batch
    for s in range(first_strip, end_strip):
        count = min(strip, lanes - s * strip)
        gather_pairs(x, x_pixels, source, batch, s * strip, count, group, 2 * strip, data)
        for p in range(first, end):
            listed = blocks[starts[p] : starts[p + 1]]
            begin = starts[p] * pairs * rows
            w = weights[begin : begin + len(listed) * pairs * rows]
            of_panel = min(rows, len(out) - p * rows)
            for at in range(0, count, tile_lanes):
                if rows == ROWS:
                    panel_sums(data, 2 * at, 2 * strip, listed, pairs, w, tile)
                else:
                    row_sums(data, 2 * at, 2 * strip, listed, pairs, w, tile)
                here = min(tile_lanes, count - at)
                scatter_tile(tile, of_panel, tile_lanes, places, batch, s * strip + at, here, out, p * rows)


@njit(cache=True, nogil=True)
def list_blocks(
    out_index: Array, in_index: Array, rows: Int, group: Int, numbers: Array, starts: Array, blocks: Array
) -> None:  # fmt: skip
    """Number the blocks of every panel: numbers (panels, blocks), -1 where there is none; the rest as in ``multiply``.

    ``rows`` and ``group`` are given as powers of two.
    """
    for e in range(np.uint64(len(out_index))):
        numbers[np.uint64(out_index[e] >> rows), np.uint64(in_index[e] >> group)] = 0
    found = 0
    for p in range(np.uint64(len(numbers))):
        starts[p] = found
        for b in range(np.uint64(numbers.shape[1])):
            if numbers[p, b] >= 0:
                numbers[p, b] = found
                blocks[np.uint64(found)] = b
                found += 1
    starts[len(numbers)] = found


@njit(cache=True, nogil=True)
def pack(
    out_index: Array, in_index: Array, values: Array, taps: Array, rows: Int, group: Int, numbers: Array, first: Int,
    end: Int, weights: Array,
) -> None:  # fmt: skip
    """Weights of some panels, see ``multiply``; values int8 (n, taps of the kernels), weights int16, zero.

    Values at one place are added up. ``rows`` and ``group`` are given as powers of two.
    """
    count = len(taps)
    pairs = ((count << group) + 1) >> 1
    for e in range(np.uint64(len(out_index))):
        out_channel, channel = np.int64(out_index[e]), np.int64(in_index[e])
        panel = out_channel >> rows
        if panel < first or panel >= end:
            continue
        block = channel >> group
        number = np.int64(numbers[np.uint64(panel), np.uint64(block)])
        begin = ((number * pairs << rows) + (out_channel - (panel << rows))) << 1
        q = (channel - (block << group)) * count
        if count == 1:  # the channel is one half of its block's pair; a loop would take twice as long
            weights[np.uint64(begin + q)] += values[e, np.uint64(taps[0])]
            continue
        for t in range(np.uint64(count)):
            at = begin + (q >> 1 << rows + 1) + (q & 1)
            weights[np.uint64(at)] += values[e, np.uint64(taps[t])]
            q += 1


@dataclass(frozen=True)
class Panels:
    """How output channels are put together, and which blocks of input channels they have; arrays as in ``multiply``."""

    rows: int
    group: int
    numbers: Int32Array
    starts: Int64Array
    blocks: Int32Array

    @classmethod
    def listed(
        cls, out_index: Int32Array, in_index: Int32Array, shape: tuple[int, int], rows: int, group: int
    ) -> Panels:
        """Panels of so many rows and blocks of so many channels; ``shape``: (output, input channels)."""
        numbers = np.full((-(-shape[0] // rows), -(-shape[1] // group)), -1, dtype=np.int32)
        starts = np.empty(len(numbers) + 1, dtype=np.int64)
        blocks = np.empty(min(numbers.size, len(out_index)), dtype=np.int32)
        list_blocks(out_index, in_index, rows.bit_length() - 1, group - 1, numbers, starts, blocks)
        return cls(rows, group, numbers, starts, blocks[: starts[-1]])

    def pairs(self, taps: int) -> int:
        """Of products in a block."""
        return (self.group * taps + 1) // 2


def panels_of(positions: Positions, backward: bool, shape: tuple[int, int], taps: int) -> Panels:
    """ROWS output channels in a panel where so many kernels are there that this is faster, else each by itself.

    They are remembered with the positions, as they stay the same from step to step.
    """
    known, key = positions.derived, (panels_of, backward, shape, taps)
    if key not in known:
        indices = (positions.col, positions.row) if backward else (positions.row, positions.col)
        group = 2 if taps % 2 and shape[1] > 1 else 1
        panels = Panels.listed(*indices, shape, ROWS, group)
        dense = len(panels.blocks) * panels.pairs(taps) * ROWS
        if len(positions) * ((taps + 1) // 2) * SPARSE_COST < dense:
            panels = Panels.listed(*indices, shape, 1, 1)
        known[key] = panels
    panels = known[key]
    assert isinstance(panels, Panels)
    return panels


def _strip(bytes_per_lane: int, lanes: int) -> int:
    """Lanes of a strip: whole tiles, of which one is always there."""
    tile = max(TILE, ROW_TILE)
    return tile * max(1, min(CACHE // (bytes_per_lane * tile), -(-lanes // tile)))


def sums(
    window: SlidingWindow, x: Int8Array, positions: Positions, values: Int8Array, out_channels: int,
    size: tuple[int, int], backward: bool,
) -> Int32Array:  # fmt: skip
    """FF or NG: int32 (out_channels, H, W, batch) from x (channels, H, W, batch); sums wrap.

    Args:
        positions, values: of the elements (n, KH, KW).
        size: of the map that the window slides over, which is x in FF and what is made in NG.
        backward: NG.
    """
    made = size if backward else window.out_size(*size)
    out = np.zeros((out_channels, *made, x.shape[3]), dtype=np.int32)
    if out.size and len(values):
        flat, kernels = with_zero(x), values.reshape(len(values), -1)
        for gather in gathers(window, *size, backward):
            panels = panels_of(positions, backward, (out_channels, len(x)), len(gather.taps))
            weights = _packed(panels, positions, backward, gather.taps, kernels)
            _sum_gather(gather, x.shape, flat, panels, weights, out.reshape(out_channels, -1))
    return out


def _packed(
    panels: Panels, positions: Positions, backward: bool, taps: Int32Array, kernels: Int8Array
) -> Int32Array:  # fmt: skip
    """Weights of ``multiply``."""
    out_index, in_index = (positions.col, positions.row) if backward else (positions.row, positions.col)
    count, rows, group = len(panels.numbers), panels.rows.bit_length() - 1, panels.group - 1
    halves = np.zeros(len(panels.blocks) * panels.pairs(len(taps)) * panels.rows * 2, dtype=np.int16)

    def part(first: int, end: int) -> None:
        pack(out_index, in_index, kernels, taps, rows, group, panels.numbers, first, end, halves)

    least = max(-(-PART * count // (PACKING * halves.size)), -(-count // threads.count()))
    threads.split(part, count, least)
    return halves.view(np.int32)


def _sum_gather(
    gather: Gather, shape: tuple[int, ...], x: Int8Array, panels: Panels, weights: Int32Array, out: Int32Array
) -> None:  # fmt: skip
    """Sums (channels, lanes) of the pixels of a gather from a map of that shape ``with_zero``: by strips, or by panels
    where there are few strips."""
    _, height, width, batch = shape
    lanes, count = len(gather.pixels) * batch, len(panels.numbers)
    strip = _strip(panels.numbers.shape[1] * panels.pairs(len(gather.taps)) * 2, lanes)
    strips, work = -(-lanes // strip), 2 * weights.size * strip

    def part(first_strip: int, end_strip: int, first: int, end: int) -> None:
        multiply(
            x, height * width + 1, batch, gather.source, gather.pixels, panels.group, panels.rows, panels.starts,
            panels.blocks, weights, strip, first_strip, end_strip, first, end, out,
        )  # fmt: skip

    if strips >= threads.PARTS * threads.count():
        threads.split(lambda first, end: part(first, end, 0, count), strips, -(-PART // work))
    else:
        least = max(-(-PART * count // (work * strips)), -(-count // threads.count()))
        threads.split(lambda first, end: part(0, strips, first, end), count, least)
