# SPDX-License-Identifier: Apache-2.0
"""Layer programs on a grid of PE models against the layers' definition, with engines in order and in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from models.pe_array.compiler import program
from models.pe_array.isa.csb import Csb, encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.map_transfer import LoadCommand
from models.pe_array.isa.operations import (
    After,
    CollectGradients,
    ComputeTiles,
    DrainMap,
    LoadMap,
    LoadStream,
    Program,
    SetWindows,
    Source,
)
from models.pe_array.isa.pe_command import Memory, Op, PeShape
from models.pe_array.isa.shapes import Conv, Pool, Positions
from models.pe_array.machine.layer_program import ModelGrid, Result, map_words
from models.pe_array.network import layers
from models.pe_array.tiles.tiling import PhaseGeometry, Room, Split, choose_split, strips_of

LANES = 4
SHAPE = PeShape(LANES, 32, x_depth=512, y_depth=256, w_depth=256, e_depth=16, t_depth=512)
Make = Callable[[Split | None], Program]


def words(rng: np.random.Generator, *size: int) -> np.ndarray:
    extreme = rng.choice([-128, 127, 0], (*size, LANES))
    return np.where(rng.random(extreme.shape) < 0.2, extreme, rng.integers(-128, 128, extreme.shape)).astype(np.int8)


def run(
    grid: Grid, make: Make, rng: random.Random, x: np.ndarray, operand: np.ndarray | None = None
) -> tuple[Program, Result]:  # fmt: skip
    """Build and execute a program on a random split that fits, or on the chosen one, in both kinds of order."""
    splits: list[Split | None] = [*Split.all_of(grid.pes), None]
    rng.shuffle(splits)
    splits.append(None)
    for split in splits:
        try:
            made = make(split)
            break
        except ValueError:
            if split is None and len(splits) == 1:
                raise
            continue
    in_order = ModelGrid(grid, made, x, operand).run()
    for _ in range(2):
        mixed = ModelGrid(grid, made, x, operand).run(random.Random(rng.random()))
        assert np.array_equal(mixed.out, in_order.out)
        assert np.array_equal(mixed.gradients, in_order.gradients)
    return made, in_order


def coded(conv: Conv, density: float, block: tuple[int, int], numbers: np.random.Generator) -> Csb:
    mask = conv.allowed() & (numbers.random((conv.rows, conv.cols)) < density)
    w8 = numbers.integers(-128, 128, (conv.rows, conv.cols, *conv.kernel)) * mask[:, :, None, None]
    return encode(w8 << 16, mask, *block, values=w8)


def check_convolution(
    seed: int, conv: Conv, height: int, width: int, density: float, block: tuple[int, int], grid: Grid
) -> None:  # fmt: skip
    """All three phases."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    csb = coded(conv, density, block, numbers)
    row, col = csb.positions()
    places = Positions(row.astype(np.int32), col.astype(np.int32))
    values = csb.values.reshape(-1, *conv.kernel)
    x, d = words(numbers, conv.cols, height, width), words(numbers, conv.rows, *conv.out_size(height, width))

    _, got = run(grid, lambda split: program.forward(conv, csb, height, width, grid, split), rng, x)
    assert np.array_equal(got.out, layers.conv_forward(conv, x, places, values))
    _, got = run(grid, lambda split: program.input_gradient(conv, csb, height, width, grid, split), rng, d)
    assert np.array_equal(got.out, layers.conv_input_gradient(conv, d, places, values, height, width))
    _, got = run(grid, lambda split: program.weight_gradient(conv, csb, height, width, grid, split), rng, x, d)
    assert np.array_equal(got.gradients, layers.conv_weight_gradient(conv, x, d, places).reshape(got.gradients.shape))


