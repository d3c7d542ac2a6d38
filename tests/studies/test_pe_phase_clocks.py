# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of phases of layers: what must be conserved, what costs what, and the estimate beside them."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from models.pe_array.clocks import pe as pe_clocks
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.compiler import program
from models.pe_array.compiler.estimate import estimate
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.csb import Csb, beat_offsets, encode
from models.pe_array.isa.descriptors import Engine
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import After, CollectGradients, DrainMap, LoadMap, LoadStream
from models.pe_array.isa.pe_command import Op, PeShape
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.isa.sizes import Sizes
from models.pe_array.tiles.tiling import PhaseGeometry, Split, choose_split
from studies.phase_clocks import PhaseProgram, WeightUpdate, among

SHAPE = PeShape(8, 32, x_depth=512, y_depth=256, w_depth=256, e_depth=64, t_depth=256)
CONV = Conv.make(16, 12, kernel=3, pad=1)


@pytest.fixture(params=["compiled", "python"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test on the compiled loops and on their Python source (which coverage sees)."""
    if request.param == "python":
        places = ("models.pe_array.", "models.lib.clocks.")
        for module in [each for name, each in sys.modules.items() if name.startswith(places)]:
            for name, value in list(vars(module).items()):
                if hasattr(value, "py_func"):
                    monkeypatch.setattr(module, name, value.py_func)


def coded(conv: Conv, density: float, block: tuple[int, int], seed: int = 1) -> Csb:
    mask = np.random.default_rng(seed).random((conv.rows, conv.cols)) < density
    return encode(np.zeros((conv.rows, conv.cols, *conv.kernel)), mask, *block)


def phases(
    conv: Conv, size: int, grid: Grid, density: float = 0.5, block: tuple[int, int] = (4, 4)
) -> list[PhaseProgram]:  # fmt: skip
    """FF, NG and WG."""
    csb = coded(conv, density, block)
    source, result = (conv.cols, size, size), (conv.rows, *conv.out_size(size, size))
    return [
        PhaseProgram(program.forward(conv, csb, size, size, grid), source, csb=csb),
        PhaseProgram(program.input_gradient(conv, csb, size, size, grid), result, csb=csb),
        PhaseProgram(program.weight_gradient(conv, csb, size, size, grid), source, result, csb),
    ]


def conserved(phase: PhaseProgram, grid: Grid, run: ProgramRun) -> None:
    """Every beat and word that the program names, no more and no fewer."""
    made, lanes = phase.program, grid.shape.lanes
    assert made is not None
    maps = sum(each.command.beats for each in made.operations if isinstance(each, LoadMap))
    streams = sum(each.beats for each in made.operations if isinstance(each, LoadStream))
    pointers = 0 if made.image is None else len(made.image.pointers) // lanes
    assert run.load_beats == maps + streams + pointers
    words = sum(each.command.words for each in made.operations if isinstance(each, DrainMap))
    packed = added = 0
    for each in made.operations:
        if isinstance(each, CollectGradients):
            beats = sum(-(-count * each.results * 4 // lanes) for _, count in each.slots)
            packed += beats
            added += beats * each.add
    assert (run.written_beats, run.store_beats) == (words + packed, added)
    assert run.read_beats <= run.clocks
    assert 0 < run.macs <= run.busy <= grid.pes * run.clocks


@pytest.mark.usefixtures("kernel")
def test_all_that_a_program_names_happens() -> None:
    grid = Grid(4, SHAPE)
    conv = Conv.make(8, 6, kernel=3, pad=1)
    for phase in phases(conv, 4, grid):
        conserved(phase, grid, phase.clocks(grid))


def test_macs_are_those_of_the_map() -> None:
    """Of 3 x 3 taps on 4 x 4 pixels 10 x 10 see the map."""
    grid, conv = Grid(4, SHAPE), Conv.make(8, 6, kernel=3, pad=1)
    csb = coded(conv, 0.5, (4, 4))
    for phase in phases(conv, 4, grid):
        assert phase.clocks(grid).macs == len(csb.coordinates) * 10 * 10


def test_gradients_of_several_strips_are_added() -> None:
    grid = Grid(2, replace(SHAPE, y_depth=64))
    phase = phases(Conv.make(4, 4, kernel=3, pad=1), 7, grid)[2]
    assert phase.program is not None
    assert any(each.add for each in phase.program.stores() if isinstance(each, CollectGradients))
    run = phase.clocks(grid)
    conserved(phase, grid, run)
    assert run.store_beats > 0


@pytest.mark.usefixtures("kernel")
def test_masks_maxima_and_updates() -> None:
    grid = Grid(4, SHAPE)
    phase = phases(Conv.make(8, 6, kernel=3, pad=1), 4, grid)[1]
    plain, masked = phase.clocks(grid), replace(phase, masked=True).clocks(grid)
    assert masked.store_beats - plain.store_beats == plain.written_beats == 6 * 4 * 4
    both = replace(phase, updates=(WeightUpdate(7), WeightUpdate(9, momentum=True))).clocks(grid)
    assert both.store_beats == 8 * 7 + 12 * 9
    assert both.written_beats == plain.written_beats + 5 * 7 + 9 * 9
    pool = PhaseProgram(program.max_pool(Pool.make(2), 6, 4, 4, grid), (6, 4, 4))
    assert replace(pool, outputs=2).clocks(grid).written_beats == 2 * pool.clocks(grid).written_beats == 2 * 6 * 4


@pytest.mark.usefixtures("kernel")
def test_gradients_that_are_in_no_memory() -> None:
    """A LEARN reads masters and momenta and writes them and MAC weights: 9 bytes per weight, with momentum 17."""
    grid = Grid(4, SHAPE)
    phase = phases(Conv.make(8, 6, kernel=3, pad=1), 4, grid)[2]
    assert phase.csb is not None
    beats = int(beat_offsets(phase.csb.pointers, 9, SHAPE.lanes)[-1])
    for arrays in (1, 2):
        run = replace(phase, learns=WeightUpdate(beats, momentum=arrays == 2)).clocks(grid)
        assert (run.store_beats, run.written_beats) == (4 * arrays * beats, 4 * arrays * beats + beats)
    apart = replace(phase, updates=(WeightUpdate(beats, momentum=True),)).clocks(grid)
    assert run.clocks < apart.clocks


def test_an_update_by_itself() -> None:
    """Reads take a clock per beat, and the rest is what a program of nothing takes."""
    grid = Grid(4, SHAPE)
    clocks = [PhaseProgram(None, updates=(WeightUpdate(beats),)).clocks(grid).clocks for beats in (64, 128, 256)]
    assert clocks[1] - clocks[0] == 8 * 64
    assert clocks[2] - clocks[1] == 8 * 128
    assert clocks[0] < 8 * 64 + 250


def test_a_program_of_nothing_but_loads_takes_a_clock_per_beat() -> None:
    """Fully connected and sparse: hardly any work per beat of the input. Bounds, as the start is not overlapped."""
    conv, grid = Conv.make(4, 4000), Grid(1, replace(SHAPE, x_depth=1024))
    csb = coded(conv, 0.05, (4, 250))
    phase = PhaseProgram(program.forward(conv, csb, 1, 1, grid), (4000, 1, 1), csb=csb)
    run = phase.clocks(grid, Sizes(40))
    assert run.read_beats < run.clocks < run.read_beats + 600
    assert run.clocks + 360 <= phase.clocks(grid, Sizes(400)).clocks


def test_latency_is_paid_once_where_nothing_waits() -> None:
    grid = Grid(4, SHAPE)
    for phase in phases(CONV, 8, grid):
        quick, slow = phase.clocks(grid, Sizes(10)), phase.clocks(grid, Sizes(60))
        assert quick.clocks < slow.clocks < 1.25 * quick.clocks
        assert (quick.busy, quick.written_beats) == (slow.busy, slow.written_beats)


def test_short_commands_need_more_bursts_on_their_way() -> None:
    """Gradients of many slots in chunks of some beats: what is written is the least that WG can take."""
    grid = Grid(16, replace(SHAPE, lanes=16))
    phase = phases(Conv.make(48, 48, kernel=3, pad=1), 2, grid, 1.0, (48, 8))[2]
    few, many = (phase.clocks(grid, Sizes(48, outstanding=n)) for n in (4, 16))
    assert few.written_beats == many.written_beats
    assert 1.2 * many.clocks < few.clocks
    assert phase.clocks(grid, Sizes(1, outstanding=4)).clocks < many.clocks


@pytest.mark.parametrize(("seed", "wide"), [(seed, wide) for seed in range(6) for wide in (1, 2)])
def test_the_estimate_is_near(seed: int, wide: int) -> None:
    rng = np.random.default_rng(seed)
    grid = Grid(int(rng.choice([4, 8, 16])), replace(SHAPE, lanes=16), wide)
    conv = Conv.make(int(rng.integers(16, 48)), int(rng.integers(16, 48)), kernel=3, pad=1)
    for phase in phases(conv, int(rng.choice([2, 4, 8])), grid, float(rng.choice([0.2, 0.6, 1.0])), (8, 8)):
        assert phase.program is not None
        assert 0.75 < estimate(phase.program, grid) / phase.clocks(grid).clocks < 1.2


def test_a_wide_port_loads_maps_and_streams_in_fewer_clocks() -> None:
    """Tiles take turns, so that the load engine takes two words in most clocks."""
    conv, shape = Conv.make(16, 16, kernel=3, pad=1), replace(SHAPE, lanes=16)
    narrow, wide = (
        phases(conv, 8, Grid(16, shape, wide), 0.3, (8, 8))[0].clocks(Grid(16, shape, wide)) for wide in (1, 2)
    )
    assert wide.load_beats == narrow.load_beats, "words"
    assert wide.load_clocks < 0.65 * narrow.load_clocks
    assert wide.clocks < narrow.clocks


def test_updates_stand_between_the_stores_and_are_not_waited_for() -> None:
    drain = [d.Output(0, 1), d.Drain(1, 1, 1, 1, 1, 1, 1, 0, 1)]
    made = [*drain, *drain, d.Compute(0, after=After(stores=1)), *drain, d.Compute(0, after=After(stores=3))]
    updates = [d.Update(0, 0, 0, beats, 1) for beats in (1, 2, 3)]
    for count, stores in ((3, (2, 6)), (1, (1, 4)), (2, (1, 5))):
        both = among(made, updates[:count])
        assert [each for each in both if isinstance(each, d.Update)] == updates[:count]
        assert all(isinstance(b, d.Drain) for a, b in pairwise(both) if isinstance(a, d.Output))
        assert isinstance(both[-2], d.Drain)
        assert tuple(each.after.stores for each in both if each.engine == Engine.COMPUTE) == stores
    assert among([], updates) == updates


def test_updates_hide_behind_commands() -> None:
    grid = Grid(4, SHAPE)
    phase = phases(Conv.make(32, 16, kernel=3, pad=1), 8, grid, 1.0, (2, 4))[1]
    assert phase.program is not None
    alone = replace(phase, masked=True)
    plain = alone.clocks(grid)
    free = (plain.clocks - plain.read_beats) // 2 // 8
    drains = len(phase.program.stores())
    busy = replace(alone, updates=(WeightUpdate(free // drains),) * drains).clocks(grid)
    assert busy.clocks < 1.03 * plain.clocks
    assert busy.read_beats > plain.read_beats + 7 * free


def test_splits_that_are_as_good_come_from_both_ends() -> None:
    splits = choose_split(PhaseGeometry(Op.MAC, CONV, 8, 8), 16, 16)
    pixels = [-(-16 // each.slots) * -(-8 // each.sy) * -(-8 // each.sx) for each in splits]
    assert pixels == sorted(pixels)
    assert [each.slots for each in splits[:2]] == [16, 1]
    assert sorted(map(str, splits)) == sorted(map(str, Split.all_of(16)))


def test_a_phase_of_one_command_is_a_chain() -> None:
    """Fetch, in two parts of 32 beats, then loads, the command, its drain, the answer: each after the one before."""
    conv, grid = Conv.make(3, 5), Grid(1, SHAPE)
    csb = coded(conv, 1.0, (3, 5))
    made = program.forward(conv, csb, 1, 1, grid, Split(1, 1, 1))
    run = PhaseProgram(made, (5, 1, 1), csb=csb).clocks(grid, Sizes(100))
    work = pe_clocks.FIRST_ISSUE + run.busy + run.stalls + pe_clocks.PIPE
    assert 32 < run.fetch_beats <= 64
    chain = 4 * 100 + run.load_beats + work + run.written_beats
    assert chain < run.clocks < chain + 120
