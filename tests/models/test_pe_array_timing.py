# SPDX-License-Identifier: Apache-2.0
"""Clocks of the whole array: figures worked out by hand, what must be conserved, and the estimate beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.pe_array import array_clocks, array_stores, pe_timing, program
from models.pe_array.array_tables import COMPUTE, D_KIND, D_SIZE, D_STORES, DRAIN, UPDATE, Update, tables_of
from models.pe_array.array_timing import ArrayTiming, Engines, Memory, predict, predict_tables
from models.pe_array.csb import Csb, encode
from models.pe_array.estimate import estimate
from models.pe_array.operations import Collect, Compute, Drain, LoadMap, LoadStream, Program
from models.pe_array.pe_model import Op, PeShape
from models.pe_array.pe_timing import C_CLEAR, C_E, C_ELEMENTS, C_T, C_TAPS, Work
from models.pe_array.shapes import Conv, Pool
from models.pe_array.tiling import Grid, Layer, Room, Split, choose_split, strip_choices

SHAPE = PeShape(8, 32, x_depth=512, y_depth=256, w_depth=256, e_depth=64, t_depth=256)
CONV = Conv.make(16, 12, kernel=3, pad=1)


@pytest.fixture(params=["compiled", "python"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test on the compiled loops and on their Python source (which coverage sees)."""
    if request.param == "python":
        for module in (array_clocks, array_stores):
            for name, value in list(vars(module).items()):
                if hasattr(value, "py_func"):
                    monkeypatch.setattr(module, name, value.py_func)


def coded(conv: Conv, density: float, block: tuple[int, int], seed: int = 1) -> Csb:
    mask = np.random.default_rng(seed).random((conv.rows, conv.cols)) < density
    return encode(np.zeros((conv.rows, conv.cols, *conv.kernel)), mask, *block)


def phases(conv: Conv, size: int, grid: Grid, density: float = 0.5, block: tuple[int, int] = (4, 4)) -> list[Program]:
    csb = coded(conv, density, block)
    makes = (program.forward, program.input_gradient, program.weight_gradient)
    return [make(conv, csb, size, size, grid) for make in makes]