@pytest.mark.parametrize("seed", range(40))
def test_random_convolutions(seed: int) -> None:
    rng = random.Random(500 + seed)
    while True:
        groups = rng.choice([1, 1, 1, 2])
        conv = Conv(
            kernel=(rng.choice([1, 1, 2, 3, 3, 5]), rng.choice([1, 2, 3, 3, 5])),
            stride=(rng.randint(1, 3), rng.randint(1, 3)),
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
    block = (rng.randint(1, min(4, conv.rows)), rng.randint(1, min(4, conv.cols)))
    grid = Grid(rng.choice([1, 2, 4, 8, 16]), SHAPE)
    check_convolution(seed, conv, height, width, rng.choice([0.0, 0.1, 0.3, 0.7, 1.0]), block, grid)


CORNERS = [
    (Conv.make(37, 41), 1, 1, 0.2, (3, 5), 8),  # fully connected
    (Conv.make(130, 70), 1, 1, 0.1, (32, 32), 4),  # more elements in a block than E holds
    (Conv.make(1, 1), 1, 1, 1.0, (1, 1), 4),
    (Conv.make(10, 64), 1, 1, 1.0, (5, 16), 2),
    (Conv.make(4, 4, kernel=3, pad=1), 8, 8, 0.0, (1, 2), 4),  # nothing but zeros
    (Conv.make(5, 3, kernel=11, stride=4, pad=2), 23, 23, 0.8, (1, 1), 8),
    (Conv.make(2, 2, kernel=7, pad=3), 3, 5, 1.0, (1, 1), 8),  # most taps meet only padding
    (Conv.make(8, 8, kernel=3, pad=1, groups=8), 7, 7, 1.0, (1, 1), 4),  # depth-wise: slots have their own channels
    (Conv.make(6, 6, kernel=3, stride=2, pad=1, groups=6), 8, 9, 1.0, (2, 2), 8),
    (Conv.make(3, 4, kernel=3, dilation=2, pad=2), 9, 7, 0.6, (2, 2), 4),  # atrous
    (Conv.make(3, 4, kernel=1, stride=4), 9, 9, 1.0, (1, 4), 4),  # pixels that no tap meets
    (Conv.make(3, 2, kernel=2, pad=(3, 0, 4, 0)), 3, 4, 1.0, (2, 2), 4),  # output rows that see only padding
    (Conv.make(2, 3, kernel=(1, 5), pad=(0, 2)), 2, 16, 0.5, (2, 3), 16),
    (Conv.make(3, 2, kernel=3, pad=1), 29, 31, 1.0, (3, 2), 2),  # strips
    (Conv.make(2, 2, kernel=5, pad=2), 13, 40, 0.7, (2, 2), 1),
]


@pytest.mark.parametrize(("conv", "height", "width", "density", "block", "pes"), CORNERS)
def test_corner_convolutions(
    conv: Conv, height: int, width: int, density: float, block: tuple[int, int], pes: int
) -> None:  # fmt: skip
    check_convolution(3, conv, height, width, density, block, Grid(pes, SHAPE))


@pytest.mark.parametrize(("height", "width"), [(8, 6), (2, 2), (6, 20)])
def test_drains_of_windows_make_the_same_map(height: int, width: int) -> None:
    rng, numbers, grid = random.Random(1), np.random.default_rng(1), Grid(4, SHAPE)
    conv = Conv.make(3, 2, kernel=3, pad=1)
    made: list[np.ndarray] = []
    csb, x = coded(conv, 1.0, (2, 2), numbers), words(numbers, 2, height, width)
    for windows in (True, False):
        layer = PhaseGeometry(Op.MAC, conv, height, width, windows=windows)
        layer_program, got = run(grid, partial(program.convolution, layer, csb, grid), rng, x)
        assert {each.command.windows for each in layer_program.stores() if isinstance(each, DrainMap)} == {windows}
        made.append(got.out)
    assert np.array_equal(made[0], made[1])


POOLS = [
    (Pool.make(2), 8, 8, 5),
    (Pool.make(3, 2), 7, 9, 3),
    (Pool.make(3, 2, pad=1), 8, 6, 7),
    (Pool.make(3, 1, pad=1), 5, 5, 1),
    (Pool.make(2, 3), 8, 8, 11),  # pixels in no window
    (Pool.make(2), 7, 5, 40),  # a rest that no window sees
    (Pool.make(1), 1, 1, 300),  # more channels than a coordinate can name
    (Pool.make((11, 11)), 11, 11, 2),
    (Pool.make(2, 1, dilation=2), 6, 6, 4),
    (Pool.make(3, 2, pad=1), 37, 23, 2),
]


@pytest.mark.parametrize(("pool", "height", "width", "channels"), POOLS)
@pytest.mark.parametrize("seed", range(3))
def test_pooling(pool: Pool, height: int, width: int, channels: int, seed: int) -> None:
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    grid = Grid(rng.choice([1, 2, 4, 8]), SHAPE)
    x, d = words(numbers, channels, height, width), words(numbers, channels, *pool.out_size(height, width))
    value, index = layers.max_pool(pool, x)
    made, got = run(grid, lambda split: program.max_pool(pool, channels, height, width, grid, split), rng, x)
    assert np.array_equal(got.out & 0xFF, value.astype(np.int64) & 0xFF)
    assert np.array_equal(got.out >> 8, index)
    assert made.image is None
    made, got = run(
        grid, lambda split: program.max_unpool(pool, channels, height, width, grid, split), rng, d,
        index.view(np.int8),
    )  # fmt: skip
    assert np.array_equal(got.out, layers.max_pool_backward(pool, d, index, height, width))
    for backward, source, expected in (
        (False, x, layers.average_pool(pool, x, 57)),
        (True, d, layers.average_pool_backward(pool, d, height, width, 57)),
    ):

        def average(split: Split | None, backward: bool = backward) -> Program:
            return program.average_pool(pool, channels, height, width, grid, 57, backward, split)

        _, got = run(grid, average, rng, source)
        assert np.array_equal(got.out, expected)


CONV = Conv.make(4, 4, kernel=3, pad=1)


def small(pes: int = 4, **other: int) -> Grid:
    return Grid(pes, replace(SHAPE, **other))


def test_splits_and_grids_are_powers_of_two() -> None:
    with pytest.raises(ValueError, match="pes = 3"):
        Grid(3, SHAPE)
    with pytest.raises(ValueError, match="sx = 6"):
        Split(1, 1, 6)
    csb = coded(CONV, 1.0, (2, 2), np.random.default_rng(1))
    with pytest.raises(ValueError, match="not a split of 4 PEs"):
        program.forward(CONV, csb, 8, 8, small(), Split(2, 1, 1))


def test_large_maps_get_tiles_and_fully_connected_layers_slots() -> None:
    assert choose_split(PhaseGeometry(Op.MAC, CONV, 32, 32), 16, 2)[0].tiles == 8
    assert choose_split(PhaseGeometry(Op.MAC, Conv.make(64, 64), 1, 1), 16, 64)[0] == Split(16, 1, 1)


@pytest.mark.parametrize(
    ("memory", "size", "why"),
    [
        ({"x_depth": 8}, (4, 4), "words of X"),
        ({"y_depth": 4}, (4, 4), "accumulators do not fit"),
        ({"t_depth": 2}, (4, 4), "tap entries"),
        ({"w_depth": 4}, (1, 1), "do not fit in halves of E and W"),
    ],
)
def test_blocks_that_are_too_large_are_refused(memory: dict[str, int], size: tuple[int, int], why: str) -> None:
    csb = coded(CONV, 1.0, size, np.random.default_rng(1))
    with pytest.raises(ValueError, match=why):
        program.forward(CONV, csb, 8, 8, small(**memory))


def test_a_pool_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a single pixel per PE does not fit: .* words of X"):
        program.max_pool(Pool.make(5), 4, 10, 10, small(x_depth=16))


def test_the_fewest_strips_are_taken() -> None:
    layer = PhaseGeometry(Op.MAC, CONV, 8, 8)
    strips = strips_of(layer, Split(1, 2, 2), Room(256, 256, 40, 1, 1))
    assert len(strips) == 4  # of 16 pixels, at most 9 entries each: 4 per tile
    assert sum(strip.region.pixels for strip in strips) == 64
    assert all(strip.entries <= 40 for strip in strips)


def test_lists_of_strips_may_use_all_of_t_in_turn() -> None:
    """A list that half of T cannot hold: the next strip's waits for the commands of this one."""
    numbers = np.random.default_rng(3)
    csb = coded(CONV, 1.0, (2, 2), numbers)
    row, col = csb.positions()
    places = Positions(row.astype(np.int32), col.astype(np.int32))
    grid, x = small(t_depth=16), words(numbers, 4, 5, 5)
    made = program.forward(CONV, csb, 5, 5, grid)
    assert sum(isinstance(each, SetWindows) for each in made.loads()) > 1
    lists = [each for each in made.loads() if isinstance(each, LoadStream) and each.memory == Memory.T]
    assert {each.addr for each in lists} == {0}
    expected = layers.conv_forward(CONV, x, places, csb.values.reshape(-1, 3, 3))
    for seed in range(5):
        assert np.array_equal(ModelGrid(grid, made, x).run(random.Random(seed)).out, expected)
    with pytest.raises(ValueError, match="tap entries"):
        program.forward(CONV, csb, 5, 5, small(t_depth=8))


def test_a_slot_does_not_load_what_it_holds() -> None:
    """WG keeps the input in X while blocks of rows go through Y; a broadcast serves all slots."""
    conv = Conv.make(8, 4)
    csb = coded(conv, 1.0, (1, 4), np.random.default_rng(1))
    made = program.weight_gradient(conv, csb, 1, 1, small(), Split(4, 1, 1))
    maps = [each.command for each in made.loads() if isinstance(each, LoadMap)]
    assert [command.slot for command in maps if not command.to_y] == [None]
    assert sorted(str(command.slot) for command in maps if command.to_y) == sorted("0123" * 2)
    collected = [each for each in made.stores() if isinstance(each, CollectGradients)]
    assert [each.slots for each in collected] == [
        ((0, 4), (4, 4), (8, 4), (12, 4)),
        ((16, 4), (20, 4), (24, 4), (28, 4)),
    ]


def test_depthwise_slots_work_at_the_same_time() -> None:
    conv = Conv.make(8, 8, kernel=3, pad=1, groups=8)
    made = program.forward(conv, coded(conv, 1.0, (1, 1), np.random.default_rng(1)), 4, 4, small(), Split(4, 1, 1))
    assert sum(isinstance(each, ComputeTiles) for each in made.operations) == 2
    assert sum(isinstance(each, DrainMap) for each in made.operations) == 2
    csb = coded(conv, 1.0, (1, 1), np.random.default_rng(1))
    made = program.weight_gradient(conv, csb, 4, 4, small(), Split(4, 1, 1))
    assert [len(each.slots) for each in made.operations if isinstance(each, CollectGradients)] == [4, 4]


def broken(made: Program, **changed: object) -> Program:
    return replace(made, **changed)  # type: ignore[arg-type]


def test_the_model_refuses_programs_that_cannot_be_executed() -> None:
    conv = Conv.make(2, 2)
    csb = coded(conv, 1.0, (2, 2), np.random.default_rng(1))
    grid, x = small(1), np.zeros((2, 1, 1, LANES), dtype=np.int8)
    made = program.forward(conv, csb, 1, 1, grid)
    late = broken(made, operations=made.operations[::-1])
    with pytest.raises(ValueError, match="would have to wait"):
        ModelGrid(grid, late, x).run()
    drain = made.stores()[0]
    assert isinstance(drain, DrainMap)
    stuck = broken(made, operations=(replace(drain, after=After(computes=9)),))
    with pytest.raises(ValueError, match="nothing can go on"):
        ModelGrid(grid, stuck, x).run(random.Random(1))
    maps = LoadMap(LoadCommand(channels=2, row=0, rows=1, width=1), 0)
    with pytest.raises(ValueError, match="before windows are set"):
        ModelGrid(grid, broken(made, operations=(maps,)), x).run()
    with pytest.raises(ValueError, match="has no map"):
        map_words(maps, None, LANES)
    with pytest.raises(ValueError, match="not inside a map"):
        map_words(replace(maps, channel=1), x, LANES)
    stream = LoadStream(Memory.W, 1, 0, Source.VALUES, 0, 1)
    with pytest.raises(ValueError, match="without a matrix"):
        broken(made, image=None).stream(stream, LANES)
    gradients = program.weight_gradient(conv, csb, 1, 1, grid)
    uncollected = tuple(each for each in gradients.operations if not isinstance(each, CollectGradients))
    with pytest.raises(ValueError, match="nothing collects"):
        ModelGrid(grid, broken(gradients, operations=uncollected), x, x).run()


@pytest.mark.parametrize("engine", ["loads", "computes", "stores"])
def test_a_missing_wait_is_seen(engine: str) -> None:
    """The random orders of the tests above would fail without the numbers in ``after``."""
    conv = Conv.make(60, 4)
    csb = coded(conv, 1.0, (2, 2), np.random.default_rng(1))
    grid, x = small(1), words(np.random.default_rng(2), 4, 1, 1)
    made = program.forward(conv, csb, 1, 1, grid)
    expected = ModelGrid(grid, made, x).run().out
    hasty = tuple(
        replace(each, after=replace(each.after, **{engine: 0}))
        if isinstance(each, LoadMap | LoadStream | ComputeTiles | DrainMap)
        else each
        for each in made.operations
    )  # fmt: skip

    def hasty_run(seed: int) -> np.ndarray:
        return ModelGrid(grid, broken(made, operations=hasty), x).run(random.Random(seed)).out

    def wrong(seed: int) -> bool:
        try:
            return not np.array_equal(hasty_run(seed), expected)
        except ValueError:  # a tap list that is not there yet
            return True

    assert any(wrong(seed) for seed in range(5))
