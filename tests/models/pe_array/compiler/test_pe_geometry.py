# SPDX-License-Identifier: Apache-2.0
"""Grids of PE models that follow tile plans and CSB blocks, against brute-force layers: all phases, random shapes."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

import numpy as np
import pytest

from models.pe_array.isa.csb import Csb, encode
from models.pe_array.isa.pe_command import Memory, Op, PeShape, Tap, pad_bytes
from models.pe_array.isa.region import Region
from models.pe_array.isa.shapes import Conv, Pool, Positions, SlidingWindow
from models.pe_array.machine.pe import ProcessingElement
from models.pe_array.network import layers
from models.pe_array.tiles import geometry
from models.pe_array.tiles.geometry import Entries, TilePlan, split

LANES = 4
SHAPE = PeShape(LANES, 32, x_depth=4096, y_depth=1024, w_depth=256, e_depth=16, t_depth=1024)
Plan = Callable[[Region], TilePlan]


def new_pe() -> ProcessingElement:
    return ProcessingElement(LANES, 32, SHAPE.x_depth, SHAPE.y_depth, SHAPE.w_depth, SHAPE.e_depth, SHAPE.t_depth)


def plans(rng: random.Random, height: int, width: int, plan: Plan) -> list[TilePlan]:
    """Plans of a random split of a map; of ever more tiles where one is too large for a command."""
    sy, sx = rng.randint(1, min(height, 4)), rng.randint(1, min(width, 4))
    while True:
        try:
            return [plan(tile) for tile in split(height, width, sy, sx)]
        except ValueError:
            assert sy < height or sx < width
            sy, sx = min(height, sy + 1), min(width, sx + 1)


def block_size(rng: random.Random, rows: int, cols: int, tiles: list[TilePlan], swap: bool) -> tuple[int, int]:
    """A random size of CSB blocks for which every tile's window and accumulators fit."""
    limits = [tile.limits(SHAPE) for tile in tiles]
    in_x, in_y = min(limit[0] for limit in limits), min(limit[1] for limit in limits)
    high_rows, high_cols = (in_x, in_y) if swap else (in_y, in_x)
    return rng.randint(1, min(rows, high_rows, 256)), rng.randint(1, min(cols, high_cols, 256))


def walk_block(pe: ProcessingElement, plan: TilePlan, csb: Csb, where: slice, clear: int) -> list[int]:
    """Load and run the elements of a block, as many per command as there is room for; returns the gradients."""
    pe.load(Memory.T, 0, pad_bytes(plan.entries, LANES))
    room = plan.limits(SHAPE)[2]
    gradients: list[int] = []
    starts = list(range(where.start, where.stop, room)) or [where.start]
    for start in starts:
        part = slice(start, min(start + room, where.stop))
        pe.load(Memory.E, 0, pad_bytes(csb.coordinates[part], LANES))
        if plan.op == Op.MAC:
            pe.load(Memory.W, 0, pad_bytes(csb.values[part], LANES))
        gradients += pe.run(plan.command(part.stop - part.start, clear=clear if start == where.start else 0))
    return gradients


def accumulate(csb: Csb, tiles: list[TilePlan], slots: int, source: np.ndarray, target: np.ndarray) -> None:
    """FF or NG on R slots by S tiles: channels of ``source`` (C, H, W, B) to accumulators ``target``."""
    swap = tiles[0].swap
    size = (csb.shape.block_rows, csb.shape.block_cols)
    per_out, per_in = size[::-1] if swap else size
    for slot in range(slots):
        for plan in tiles:
            pe = new_pe()
            current = -1
            for i, j, where in csb.walk(transposed=swap):
                out, into = (j, i) if swap else (i, j)
                if out % slots != slot:
                    continue
                channels = slice(out * per_out, min((out + 1) * per_out, len(target)))
                count = channels.stop - channels.start
                pe.load(Memory.X, 0, plan.window.cut(source[into * per_in : (into + 1) * per_in]))
                walk_block(pe, plan, csb, where, 0 if out == current else count * plan.ystride)
                current = out
                words = pe.drain(0, count * plan.ystride).reshape(count, plan.tile.height, plan.tile.width, LANES)
                rows, cols = region_slices(plan.tile)
                target[channels, rows, cols] = words


