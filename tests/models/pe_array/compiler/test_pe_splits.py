# SPDX-License-Identifier: Apache-2.0
"""How a map is split into tiles, and what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_pe_geometry import region_slices

from models.pe_array.compiler import program
from models.pe_array.isa.csb import encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import LoadMap
from models.pe_array.isa.pe_command import Op, PeCommand, PeShape
from models.pe_array.isa.region import Region
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.tiles import geometry
from models.pe_array.tiles.geometry import split
from models.pe_array.tiles.tiling import PhaseGeometry


def test_split_covers_the_map_once_with_tiles_of_nearly_one_size() -> None:
    for height, width in ((1, 1), (5, 3), (8, 8), (13, 7)):
        for sy in range(1, height + 1):
            for sx in range(1, width + 1):
                tiles = split(height, width, sy, sx)
                count = np.zeros((height, width), dtype=int)
                for tile in tiles:
                    count[region_slices(tile)] += 1
                assert len(tiles) == sy * sx
                assert (count == 1).all()
                assert {tile.height for tile in tiles} <= {height // sy, -(-height // sy)}
                assert {tile.width for tile in tiles} <= {width // sx, -(-width // sx)}


def test_limits_count_what_the_memories_hold() -> None:
    shape = PeShape(32)
    plan = geometry.forward(Conv.make(1, 1, kernel=3, pad=1), 4, 4, Region(0, 0, 4, 4))
    assert plan.limits(shape) == (64, 32, 1024)
    assert geometry.forward(Conv.make(1, 1, kernel=5, pad=2), 4, 4, Region(0, 0, 4, 4)).limits(shape)[2] == 655
    assert geometry.max_unpool(Pool.make(2), 8, 8, Region(0, 0, 4, 4)).limits(shape) == (256, 25, 1024)
    assert plan.limits(PeShape(32, t_depth=4))[2] == 0
    assert plan.command(3, ebase=1) == PeCommand(
        op=Op.MAC, taps=100, elements=3, wstride=9, xstride=16, ystride=16, ebase=1
    )


CONV = Conv.make(1, 1, kernel=3, pad=1)
BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: split(4, 4, 5, 1), "sy = 5 must be 1 … 4"),
    (lambda: split(4, 4, 1, 0), "sx = 0 must be 1 … 4"),
    (lambda: geometry.forward(CONV, 4, 4, Region(0, 0, 5, 4)), "must have pixels and be inside the map of 4 x 4"),
    (lambda: geometry.input_gradient(CONV, 4, 4, Region(0, 0, 0, 4)), "must have pixels"),
    (lambda: geometry.weight_gradient(CONV, 16, 16, Region(0, 0, 16, 16)), "needs 2116 tap entries, a command"),
    (lambda: geometry.forward(Conv.make(1, 1, stride=80), 81, 81, Region(0, 0, 2, 2)), "xoff = 6480 must be 0 … 4095"),
    (lambda: geometry.forward(Conv.make(1, 1, stride=63), 65, 65, Region(0, 0, 2, 2)), "larger than a command's"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message for _, message in BAD])
def test_what_does_not_fit_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("width", [24, 40])
def test_strips_load_every_pixel_once(width: int) -> None:
    """The fewest strips are 8 pixels wide, and would load each row of a 1 x 1 convolution for each of them."""
    conv, grid = Conv.make(8, 4), Grid(8, PeShape(8, y_depth=128))
    masters = np.random.default_rng(1).integers(-(1 << 20), 1 << 20, (8, 4, 1, 1))
    csb = encode(masters, np.ones((8, 4), dtype=np.bool_), 8, 4)
    loads = program.convolution(PhaseGeometry(Op.MAC, conv, 24, width), csb, grid).operations
    assert sum(each.command.beats for each in loads if isinstance(each, LoadMap)) == 4 * 24 * width
