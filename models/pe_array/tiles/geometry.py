# SPDX-License-Identifier: Apache-2.0
"""Tap lists and windows of layers on the PE array (docs/pe_array/overview.md and docs/pe_array/pe.md).

A map is split into tiles, one per PE of a slot. For its tile a PE holds in X a *window* of the map that it reads, and
in Y the accumulators of the tile or operands; ``TilePlan`` says which regions these are, and with which tap list and
strides a command gets from one to the other. Every function that makes a plan raises ValueError where an offset does
not fit in a tap entry or the list is longer than a command can walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.pe_command import ELEMENTS_MAX, TAPS_MAX, XSTRIDE_MAX, Op, PeCommand, PeShape, Tap, pack_taps
from models.pe_array.isa.region import Region
from models.pe_array.isa.shapes import Pair, Pool, SlidingWindow

Entries = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class TilePlan:
    """How one PE works on one tile.

    Attributes:
        op, swap, wstride: as in the command.
        window: what X holds of the map that is read, channel after channel; ``xstride`` = its pixels.
        operand: what Y holds from ``ybase`` on: accumulators (MAC), maxima (MAX) or operands (GRAD, UNPOOL), channel
            after channel; ``ystride`` = its pixels.
        tile: the region of the map that the plan is for. Where its pixels are results: the same as ``operand``, but
            for UNPOOL what is written from ``rbase`` on, element after element.
        entries: the packed tap list.
        results: ``last`` entries of the list: results (gradients) per element.
    """

    op: Op
    swap: bool
    wstride: int
    window: Region
    operand: Region
    tile: Region
    entries: Entries
    results: int

    @property
    def xstride(self) -> int:
        """X words per channel."""
        return self.window.pixels

    @property
    def ystride(self) -> int:
        """Y words per channel."""
        return self.operand.pixels

    def command(self, elements: int, **other: int) -> PeCommand:
        """The command for so many elements; ``other`` are the bases and ``clear``."""
        return PeCommand(
            op=self.op, taps=len(self.entries), elements=elements, swap=self.swap, wstride=self.wstride,
            xstride=self.xstride, ystride=self.ystride, **other,
        )  # fmt: skip

    def limits(self, shape: PeShape) -> tuple[int, int, int]:
        """Largest number of channels in X, of channels in Y and of elements of one command that a PE has room for.

        All memories whole; a plan that works in halves takes a shape with half the depths. UNPOOL: results and
        operands of a channel together. The number of elements is also that of E, of W and of the command. A list that
        T cannot hold makes the number of elements 0.
        """
        in_y = self.operand.pixels + (self.tile.pixels if self.op == Op.UNPOOL else 0)
        elements = min(ELEMENTS_MAX, shape.e_depth * shape.lanes // 2)
        if self.wstride:
            elements = min(elements, shape.w_depth * shape.lanes // self.wstride)
        if len(self.entries) > shape.t_depth * shape.lanes // 4:
            elements = 0
        return shape.x_depth // max(1, self.xstride), shape.y_depth // max(1, in_y), elements


def split(height: int, width: int, sy: int, sx: int) -> list[Region]:
    """The tiles of a map: ``sy`` x ``sx`` of them in raster order, the first ones at most one line larger.

    Raises:
        ValueError: more tiles than lines, or none.
    """
    for name, tiles, lines in (("sy", sy, height), ("sx", sx, width)):
        if not 1 <= tiles <= lines:
            raise ValueError(f"{name} = {tiles} must be 1 … {lines}, the lines of the map")

    def cuts(lines: int, tiles: int) -> list[Pair]:
        size, more = divmod(lines, tiles)
        return [(n * size + min(n, more), size + (n < more)) for n in range(tiles)]

    return [Region(y, x, rows, cols) for y, rows in cuts(height, sy) for x, cols in cuts(width, sx)]


def forward(kernel: SlidingWindow, height: int, width: int, tile: Region, one_weight: bool = False) -> TilePlan:
    """FF of a convolution for a tile of its output; an output pixel that sees only padding has no entry.

    Args:
        kernel: kernel, stride, padding, dilation.
        height, width: size of the input map.
        tile: region of the output map.
        one_weight: average pooling: every element uses the same weights; every tap weight byte 0 or, where windows
            count different numbers of pixels, the one of its window (``_multiplier``).
    """
    _inside(tile, kernel.out_size(height, width))
    window = _seen(kernel, height, width, tile)
    taps: list[Tap] = []
    for y, x in tile.positions():
        seen = list(_inputs(kernel, height, width, y, x))
        for n, (tap, iy, ix) in enumerate(seen):
            weight = _multiplier(kernel, height, width, y, x) if one_weight else tap
            taps.append(Tap(window.offset(iy, ix), weight, tile.offset(y, x), n == len(seen) - 1))
    return _plan(Op.MAC, False, 0 if one_weight else kernel.taps, window, tile, tile, taps)


def input_gradient(kernel: SlidingWindow, height: int, width: int, tile: Region, one_weight: bool = False) -> TilePlan:
    """NG of a convolution for a tile of its input; X holds a window of the output's gradient. Arguments: ``forward``.

    An input pixel that no kernel touches has no entry.
    """
    _inside(tile, (height, width))
    window = _touched(kernel, height, width, tile)
    taps: list[Tap] = []
    for y, x in tile.positions():
        seen = list(_outputs(kernel, height, width, y, x))
        for n, (tap, oy, ox) in enumerate(seen):
            weight = _multiplier(kernel, height, width, oy, ox) if one_weight else tap
            taps.append(Tap(window.offset(oy, ox), weight, tile.offset(y, x), n == len(seen) - 1))
    return _plan(Op.MAC, True, 0 if one_weight else kernel.taps, window, tile, tile, taps)


def weight_gradient(kernel: SlidingWindow, height: int, width: int, tile: Region) -> TilePlan:
    """WG of a convolution for a tile of its output: X holds input pixels, Y gradients of the tile's pixels.

    The list is ordered by tap: an element gives KH*KW gradients, in the order of its weights. A tap without a pixel
    in the tile has one null entry.
    """
    _inside(tile, kernel.out_size(height, width))
    window = _seen(kernel, height, width, tile)
    pairs: list[list[Pair]] = [[] for _ in range(kernel.taps)]
    for y, x in tile.positions():
        for tap, iy, ix in _inputs(kernel, height, width, y, x):
            pairs[tap].append((window.offset(iy, ix), tile.offset(y, x)))
    taps: list[Tap] = []
    for of_tap in pairs:
        for n, (xoff, yoff) in enumerate(of_tap):
            taps.append(Tap(xoff, 0, yoff, n == len(of_tap) - 1))
        if not of_tap:
            taps.append(Tap(last=True, null=True))
    return _plan(Op.GRAD, False, 0, window, tile, tile, taps)


def max_pool(kernel: SlidingWindow, height: int, width: int, tile: Region) -> TilePlan:
    """Max pooling for a tile of its output; elements are (channel, channel), the index is ``i*KW + j``.

    Arguments as ``forward``. Padding is never the maximum; the maximum of a window of padding alone is -128, index 0.
    """
    _inside(tile, kernel.out_size(height, width))
    window = _seen(kernel, height, width, tile)
    taps: list[Tap] = []
    for y, x in tile.positions():
        seen = list(_inputs(kernel, height, width, y, x))
        yoff = tile.offset(y, x)
        for n, (tap, iy, ix) in enumerate(seen):
            taps.append(Tap(window.offset(iy, ix), tap, yoff, n == len(seen) - 1))
        if not seen:
            taps.append(Tap(yoff=yoff, last=True, null=True))
    return _plan(Op.MAX, False, 0, window, tile, tile, taps)


def max_unpool(kernel: SlidingWindow, height: int, width: int, tile: Region) -> TilePlan:
    """Backward pass of max pooling for a tile of its input: X holds the output's gradient, Y its indices.

    Arguments as ``forward``. Every pixel of the tile is a result, in raster order, also those of no window.
    """
    _inside(tile, (height, width))
    window = _touched(kernel, height, width, tile)
    taps: list[Tap] = []
    for y, x in tile.positions():
        seen = list(_outputs(kernel, height, width, y, x))
        for n, (tap, oy, ox) in enumerate(seen):
            offset = window.offset(oy, ox)
            taps.append(Tap(offset, tap, offset, n == len(seen) - 1))
        if not seen:
            taps.append(Tap(last=True, null=True))
    return _plan(Op.UNPOOL, False, 0, window, window, tile, taps)


def _inputs(kernel: SlidingWindow, height: int, width: int, y: int, x: int) -> Iterator[tuple[int, int, int]]:
    """(tap, row, column) of the input pixels that output pixel (y, x) sees."""
    for i in range(kernel.kernel[0]):
        iy = y * kernel.stride[0] - kernel.pad[0] + i * kernel.dilation[0]
        if 0 <= iy < height:
            for j in range(kernel.kernel[1]):
                ix = x * kernel.stride[1] - kernel.pad[1] + j * kernel.dilation[1]
                if 0 <= ix < width:
                    yield i * kernel.kernel[1] + j, iy, ix


def _outputs(kernel: SlidingWindow, height: int, width: int, y: int, x: int) -> Iterator[tuple[int, int, int]]:
    """(tap, row, column) of the output pixels that see input pixel (y, x)."""
    out_height, out_width = kernel.out_size(height, width)
    for i in range(kernel.kernel[0]):
        oy, rest = divmod(y + kernel.pad[0] - i * kernel.dilation[0], kernel.stride[0])
        if not rest and 0 <= oy < out_height:
            for j in range(kernel.kernel[1]):
                ox, rest = divmod(x + kernel.pad[1] - j * kernel.dilation[1], kernel.stride[1])
                if not rest and 0 <= ox < out_width:
                    yield i * kernel.kernel[1] + j, oy, ox


def _multiplier(kernel: SlidingWindow, height: int, width: int, y: int, x: int) -> int:
    """Number of the weight of an average's window at output pixel (y, x), by the rows and columns that it counts."""
    if not isinstance(kernel, Pool) or not kernel.uneven:
        return 0
    return (kernel.counted_taps(0, y, height) - 1) * kernel.kernel[1] + kernel.counted_taps(1, x, width) - 1