def conserved(made: Program, grid: Grid, timing: ArrayTiming) -> None:
    """Every beat, entry and word that the program names, no more and no fewer."""
    tables = tables_of(made, grid)
    commands, lanes = tables.commands, grid.shape.lanes
    entries = np.maximum(1, commands[:, C_CLEAR] + commands[:, C_ELEMENTS] * commands[:, C_TAPS])
    assert timing.busy == entries.sum()
    maps = sum(each.command.beats for each in made.operations if isinstance(each, LoadMap))
    streams = sum(each.beats for each in made.operations if isinstance(each, LoadStream))
    pointers = 0 if made.image is None else len(made.image.pointers) // lanes
    assert timing.load_beats == maps + streams + pointers
    assert timing.fetch_beats == -(-len(tables.descriptors) * 32 // lanes)
    words = sum(each.command.words for each in made.operations if isinstance(each, Drain))
    packed = added = 0
    for each in made.operations:
        if isinstance(each, Collect):
            beats = sum(-(-count * each.results * 4 // lanes) for _, count in each.slots)
            packed += beats
            added += beats * each.add
    assert (timing.written, timing.store_beats) == (words + packed, added)
    assert timing.read_beats <= timing.clocks
    assert timing.macs <= timing.busy <= grid.pes * timing.clocks


@pytest.mark.usefixtures("kernel")
def test_all_that_a_program_names_happens() -> None:
    grid = Grid(4, SHAPE)
    conv = Conv.make(8, 6, kernel=3, pad=1)
    for made in phases(conv, 4, grid):
        conserved(made, grid, predict(made, grid))


@pytest.mark.usefixtures("kernel")
def test_gradients_of_several_strips_are_added() -> None:
    grid = Grid(2, replace(SHAPE, y_depth=64))
    made = phases(Conv.make(4, 4, kernel=3, pad=1), 7, grid)[2]
    assert any(each.add for each in made.stores() if isinstance(each, Collect))
    timing = predict(made, grid)
    conserved(made, grid, timing)
    assert timing.store_beats > 0


@pytest.mark.usefixtures("kernel")
def test_masks_maxima_and_updates() -> None:
    grid = Grid(4, SHAPE)
    made = phases(Conv.make(8, 6, kernel=3, pad=1), 4, grid)[1]
    plain, masked = predict(made, grid), predict(made, grid, masked=True)
    words = sum(each.command.words for each in made.stores() if isinstance(each, Drain))
    assert masked.store_beats - plain.store_beats == words
    updates = [Update(7), Update(9, momentum=True)]
    both = predict(made, grid, updates=updates)
    assert both.store_beats == 8 * 7 + 12 * 9
    assert both.written == plain.written + 5 * 7 + 9 * 9
    pool = program.max_pool(Pool.make(2), 6, 4, 4, grid)
    assert predict(pool, grid, drains=2).written == 2 * predict(pool, grid).written == 2 * 6 * 4


def test_a_pe_has_the_clocks_of_its_own_model() -> None:
    """One PE and one command: from the first entry to the last as ``pe_timing`` says, waits for Y words included."""
    conv, grid = Conv.make(3, 5), Grid(1, SHAPE)
    made = program.forward(conv, coded(conv, 1.0, (3, 5)), 1, 1, grid, Split(1, 1, 1))
    tables = tables_of(made, grid)
    assert len(tables.commands) == 1
    row = tables.commands[0]
    (compute,) = [each for each in made.operations if isinstance(each, Compute)]
    own = {field: int(row[n]) for field, n in zip(range(6), (C_ELEMENTS, C_CLEAR, C_TAPS), strict=False)}
    work = Work(
        replace(
            compute.command(dict.fromkeys(range(6), 0) | own),  # type: ignore[arg-type]
            xstride=1,
            ystride=1,
        ),
        tables.coordinates[row[C_E] : row[C_E] + row[C_ELEMENTS]].astype(np.uint16),
        tables.taps[row[C_T] : row[C_T] + row[C_TAPS]].astype(np.uint32),
    )
    exact = pe_timing.predict([work], SHAPE)
    timing = predict(made, grid)
    assert (timing.busy, timing.waits) == (len(exact.issued), exact.stalls)


def test_a_program_of_nothing_but_loads_takes_a_clock_per_beat() -> None:
    """Fully connected and sparse: hardly any work per beat of the input. Bounds, as the start is not overlapped."""
    conv, grid = Conv.make(4, 4000), Grid(1, replace(SHAPE, x_depth=1024))
    made = program.forward(conv, coded(conv, 0.05, (4, 250)), 1, 1, grid)
    memory = Memory(40, 20)
    timing = predict(made, grid, memory)
    assert timing.bound == "read port"
    assert timing.read_beats < timing.clocks < timing.read_beats + 600
    slower = predict(made, grid, Memory(400, 20))
    assert timing.clocks + 360 <= slower.clocks


def test_latency_is_paid_once_where_nothing_waits() -> None:
    grid = Grid(4, SHAPE)
    for made in phases(CONV, 8, grid):
        quick, slow = predict(made, grid, Memory(10, 10)), predict(made, grid, Memory(60, 10))
        assert quick.clocks < slow.clocks < 1.25 * quick.clocks
        assert (quick.busy, quick.written) == (slow.busy, slow.written)


@pytest.mark.parametrize("seed", range(6))
def test_the_estimate_is_near(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = Grid(int(rng.choice([4, 8, 16])), replace(SHAPE, lanes=16))
    conv = Conv.make(int(rng.integers(16, 48)), int(rng.integers(16, 48)), kernel=3, pad=1)
    for made in phases(conv, int(rng.choice([2, 4, 8])), grid, float(rng.choice([0.2, 0.6, 1.0])), (8, 8)):
        assert 0.75 < estimate(made, grid) / predict(made, grid).clocks < 1.2


def test_updates_stand_between_the_drains_and_are_not_waited_for() -> None:
    grid = Grid(4, SHAPE)
    made = phases(Conv.make(32, 6, kernel=3, pad=1), 8, grid, block=(2, 3))[0]
    plain = tables_of(made, grid).descriptors
    stores = plain[np.isin(plain[:, D_KIND], (DRAIN,))]
    n = len(stores)
    assert n > 2
    rows = tables_of(made, grid, updates=[Update(4)] * n).descriptors
    order = [int(kind) for kind in rows[:, D_KIND] if kind in (DRAIN, UPDATE)]
    assert order == [UPDATE, DRAIN] * n
    assert rows[rows[:, D_KIND] == UPDATE, D_SIZE].tolist() == [4] * n
    before = plain[plain[:, D_KIND] == COMPUTE, D_STORES]
    after = rows[rows[:, D_KIND] == COMPUTE, D_STORES]
    assert before.max() > 0
    assert after.tolist() == [2 * count if count else 0 for count in before]


def test_updates_hide_behind_commands() -> None:
    grid = Grid(4, SHAPE)
    made = phases(Conv.make(32, 16, kernel=3, pad=1), 8, grid, 1.0, (2, 4))[1]
    plain = predict(made, grid, masked=True)
    free = (plain.clocks - plain.read_beats) // 2 // 8
    drains = len(made.stores())
    busy = predict(made, grid, masked=True, updates=[Update(free // drains)] * drains)
    assert busy.clocks < 1.03 * plain.clocks
    assert busy.read_beats > plain.read_beats + 7 * free


def test_a_program_that_gets_stuck_is_named() -> None:
    grid = Grid(4, SHAPE)
    made = phases(CONV, 4, grid)[0]
    tables = tables_of(made, grid)
    rows = tables.descriptors.copy()
    rows[rows[:, D_KIND] == DRAIN, D_STORES] = 99
    with pytest.raises(ValueError, match="does not come to its end"):
        predict_tables(replace(tables, descriptors=rows), grid, Memory(), Engines(), limit=20_000)
    with pytest.raises(ValueError, match="at least 1"):
        Memory(0, 1)


def test_splits_that_are_as_good_come_from_both_ends() -> None:
    splits = choose_split(Layer(Op.MAC, CONV, 8, 8), 16, 16)
    pixels = [-(-16 // each.slots) * -(-8 // each.sy) * -(-8 // each.sx) for each in splits]
    assert pixels == sorted(pixels)
    assert [each.slots for each in splits[:2]] == [16, 1]
    assert sorted(map(str, splits)) == sorted(map(str, Split.all_of(16)))


def test_strips_of_full_width_follow_the_fewest() -> None:
    layer = Layer(Op.MAC, CONV, 8, 8)
    choices = list(strip_choices(layer, Split(1, 2, 2), Room(256, 256, 200, 1, 1)))
    numbers = [len(strips) for strips in choices]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 8
    for strips in choices:
        assert sum(strip.region.pixels for strip in strips) == 64


@pytest.mark.usefixtures("kernel")
def test_a_phase_of_one_command_is_a_chain() -> None:
    """Fetch, then loads, then the command, then its drain, then the answer: each after the one before."""
    conv, grid = Conv.make(3, 5), Grid(1, SHAPE)
    made = program.forward(conv, coded(conv, 1.0, (3, 5)), 1, 1, grid, Split(1, 1, 1))
    memory, engines = Memory(100, 70), Engines()
    timing = predict(made, grid, memory)
    chain = (
        2 * memory.read + timing.load_beats  # first descriptor, first load
        + pe_timing.FIRST_ISSUE + timing.busy + timing.waits + pe_timing.PIPE
        + engines.drain_first + timing.written + engines.drain_word + memory.write
    )  # fmt: skip
    assert chain < timing.clocks < chain + 120
