# SPDX-License-Identifier: Apache-2.0
"""Ways to cut a phase: what is weighed is what their strips have; and strips load the columns that they need."""

from __future__ import annotations

import random

import numpy as np
import pytest

from models.pe_array.compiler import program
from models.pe_array.compiler.estimate import estimate
from models.pe_array.isa.csb import Csb, encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import LoadMap
from models.pe_array.isa.pe_command import Op, PeShape
from models.pe_array.isa.shapes import Conv
from models.pe_array.tiles import ways
from models.pe_array.tiles.tiling import PhaseGeometry, Room, Split, strips_of_size

SHAPE = PeShape(32)
ROOM = Room(1 << 12, 1 << 12, 1 << 10, 1, 1)


def coded(conv: Conv, density: float, block: tuple[int, int]) -> Csb:
    mask = np.random.default_rng(1).random((conv.rows, conv.cols)) < density
    weights = np.ones((conv.rows, conv.cols, *conv.kernel), dtype=np.int64) * mask[:, :, None, None]
    return encode(weights << 16, mask, *block, values=weights)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_weighed_is_what_strips_have(seed: int) -> None:
    rng = random.Random(seed)
    conv = Conv(
        kernel=(rng.choice([1, 2, 3, 5]), rng.choice([1, 3])), stride=(rng.randint(1, 2), rng.randint(1, 2)),
        pad=(rng.randint(0, 2), rng.randint(0, 2), rng.randint(0, 2), 0), dilation=(1, rng.randint(1, 2)),
        rows=4, cols=4,
    )  # fmt: skip
    layer = PhaseGeometry(rng.choice([Op.MAC, Op.GRAD]), conv, rng.randint(5, 9), rng.randint(5, 9))
    if layer.op == Op.MAC and rng.random() < 0.5:
        layer = PhaseGeometry(Op.MAC, conv, layer.height, layer.width, backward=True)
    found = ways.ways_of(layer, 8)
    for way in rng.sample(range(len(found.sy)), min(12, len(found.sy))):
        rows, cols = int(found.rows[way]), int(found.cols[way])
        strips = strips_of_size(layer, found.split(way, 8), (rows, cols), ROOM)
        assert len(strips) == found.strips[way]
        plans = [[plan for plan in strip.plans if plan is not None] for strip in strips]
        nulls = layer.window.taps if layer.op == Op.GRAD else rows * cols  # of what sees nothing
        assert 0 <= sum(strip.entries for strip in strips) - found.entries[way] <= nulls * len(strips)
        assert max(plan.window.pixels for each in plans for plan in each) <= found.window[way]
        assert {(strip.tile_height, strip.tile_width) for strip in strips} >= {(found.high[way], found.wide[way])}
        least = [strip.rows[0][1] * min(strip.columns[0][1], layer.input_size[1]) for strip in strips]
        assert sum(least) <= found.x[way], "at least what tiles see, each once"


@pytest.mark.parametrize(("side", "backward", "op"), [(24, False, Op.MAC), (24, True, Op.MAC), (12, False, Op.GRAD)])
def test_clocks_are_about_those_of_programs(side: int, backward: bool, op: Op) -> None:
    conv, grid, block = Conv.make(64, 64, kernel=3, pad=1), Grid(16, SHAPE), (16, 16)
    layer, csb = PhaseGeometry(op, conv, side, side, backward=backward), coded(conv, 0.2, block)
    matrix = ways.Blocks((64, 64), block, len(csb.coordinates), 9)
    (split, _), *_ = ways.ranked(layer, grid, matrix)
    make = program.gradients if op == Op.GRAD else program.convolution
    made = estimate(make(layer, csb, grid), grid)
    least = ways.clocks(layer, grid, ways.ways_of(layer, 16), matrix).min()
    assert 0.85 * made < least < 1.15 * made
    assert made <= estimate(make(layer, csb, grid, split), grid)
    assert made < 0.8 * estimate(make(layer, csb, grid, Split(16, 1, 1)), grid), "others take longer"


def test_a_strip_that_is_narrower_than_the_map_loads_its_columns_alone() -> None:
    """VGG16's second layer: a strip of 8 x 16 pixels reads 10 x 18 of each of 64 channels, not 10 x 96."""
    assert not ways.worth_parts(3, 95, 96)
    assert ways.worth_parts(10, 18, 96)
    conv, grid = Conv.make(64, 64, kernel=3, pad=1), Grid(32, SHAPE)
    made = program.forward(conv, coded(conv, 0.08, (32, 16)), 96, 96, grid)
    maps = [each for each in made.operations if isinstance(each, LoadMap)]
    assert any(each.column for each in maps)
    assert sum(each.command.beats for each in maps) < 1.6 * 64 * 96 * 96


def test_only_ways_of_the_split_are_ranked() -> None:
    conv, grid = Conv.make(8, 8, kernel=3, pad=1), Grid(8, SHAPE)
    matrix, layer = ways.Blocks((8, 8), (4, 4), 64, 9), PhaseGeometry(Op.MAC, conv, 8, 8)
    assert {split for split, _ in ways.ranked(layer, grid, matrix, Split(2, 2, 2))} == {Split(2, 2, 2)}
    assert not ways.ranked(layer, grid, matrix, Split(4, 2, 2)), "of another grid"