def region_slices(region: Region) -> tuple[slice, slice]:
    return slice(region.y, region.y + region.height), slice(region.x, region.x + region.width)


def gradients(csb: Csb, tiles: list[TilePlan], x: np.ndarray, d: np.ndarray) -> np.ndarray:
    """WG on one slot of S tiles per block: sums over the tiles, (elements, KH*KW)."""
    sums = np.zeros(csb.masters.shape, dtype=np.int64)
    block_rows, block_cols = csb.shape.block_rows, csb.shape.block_cols
    for i, j, where in csb.walk():
        for plan in tiles:
            pe = new_pe()
            pe.load(Memory.X, 0, plan.window.cut(x[j * block_cols : (j + 1) * block_cols]))
            pe.load(Memory.Y, 0, plan.operand.cut(d[i * block_rows : (i + 1) * block_rows]))
            sums[where] += np.array(walk_block(pe, plan, csb, where, 0), dtype=np.int64).reshape(-1, plan.results)
    return sums


class Brute:
    """A convolution by definition: one scalar kernel position after the other on a padded map."""

    def __init__(self, conv: SlidingWindow, height: int, width: int) -> None:
        self.conv, self.size, self.out = conv, (height, width), conv.out_size(height, width)
        self.padded = (height + conv.pad[0] + conv.pad[2], width + conv.pad[1] + conv.pad[3])

    def view(self, padded: np.ndarray, i: int, j: int) -> np.ndarray:
        """The pixels of a padded map that tap (i, j) meets, a view (C, OH, OW, B)."""
        starts = (i * self.conv.dilation[0], j * self.conv.dilation[1])
        rows, cols = (
            slice(start, start + stride * (n - 1) + 1, stride)
            for start, stride, n in zip(starts, self.conv.stride, self.out, strict=True)
        )
        return padded[:, rows, cols]

    def pad(self, x: np.ndarray) -> np.ndarray:
        top, left, bottom, right = self.conv.pad
        return np.pad(x.astype(np.int64), ((0, 0), (top, bottom), (left, right), (0, 0)))

    def taps(self) -> list[tuple[int, int]]:
        return [(i, j) for i in range(self.conv.kernel[0]) for j in range(self.conv.kernel[1])]

    def forward(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        padded = self.pad(x)
        parts = [np.tensordot(w[:, :, i, j], self.view(padded, i, j), (1, 0)) for i, j in self.taps()]
        return np.asarray(np.sum(parts, axis=0))

    def input_gradient(self, d: np.ndarray, w: np.ndarray) -> np.ndarray:
        padded = np.zeros((w.shape[1], *self.padded, LANES), dtype=np.int64)
        for i, j in self.taps():
            self.view(padded, i, j)[...] += np.tensordot(w[:, :, i, j], d.astype(np.int64), (0, 0))
        return padded[:, self.conv.pad[0] :, self.conv.pad[1] :][:, : self.size[0], : self.size[1]]

    def weight_gradient(self, x: np.ndarray, d: np.ndarray) -> np.ndarray:
        padded = self.pad(x)
        parts = [
            np.tensordot(d.astype(np.int64), self.view(padded, i, j), ((1, 2, 3), (1, 2, 3))) for i, j in self.taps()
        ]
        return np.stack(parts, axis=-1)


def words(rng: np.random.Generator, channels: int, size: tuple[int, int]) -> np.ndarray:
    extreme = rng.choice([-128, 127, 0], (channels, *size, LANES))
    drawn = rng.integers(-128, 128, extreme.shape)
    return np.where(rng.random(extreme.shape) < 0.2, extreme, drawn).astype(np.int8)


def check_convolution(seed: int, conv: Conv, height: int, width: int, density: float) -> None:
    """All three phases of a convolution on random splits, blocks and slots."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    brute = Brute(conv, height, width)
    mask = conv.allowed() & (numbers.random((conv.rows, conv.cols)) < density)
    w8 = numbers.integers(-128, 128, (conv.rows, conv.cols, *conv.kernel)) * mask[:, :, None, None]
    x, d = words(numbers, conv.cols, (height, width)), words(numbers, conv.rows, brute.out)

    def coded(tiles: list[TilePlan]) -> Csb:
        size = block_size(rng, conv.rows, conv.cols, tiles, tiles[0].swap)
        return encode(w8 << 16, mask, *size, values=w8)

    places = Positions.of_mask(mask)
    kernels = w8.astype(np.int8)[places.row, places.col]
    assert np.array_equal(layers.conv_forward(conv, x, places, kernels), brute.forward(x, w8))
    assert np.array_equal(
        layers.conv_input_gradient(conv, d, places, kernels, height, width), brute.input_gradient(d, w8)
    )

    tiles = plans(rng, *brute.out, lambda tile: geometry.forward(conv, height, width, tile))
    out = np.full((conv.rows, *brute.out, LANES), 99, dtype=np.int64)
    accumulate(coded(tiles), tiles, rng.choice([1, 2, 4]), x, out)
    assert np.array_equal(out, brute.forward(x, w8)), f"FF of {conv}"

    tiles = plans(rng, height, width, lambda tile: geometry.input_gradient(conv, height, width, tile))
    back = np.full((conv.cols, height, width, LANES), 99, dtype=np.int64)
    accumulate(coded(tiles), tiles, rng.choice([1, 2, 4]), d, back)
    assert np.array_equal(back, brute.input_gradient(d, w8)), f"NG of {conv}"

    tiles = plans(rng, *brute.out, lambda tile: geometry.weight_gradient(conv, height, width, tile))
    csb = coded(tiles)
    row, col = csb.positions()
    expected = brute.weight_gradient(x, d)[row, col]
    assert np.array_equal(gradients(csb, tiles, x, d), expected), f"WG of {conv}"
    places = Positions(row.astype(np.int32), col.astype(np.int32))
    assert np.array_equal(layers.conv_weight_gradient(conv, x, d, places).reshape(expected.shape), expected)


@pytest.mark.parametrize("seed", range(40))
def test_random_convolutions_in_all_phases(seed: int) -> None:
    rng = random.Random(1000 + seed)
    while True:
        kernel = (rng.choice([1, 1, 2, 3, 3, 5]), rng.choice([1, 2, 3, 3, 5]))
        groups = rng.choice([1, 1, 1, 2])
        conv = Conv(
            kernel=kernel,
            stride=(rng.randint(1, 4), rng.randint(1, 4)),
            pad=(rng.randint(0, 2), rng.randint(0, 2), rng.randint(0, 2), rng.randint(0, 2)),
            dilation=(rng.randint(1, 2), rng.randint(1, 2)),
            rows=groups * rng.choice([1, 2, 3, 7, 11]), cols=groups * rng.choice([1, 2, 5, 8, 13]), groups=groups,
        )  # fmt: skip
        height, width = rng.choice([1, 2, 3, 5, 7, 11]), rng.choice([1, 2, 4, 7, 9, 13])
        try:
            conv.out_size(height, width)
        except ValueError:
            continue
        break
    check_convolution(seed, conv, height, width, rng.choice([0.0, 0.1, 0.3, 0.7, 1.0]))


CORNERS = [
    (Conv.make(37, 41), 1, 1, 0.2),  # fully connected
    (Conv.make(1, 1), 1, 1, 1.0),
    (Conv.make(10, 64), 1, 1, 1.0),
    (Conv.make(4, 4, kernel=3, pad=1), 8, 8, 0.0),
    (Conv.make(5, 3, kernel=11, stride=4, pad=2), 23, 23, 0.8),  # AlexNet's first
    (Conv.make(2, 2, kernel=11, pad=5), 3, 5, 1.0),  # most taps meet only padding
    (Conv.make(6, 6, kernel=3, pad=1, groups=6), 7, 7, 1.0),  # depth-wise
    (Conv.make(6, 6, kernel=3, stride=2, pad=1, groups=6), 8, 9, 1.0),
    (Conv.make(3, 4, kernel=3, dilation=2, pad=2), 9, 7, 0.6),  # atrous
    (Conv.make(3, 4, kernel=1, stride=4), 9, 9, 1.0),  # pixels that no tap meets
    (Conv.make(3, 2, kernel=2, pad=(3, 0, 4, 0)), 3, 4, 1.0),  # output rows that see only padding
    (Conv.make(2, 3, kernel=(1, 5), pad=(0, 2)), 2, 16, 0.5),
]


@pytest.mark.parametrize(("conv", "height", "width", "density"), CORNERS)
def test_corner_convolutions_in_all_phases(conv: Conv, height: int, width: int, density: float) -> None:
    check_convolution(7, conv, height, width, density)


POOLS = [
    (Pool.make(2), 8, 8),
    (Pool.make(3, 2), 7, 9),
    (Pool.make(3, 2, pad=1), 8, 6),
    (Pool.make(3, 1, pad=1), 5, 5),
    (Pool.make(2, 3), 8, 8),  # pixels in no window
    (Pool.make(2), 7, 5),  # a rest that no window sees
    (Pool.make(1), 1, 1),
    (Pool.make((11, 11)), 11, 11),
    (Pool.make(2, 1, dilation=2), 6, 6),
]


@pytest.mark.parametrize(("pool", "height", "width"), POOLS)
@pytest.mark.parametrize("seed", range(2))
def test_max_pooling_forward_and_backward(pool: Pool, height: int, width: int, seed: int) -> None:
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    channels, out = 5, pool.out_size(height, width)
    x = words(numbers, channels, (height, width))
    if seed:
        x = (x // 64).astype(np.int8)  # many equal maxima
    d = words(numbers, channels, out)
    diagonal = pad_bytes(np.arange(channels, dtype=np.uint16) * 257, LANES)
    value, index = np.zeros((2, channels, *out, LANES), dtype=np.int64)
    for plan in plans(rng, *out, lambda tile: geometry.max_pool(pool, height, width, tile)):
        pe = new_pe()
        pe.load(Memory.X, 0, plan.window.cut(x))
        pe.load(Memory.T, 0, pad_bytes(plan.entries, LANES))
        pe.load(Memory.E, 0, diagonal)
        pe.run(plan.command(channels))
        got = pe.drain(0, channels * plan.ystride).reshape(channels, plan.tile.height, plan.tile.width, LANES)
        rows, cols = region_slices(plan.tile)
        value[:, rows, cols], index[:, rows, cols] = got.astype(np.int8), got >> 8
    padded = np.pad(x.astype(np.int64), ((0, 0), *((p, p + 20) for p in pool.pad[:2]), (0, 0)), constant_values=-999)
    back = np.zeros(padded.shape, dtype=np.int64)
    for place in np.ndindex(channels, *out, LANES):
        c, y, z, b = place
        taps = [
            (i * pool.kernel[1] + j, (c, y * pool.stride[0] + i * pool.dilation[0],
             z * pool.stride[1] + j * pool.dilation[1], b))
            for i in range(pool.kernel[0]) for j in range(pool.kernel[1])
        ]  # fmt: skip
        best = max(int(padded[at]) for _, at in taps)
        tap, at = next((tap, at) for tap, at in taps if padded[at] == best)
        assert (int(value[place]), int(index[place])) == (best, tap)
        back[at] += d[place]
    back = back[:, pool.pad[0] :, pool.pad[1] :][:, :height, :width]

    for plan in plans(rng, height, width, lambda tile: geometry.max_unpool(pool, height, width, tile)):
        pe = new_pe()
        pe.load(Memory.X, 0, plan.window.cut(d))
        pe.load(Memory.Y, 0, plan.operand.cut(index.astype(np.int8)))
        pe.load(Memory.T, 0, pad_bytes(plan.entries, LANES))
        pe.load(Memory.E, 0, diagonal)
        results = channels * plan.operand.pixels
        assert plan.results == plan.tile.pixels
        assert results + channels * plan.results <= SHAPE.y_depth
        pe.run(plan.command(channels, rbase=results))
        got = pe.drain(results, channels * plan.results)
        rows, cols = region_slices(plan.tile)
        assert np.array_equal(got.reshape(channels, plan.tile.height, plan.tile.width, LANES), back[:, rows, cols])


@pytest.mark.parametrize(("pool", "height", "width"), POOLS)
def test_average_pooling_is_a_convolution_with_one_weight(pool: Pool, height: int, width: int) -> None:
    rng, numbers = random.Random(3), np.random.default_rng(3)
    brute = Brute(pool, height, width)
    x, d = words(numbers, 3, (height, width)), words(numbers, 3, brute.out)
    w = np.zeros((3, 3, *pool.kernel), dtype=np.int64)
    w[range(3), range(3)] = 57
    for swap, size, source, expected in (
        (False, brute.out, x, brute.forward(x, w)),
        (True, (height, width), d, brute.input_gradient(d, w)),
    ):
        make = functools.partial(
            geometry.input_gradient if swap else geometry.forward, pool, height, width, one_weight=True
        )
        for plan in plans(rng, *size, make):
            pe = new_pe()
            pe.load(Memory.X, 0, plan.window.cut(source))
            pe.load(Memory.T, 0, pad_bytes(plan.entries, LANES))
            pe.load(Memory.E, 0, pad_bytes(np.arange(3, dtype=np.uint16) * 257, LANES))
            pe.load(Memory.W, 0, [57] * LANES)
            pe.run(plan.command(3, clear=3 * plan.ystride))
            got = pe.drain(0, 3 * plan.ystride).reshape(3, plan.tile.height, plan.tile.width, LANES)
            rows, cols = region_slices(plan.tile)
            assert np.array_equal(got, expected[:, rows, cols])


def taps_of(entries: Entries) -> list[Tap]:
    """The taps of a list."""
    return [Tap.unpack(int(entry)) for entry in entries]


def test_padding_costs_no_entries_in_ff_and_ng() -> None:
    conv = Conv.make(1, 1, kernel=3, pad=1)
    tile = Region(0, 0, 4, 4)
    assert len(geometry.forward(conv, 4, 4, tile).entries) == 100  # of 144
    assert len(geometry.input_gradient(conv, 4, 4, tile).entries) == 100
    assert len(geometry.weight_gradient(conv, 4, 4, tile).entries) == 100
    one = geometry.weight_gradient(conv, 1, 1, Region(0, 0, 1, 1))
    assert [tap.null for tap in taps_of(one.entries)] == [tap != 4 for tap in range(9)]
    assert one.results == 9


def test_windows_are_clipped_to_the_map() -> None:
    conv = Conv.make(1, 1, kernel=3, pad=1)
    windows = [geometry.forward(conv, 8, 8, tile).window for tile in split(8, 8, 2, 2)]
    assert windows == [Region(0, 0, 5, 5), Region(0, 3, 5, 5), Region(3, 0, 5, 5), Region(3, 3, 5, 5)]
    blind = geometry.forward(Conv.make(1, 1, pad=(4, 0)), 2, 1, Region(0, 0, 2, 1))
    assert blind.window.pixels == 0
    assert [(tap.null, tap.last) for tap in taps_of(blind.entries)] == [(True, True)]


def test_a_max_window_of_padding_has_an_entry() -> None:
    plan = geometry.max_pool(SlidingWindow((1, 1), pad=(1, 0, 0, 0)), 2, 1, Region(0, 0, 2, 1))
    assert [(tap.null, tap.yoff) for tap in taps_of(plan.entries)] == [(True, 0), (False, 1)]
