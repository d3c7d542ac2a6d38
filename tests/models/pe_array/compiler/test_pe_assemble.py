# SPDX-License-Identifier: Apache-2.0
"""Programs in memory: layers of all kinds assembled, executed by the machine, against the layers' definition."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from models.pe_array.compiler import program
from models.pe_array.compiler.assemble import Places, assemble, chain, totals
from models.pe_array.compiler.folding import fold
from models.pe_array.compiler.output_pattern import MapAt, OutputAt
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.csb import Csb, encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.map_transfer import DrainCommand, LoadCommand
from models.pe_array.isa.operations import After, CollectGradients, ComputeTiles, DrainMap, LoadMap, Program
from models.pe_array.isa.pe_command import Op, PeShape
from models.pe_array.isa.shapes import Conv, Pool, Positions
from models.pe_array.machine.machine import Machine
from models.pe_array.network import layers
from models.pe_array.network.requantise import AccumulatorField
from models.pe_array.tiles.tiling import Split
from tests.models.pe_array.pe_memory import Image, execute, kept, laid_out, read

LANES = 8
SHAPE = PeShape(LANES, 32, x_depth=512, y_depth=256, w_depth=256, e_depth=16, t_depth=256)
SMALL = replace(SHAPE, x_depth=128, y_depth=64, t_depth=64)
"""Maps need strips."""
Make = Callable[[Split | None], Program]


def words(rng: np.random.Generator, *size: int) -> np.ndarray:
    extreme = rng.choice([-128, 127, 0], (*size, LANES))
    return np.where(rng.random(extreme.shape) < 0.2, extreme, rng.integers(-128, 128, extreme.shape)).astype(np.int8)


def coded(conv: Conv, density: float, block: tuple[int, int], numbers: np.random.Generator) -> Csb:
    mask = conv.allowed() & (numbers.random((conv.rows, conv.cols)) < density)
    w8 = numbers.integers(-128, 128, (conv.rows, conv.cols, *conv.kernel)) * mask[:, :, None, None]
    return encode(w8 << 16, mask, *block, values=w8)


def positions(csb: Csb) -> Positions:
    row, col = csb.positions()
    return Positions(row.astype(np.int32), col.astype(np.int32))


def fitting(pes: int, make: Make, rng: random.Random) -> Program:
    """A program on a random split that fits, or on the chosen one."""
    splits: list[Split | None] = [*Split.all_of(pes), None]
    rng.shuffle(splits)
    for split in splits:
        try:
            return make(split)
        except ValueError:
            continue
    return make(None)


@dataclass
class Bench:
    """A memory image with what a layer program needs, and the machine that executes it."""

    grid: Grid
    rng: random.Random
    numbers: np.random.Generator
    image: Image

    @classmethod
    def make(cls, pes: int, shape: PeShape, seed: int) -> Bench:
        return cls(Grid(pes, shape), random.Random(seed), np.random.default_rng(seed), Image(seed=seed))

    def map(self, feature_map: np.ndarray) -> MapAt:
        channels, height, width, _ = feature_map.shape
        return MapAt(self.image.put(feature_map), channels, height, width)

    def empty(self, channels: int, height: int, width: int) -> MapAt:
        return MapAt(self.image.room(channels * height * width * LANES), channels, height, width)

    def places(self, made: Program, x: MapAt, csb: Csb | None = None, **other: Any) -> Places:
        arrays: dict[str, Any] = {"literals": self.image.put(made.literals)}
        if made.image is not None:
            names = ("pointers", "coordinates", "values")
            arrays |= {name: self.image.put(getattr(made.image, name)) for name in names} | {"csb": csb}
        return Places(x, **(arrays | other))

    def requantised(
        self, made: Program, x: np.ndarray, csb: Csb | None, sums: Any, operand: np.ndarray | None = None
    ) -> Program:  # fmt: skip
        """Execute a program with random settings; what is in memory is what the layers say."""
        shift, relu = self.rng.choice([0, 3, 8, 12]), self.rng.random() < 0.5
        mask = words(self.numbers, *sums.shape[:-1]) if self.rng.random() < 0.5 else None
        at = self.empty(*sums.shape[:-1])
        output = OutputAt(at, shift, relu=relu, mask=None if mask is None else self.image.put(mask))
        second = replace(output, map=self.empty(*sums.shape[:-1]), shift=0, relu=False, mask=None)
        outputs = (output, second) if self.rng.random() < 0.3 else (output,)
        other = {} if operand is None else {"operand": self.map(operand)}
        places = self.places(made, self.map(x), csb, outputs=outputs, **other)
        machine = self.execute(assemble(made, places, LANES))
        expected = layers.requantise(sums, shift, relu, mask)
        assert np.array_equal(read(machine, at.address, expected.values), expected.values)
        saturated = expected.saturated
        if len(outputs) == 2:
            expected = layers.requantise(sums, 0)
            assert np.array_equal(read(machine, second.map.address, expected.values), expected.values)
            saturated += expected.saturated
        assert machine.clipped.outputs == saturated
        assert kept(self.image, machine, *((each.map.address, sums.size) for each in outputs))
        return made

    def execute(self, made: list[d.Descriptor], orders: int = 1) -> Machine:
        return execute(self.image, made, self.grid.pes, self.grid.shape, self.rng, orders)


def check_convolution(
    seed: int, conv: Conv, height: int, width: int, density: float, block: tuple[int, int], pes: int,
    shape: PeShape = SHAPE,
) -> list[Program]:  # fmt: skip
    """All three phases."""

    def bench() -> Bench:
        return Bench.make(pes, shape, seed)

    rng, numbers, grid = random.Random(seed), np.random.default_rng(seed), Grid(pes, shape)
    csb = coded(conv, density, block, numbers)
    places, values = positions(csb), csb.values.reshape(-1, *conv.kernel)
    x, err = words(numbers, conv.cols, height, width), words(numbers, conv.rows, *conv.out_size(height, width))

    made = fitting(pes, lambda split: program.forward(conv, csb, height, width, grid, split), rng)
    bench().requantised(made, x, csb, layers.conv_forward(conv, x, places, values))
    back = fitting(pes, lambda split: program.input_gradient(conv, csb, height, width, grid, split), rng)
    sums = layers.conv_input_gradient(conv, err, places, values, height, width)
    bench().requantised(back, err, csb, sums)
    gradients = fitting(pes, lambda split: program.weight_gradient(conv, csb, height, width, grid, split), rng)
    b = bench()
    expected = laid_out(csb, layers.conv_weight_gradient(conv, x, err, places).reshape(csb.values.shape), LANES)
    at = b.image.room(expected.nbytes)
    where = b.places(gradients, b.map(x), csb, operand=b.map(err), gradients=at)
    machine = b.execute(assemble(gradients, where, LANES))
    got = read(machine, at, expected)
    inside = laid_out(csb, np.ones(csb.values.shape, dtype=np.int64), LANES) == 1
    assert np.array_equal(got[inside], expected[inside])
    assert kept(b.image, machine, (at, expected.nbytes))
    # every coordinate is checked, once per strip
    streams = [each for each in assemble(gradients, where, LANES) if isinstance(each, d.Stream) and each.memory == 1]
    assert sum(each.coordinates for each in streams) % max(1, len(csb.coordinates)) == 0
    assert all(each.check for each in streams)
    return [made, back, gradients]


@pytest.mark.parametrize("seed", range(24))
def test_random_convolutions(seed: int) -> None:
    rng = random.Random(900 + seed)
    while True:
        groups = rng.choice([1, 1, 1, 2])
        conv = Conv(
            kernel=(rng.choice([1, 1, 2, 3, 3]), rng.choice([1, 2, 3, 3])),
            stride=(rng.randint(1, 2), rng.randint(1, 2)),
            pad=(rng.randint(0, 2), rng.randint(0, 2), rng.randint(0, 2), rng.randint(0, 2)),
            dilation=(rng.randint(1, 2), rng.randint(1, 2)),
            rows=groups * rng.choice([1, 2, 3, 7]), cols=groups * rng.choice([1, 2, 5, 8]), groups=groups,
        )  # fmt: skip
        height, width = rng.choice([1, 2, 3, 5, 7]), rng.choice([1, 2, 4, 7, 9])
        try:
            conv.out_size(height, width)
        except ValueError:
            continue
        break
    block = (rng.randint(1, min(4, conv.rows)), rng.randint(1, min(4, conv.cols)))
    density = rng.choice([0.1, 0.3, 0.7, 1.0])
    check_convolution(seed, conv, height, width, density, block, rng.choice([2, 4, 8]))


@pytest.mark.parametrize(
    ("conv", "height", "width", "density", "block", "pes"),
    [
        (Conv.make(37, 41), 1, 1, 0.2, (3, 5), 8),  # fully connected
        (Conv.make(70, 60), 1, 1, 0.3, (32, 32), 4),  # more elements in a block than E holds
        (Conv.make(4, 4, kernel=3, pad=1), 8, 8, 0.0, (1, 2), 4),  # nothing but zeros
        (Conv.make(6, 6, kernel=3, stride=2, pad=1, groups=6), 8, 9, 1.0, (2, 2), 8),  # depth-wise
        (Conv.make(5, 3, kernel=11, stride=4, pad=2), 23, 23, 0.8, (1, 1), 8),
    ],
)
def test_corner_convolutions(
    conv: Conv, height: int, width: int, density: float, block: tuple[int, int], pes: int
) -> None:  # fmt: skip
    check_convolution(5, conv, height, width, density, block, pes)


@pytest.mark.parametrize("seed", range(3))
def test_strips(seed: int) -> None:
    """Outputs are parts of maps; gradients of later strips are added."""
    conv = Conv.make(3, 4, kernel=3, pad=1)
    forward, _, gradients = check_convolution(seed, conv, 13, 17, 0.6, (2, 2), 2, SMALL)
    parts = {(each.y, each.x) for each in forward.stores() if isinstance(each, DrainMap)}
    assert len(parts) > 1
    assert any(isinstance(each, CollectGradients) and each.add for each in gradients.stores())


@pytest.mark.parametrize("shape", [SHAPE, SMALL])
@pytest.mark.parametrize(
    ("pool", "height", "width", "channels"),
    [
        (Pool.make(2), 8, 8, 5),
        (Pool.make(3, 2, pad=1), 8, 6, 7),
        (Pool.make(2, 3), 8, 8, 11),
        (Pool.make(1), 1, 1, 40),
        (Pool.make(3, 1, pad=1), 5, 11, 2),
    ],
)
def test_pooling(pool: Pool, height: int, width: int, channels: int, shape: PeShape) -> None:
    pes, seed = 4, channels

    def bench() -> Bench:
        return Bench.make(pes, shape, seed)

    rng, numbers, grid = random.Random(seed), np.random.default_rng(seed), Grid(pes, shape)
    size = pool.out_size(height, width)
    x, err = words(numbers, channels, height, width), words(numbers, channels, *size)
    value, index = layers.max_pool(pool, x)
    b = bench()
    made = fitting(pes, lambda split: program.max_pool(pool, channels, height, width, grid, split), rng)
    outputs = tuple(
        OutputAt(b.empty(channels, *size), 7, field) for field in (AccumulatorField.VALUE, AccumulatorField.INDEX)
    )
    machine = b.execute(assemble(made, b.places(made, b.map(x), outputs=outputs), LANES))
    assert np.array_equal(read(machine, outputs[0].map.address, value), value)
    assert np.array_equal(read(machine, outputs[1].map.address, index), index)
    made = fitting(pes, lambda split: program.max_unpool(pool, channels, height, width, grid, split), rng)
    sums = layers.max_pool_backward(pool, err, index, height, width)
    bench().requantised(made, err, None, sums, index.view(np.int8))
    for backward, source, sums in (
        (False, x, layers.average_pool(pool, x, 57)),
        (True, err, layers.average_pool_backward(pool, err, height, width, 57)),
    ):

        def average(split: Split | None, backward: bool = backward) -> Program:
            return program.average_pool(pool, channels, height, width, grid, 57, backward, split)

        bench().requantised(fitting(pes, average, rng), source, None, sums)


def test_a_network_is_a_chain() -> None:
    """Convolution, max pooling, fully connected layer, deltas, and the gradients of the first weights' update."""
    b = Bench.make(4, SHAPE, 1)
    conv, pool, full = Conv.make(6, 2, kernel=3), Pool.make(2), Conv.make(10, 6 * 9)
    first, last = coded(conv, 0.7, (3, 2), b.numbers), coded(full, 0.4, (5, 27), b.numbers)
    x, labels = words(b.numbers, 2, 8, 8), b.numbers.integers(0, 10, LANES).astype(np.uint8)
    at, mid, logits, deltas = b.map(x), b.empty(6, 6, 6), b.empty(10, 1, 1), b.empty(10, 1, 1)
    value, index = b.empty(6, 3, 3), b.empty(6, 3, 3)
    gradients = laid_out(last, np.zeros(last.values.shape), LANES)
    # what fills blocks is 0 from the start: collects write only beats that have gradients
    at_gradients, at_masters = b.image.put(gradients), b.image.put(laid_out(last, last.masters, LANES))
    at_weights = b.image.room(len(gradients))
    flat = MapAt(value.address, 54, 1, 1)
    ff1 = program.forward(conv, first, 8, 8, b.grid)
    ff2 = program.max_pool(pool, 6, 6, 6, b.grid)
    ff3 = program.forward(full, last, 1, 1, b.grid)
    wg3 = program.weight_gradient(full, last, 1, 1, b.grid)
    maxima = (OutputAt(value, field=AccumulatorField.VALUE), OutputAt(index, field=AccumulatorField.INDEX))
    parts = [
        assemble(ff1, b.places(ff1, at, first, outputs=(OutputAt(mid, 8, relu=True),)), LANES),
        assemble(ff2, b.places(ff2, mid, outputs=maxima), LANES),
        assemble(ff3, b.places(ff3, flat, last, outputs=(OutputAt(logits, 9),)), LANES),
        [d.Delta(logits.address, b.image.put(labels), deltas.address, 10)],
        assemble(wg3, b.places(wg3, flat, last, operand=deltas, gradients=at_gradients), LANES),
        [d.Update(at_gradients, at_masters, at_weights, len(gradients) // LANES, 2)],
    ]
    made = chain(parts)
    assert totals(made) == After(*(sum(getattr(totals(part), name) for part in parts) for name in vars(After())))
    machine = b.execute(made, 8)
    a = layers.requantise(layers.conv_forward(conv, x, positions(first), first.values.reshape(-1, 3, 3)), 8, True)
    m, _ = layers.max_pool(pool, a.values)
    z = layers.conv_forward(full, m.reshape(54, 1, 1, LANES), positions(last), last.values.reshape(-1, 1, 1))
    assert np.array_equal(read(machine, logits.address, words(b.numbers, 10, 1, 1)), layers.requantise(z, 9).values)
    err = read(machine, deltas.address, words(b.numbers, 10, 1, 1)).copy()
    assert err.any()
    g = layers.conv_weight_gradient(full, m.reshape(54, 1, 1, LANES), err, positions(last)).reshape(-1, 1)
    assert np.array_equal(read(machine, at_gradients, gradients), laid_out(last, g, LANES))
    masters = np.clip(last.masters - (g.astype(np.int64) + 2 >> 2), -(1 << 23), (1 << 23) - 1)
    assert np.array_equal(read(machine, at_masters, gradients), laid_out(last, masters, LANES))


def test_full_regions_are_one_run() -> None:
    conv = Conv.make(4, 4, kernel=3, pad=1)
    b = Bench.make(4, SHAPE, 1)
    csb = coded(conv, 1.0, (2, 2), b.numbers)
    made = program.forward(conv, csb, 6, 6, b.grid, Split(1, 2, 2))
    out = OutputAt(b.empty(4, 6, 6))
    found = assemble(made, b.places(made, b.empty(4, 6, 6), csb, outputs=(out,)), LANES)
    assert {(each.runs, each.run_beats) for each in found if isinstance(each, d.Map)} == {(1, 72)}
    assert {(each.runs, each.groups, each.run_beats) for each in found if isinstance(each, d.Output)} == {(1, 1, 72)}
    assert sum(each.check for each in found if isinstance(each, d.Stream)) > 0
    assert isinstance(found[0], d.Pointers)


@pytest.mark.parametrize("seed", range(50))
def test_runs_are_the_beats_of_the_region(seed: int) -> None:
    rng = random.Random(seed)
    channels, height, width = rng.randint(1, 6), rng.randint(1, 6), rng.randint(1, 6)
    h, w, c = rng.randint(1, height), rng.randint(1, width), rng.randint(1, channels)
    run, levels = fold(w, [(h, width), (c, height * width)], [1 << 12, 1 << 12])
    beats = [
        group * levels[1][1] + n * levels[0][1] + k
        for group in range(levels[1][0]) for n in range(levels[0][0]) for k in range(run)
    ]  # fmt: skip
    assert beats == [(i * height + y) * width + x for i in range(c) for y in range(h) for x in range(w)]
    if w == width:
        assert levels[1][0] == 1


def test_long_regions_are_cut() -> None:
    assert fold(14, [(1, 14), (6, 196)], [9, 9]) == (14, [(6, 196), (1, 0)])
    assert fold(14, [(1, 14), (6, 196)], [9, 9], rows=True) == (14, [(1, 14), (6, 196)]), "planes are no rows"
    assert fold(300, [(300, 300), (3, 90000)], [1 << 13]) == (54000, [(5, 54000)])
    assert fold(1, [(8192, 5)], [1 << 12, 1 << 12]) == (1, [(4096, 5), (2, 20480)])
    for beats, levels in (
        (300, [(300, 301), (3, 90301)]),
        (1, [(2, 1 << 20)]),
        (1, [(4099, 2)]),
        (65537, [(2, 70000)]),
    ):
        with pytest.raises(ValueError, match="need more runs than a descriptor has"):
            fold(beats, levels, [1 << 12])


def test_places_must_fit() -> None:
    conv = Conv.make(4, 4, kernel=3, pad=1)
    b = Bench.make(4, SHAPE, 1)
    csb = coded(conv, 1.0, (2, 2), b.numbers)
    made = program.forward(conv, csb, 6, 6, b.grid)
    wg = program.weight_gradient(conv, csb, 6, 6, b.grid)
    places = b.places(made, b.empty(4, 6, 6), csb, outputs=(OutputAt(b.empty(4, 6, 6)),))
    wg_places = b.places(wg, places.x, csb, operand=places.x, gradients=0)
    first = next(each for each in wg.stores() if isinstance(each, CollectGradients))
    bad_first = replace(first, slots=((1, 3),))
    bad_map = LoadMap(LoadCommand(4, 3, 4, 6), 0)
    bad_drain = DrainMap(DrainCommand(1, 4, 4, 6, 6, 6, 6), 1, 0, 0)
    mac, wide = ComputeTiles(Op.MAC, False, 0, 0, 0, 0, 0, 0), replace(first, tiles_log2=first.tiles_log2 ^ 1)
    cases: list[tuple[Program, Places, str]] = [
        (made, replace(places, outputs=()), "need an output"),
        (made, replace(places, outputs=(OutputAt(b.empty(4, 6, 5)),)), r"must have the size \(4, 6, 6\)"),
        (made, replace(places, literals=None), "need literals"),
        (made, replace(places, csb=None), "need the matrix"),
        (made, replace(places, x=replace(places.x, height=5)), "is not inside"),
        (replace(made, operations=(bad_map,)), places, "is not inside MapAt"),
        (replace(made, operations=(bad_drain,)), places, "is not inside a map"),
        (wg, replace(wg_places, operand=None), "need the operand map"),
        (wg, replace(wg_places, gradients=None), "need gradients"),
        (replace(wg, operations=(bad_first,)), wg_places, "does not begin a beat"),
        (replace(wg, operations=(*wg.operations, mac)), wg_places, "one operation"),
        (replace(wg, operations=(*wg.operations, wide)), wg_places, "one number of PEs"),
    ]
    for each, where, message in cases:
        with pytest.raises(ValueError, match=message):
            assemble(each, where, LANES)
