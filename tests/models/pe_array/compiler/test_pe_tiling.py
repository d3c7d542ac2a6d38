# SPDX-License-Identifier: Apache-2.0
"""Plans of tiles are those that ``geometry`` makes on the whole map, though most come from a smaller one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from models.pe_array.isa.pe_command import Op
from models.pe_array.isa.region import Region
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.tiles import geometry
from models.pe_array.tiles.tiling import PhaseGeometry


def on_whole_map(layer: PhaseGeometry, tile: Region) -> geometry.TilePlan:
    make = {
        (Op.MAC, False): geometry.forward, (Op.MAC, True): geometry.input_gradient,
        (Op.GRAD, False): geometry.weight_gradient, (Op.MAX, False): geometry.max_pool,
        (Op.UNPOOL, True): geometry.max_unpool,
    }[layer.op, layer.backward]  # fmt: skip
    return make(layer.window, layer.height, layer.width, tile)


def random_layer(rng: random.Random) -> PhaseGeometry:
    """A layer that has an output."""
    while True:
        sizes = [(rng.randint(1, most), rng.randint(1, most)) for most in (5, 4, 3)]
        pad = tuple(rng.randint(0, 3) for _ in range(4)) if rng.random() < 0.7 else (0, 0, 0, 0)
        op = rng.choice([Op.MAC, Op.MAC, Op.GRAD, Op.MAX, Op.UNPOOL])
        kind = Pool if op in (Op.MAX, Op.UNPOOL) else Conv
        window = kind(sizes[0], sizes[1], pad, sizes[2])  # type: ignore[arg-type]
        backward = op == Op.UNPOOL or (op == Op.MAC and rng.random() < 0.5)
        layer = PhaseGeometry(op, window, rng.randint(1, 20), rng.randint(1, 20), backward)
        try:
            window.out_size(layer.height, layer.width)
        except ValueError:
            continue
        return layer


@pytest.mark.parametrize("seed", range(4))
def test_random_tiles(seed: int) -> None:
    rng = random.Random(seed)
    moved = 0
    for _ in range(150):
        layer = random_layer(rng)
        (height, width), (y, x) = layer.size, (rng.randrange(n) for n in layer.size)
        tile = Region(y, x, rng.randint(1, height - y), rng.randint(1, width - x))
        plan, expected = layer.plan(tile), on_whole_map(layer, tile)
        assert np.array_equal(plan.entries, expected.entries)
        for name in ("op", "swap", "wstride", "window", "operand", "tile", "results"):
            assert getattr(plan, name) == getattr(expected, name), name
        pairs = layer.taps(0, tile.y, tile.height) * layer.taps(1, tile.x, tile.width)
        # what has no tap has a null entry
        assert pairs == len(plan.entries) if layer.op == Op.MAC and pairs else pairs <= len(plan.entries)
        moved += plan.tile.y > layer.window.kernel[0] + layer.window.pad[0]
    assert moved > 10


def test_tiles_inside_a_large_map_share_a_plan() -> None:
    layer = PhaseGeometry(Op.MAC, Conv.make(1, 1, kernel=3, stride=2, pad=1), 224, 224)
    one, other = (layer.plan(Region(y, y, 4, 4)) for y in (20, 90))
    assert one.entries is other.entries
    assert (one.window.y, other.window.y) == (39, 179)
    assert one.entries is not layer.plan(Region(0, 0, 4, 4)).entries