def _seen(kernel: SlidingWindow, height: int, width: int, tile: Region) -> Region:
    """The smallest region of the input that a tile of the output sees, without padding."""
    return _hull((iy, ix) for y, x in tile.positions() for _, iy, ix in _inputs(kernel, height, width, y, x))


def _touched(kernel: SlidingWindow, height: int, width: int, tile: Region) -> Region:
    """The smallest region of the output that sees a tile of the input."""
    return _hull((oy, ox) for y, x in tile.positions() for _, oy, ox in _outputs(kernel, height, width, y, x))


def _hull(positions: Iterator[Pair]) -> Region:
    """The smallest region that holds all positions."""
    points = list(positions)
    if not points:
        return Region(0, 0, 0, 0)
    ys, xs = [y for y, _ in points], [x for _, x in points]
    return Region(min(ys), min(xs), max(ys) - min(ys) + 1, max(xs) - min(xs) + 1)


def _inside(tile: Region, size: Pair) -> None:
    """ValueError where a tile is empty or not inside a map of that size."""
    if tile.pixels < 1 or min(tile.y, tile.x) < 0 or tile.y + tile.height > size[0] or tile.x + tile.width > size[1]:
        raise ValueError(f"{tile} must have pixels and be inside the map of {size[0]} x {size[1]}")


def _plan(
    op: Op, swap: bool, wstride: int, window: Region, operand: Region, tile: Region, taps: list[Tap]
) -> TilePlan:  # fmt: skip
    """A plan whose list has an entry and fits in a command."""
    taps = taps or [Tap(last=True, null=True)]
    if len(taps) > TAPS_MAX:
        raise ValueError(f"a tile of {tile.pixels} pixels needs {len(taps)} tap entries, a command has {TAPS_MAX}")
    if window.pixels > XSTRIDE_MAX:
        raise ValueError(f"a window of {window.pixels} pixels is larger than a command's xstride, {XSTRIDE_MAX}")
    return TilePlan(op, swap, wstride, window, operand, tile, pack_taps(taps), sum(tap.last for tap in taps))
