# SPDX-License-Identifier: Apache-2.0
"""Clocks that are passed over: the same figures as when each is played."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.steady import meets
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.compiler.assemble import chain
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import After, CommandField
from models.pe_array.isa.pe_command import Memory, Op, PeShape, Tap, pack_taps
from models.pe_array.isa.sizes import Sizes
from tb.pe_array.drivers.array_cases import KINDS, CaseMemory

SHAPE = PeShape(8, 32, x_depth=1024, y_depth=512, w_depth=512, e_depth=64, t_depth=64)
LONG = 600


class Pair:
    """Two arrays, of which one passes over what it can."""

    def __init__(self, seed: int, pes: int = 4, latency: int = 12, per: int = 1, wide: int = 1) -> None:
        names = {"P": pes, "B": SHAPE.lanes, "ACC": SHAPE.acc_bits, "WORDS": 1 << 17, "BUS": 8 * SHAPE.lanes * wide}
        depths = {f"{name}_DEPTH": getattr(SHAPE, f"{name.lower()}_depth") for name in "XYWET"}
        bench: Any = SimpleNamespace(
            rng=Random(seed), np=np.random.default_rng(seed), params=names | depths, cover=lambda group, point: None
        )
        self.memory = CaseMemory(bench)
        grid, sizes = Grid(pes, SHAPE, wide), Sizes(latency, per=per)
        self.both = [ArrayClocks(grid, sizes, passes) for passes in (True, False)]

    def run(self, made: list[d.Descriptor]) -> ProgramRun:
        """A program on both."""
        memory = self.memory
        address = memory.program(made)
        quick, slow = (each.run(address, made, memory.data, memory.base, seen=True) for each in self.both)
        assert replace(quick, passed=0) == slow
        assert_same(quick, slow)
        memory.empty()
        return quick

    def commands(self, taps: list[Tap], columns: list[int], count: int, op: Op = Op.MAC, clear: int = 0) -> ProgramRun:
        """Commands behind each other, with elements of a row and these columns."""
        memory, lanes = self.memory, SHAPE.lanes
        entries, elements = pack_taps(taps), np.array(columns, dtype=np.uint16) << 8
        t, e = (np.resize(each, -(-each.nbytes // lanes) * lanes // each.itemsize) for each in (entries, elements))
        made: list[d.Descriptor] = [
            d.Stream(to - Memory.W, memory.put(each), each.nbytes // lanes, 0, 15)
            for to, each in ((Memory.T, t), (Memory.E, e))
        ]
        fields = {
            CommandField.TAPS: len(taps), CommandField.ELEMENTS: len(columns), CommandField.CLEAR: clear,
            CommandField.TBASE: 0, CommandField.YSTRIDE: 16,
        }  # fmt: skip
        made += [d.Set(field, value, 15) for field, value in fields.items()]
        return self.run([*made, *(d.Compute(op=op, after=After(loads=2)) for _ in range(count))])


def assert_same(quick: ProgramRun, slow: ProgramRun) -> None:
    """Timelines, clock by clock."""
    one, other = quick.timeline, slow.timeline
    assert one is not None
    assert other is not None
    assert one.width == other.width
    for name in ("taken", "issued", "beats", "stalled"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert all(np.array_equal(one.busy[engine], other.busy[engine]) for engine in one.busy)


def taps_of(words: list[int | None]) -> list[Tap]:
    """A list whose entries end at these words of Y, or do not end; the final one must."""
    return [Tap(xoff=0, woff=0, yoff=word or 0, last=word is not None) for word in words]


@pytest.mark.parametrize("kind", KINDS)
def test_layers(kind: str) -> None:
    """Of all kinds, long and short ones, with loads and drains beside the commands."""
    pair = Pair(len(kind))
    runs = [pair.run(chain([pair.memory.layer(kind, 4000), pair.memory.layer(kind, 120)])) for _ in range(3)]
    assert sum(run.clocks for run in runs) > 0


@pytest.mark.parametrize("seed", range(3))
def test_layers_behind_each_other(seed: int) -> None:
    pair = Pair(seed, latency=1 + 40 * seed)
    kinds = ("ff", "wg", "max_pool", "ng", "average", "unpool")
    pair.run(chain([pair.memory.layer(kind, 1500) for kind in kinds]))


@pytest.mark.parametrize("pes", [1, 64])
def test_layers_with_a_wide_port(pes: int) -> None:
    pair = Pair(pes, pes, wide=2)
    for kind in KINDS:
        pair.run(pair.memory.layer(kind, 1500))


@pytest.mark.parametrize(
    ("words", "meet"),
    [
        ([None, None, 0], False),
        ([0, 1, 2, 3], False),
        ([0, 1, 0], True),
        ([0, None, 1, 0, 2], True),
        ([0, 1, 2, 1], True),
        ([None, 0], True),
        ([0, 1, 20], True),
    ],
)
def test_results_of_one_word(words: list[int | None], meet: bool) -> None:
    """Words that would meet within the clocks of a hazard, within a list or from one element to the next."""
    taps = taps_of(words)
    outs = np.arange(4)
    assert meets(Op.MAC, pack_taps(taps).astype(np.int64), outs, 16, SHAPE.y_depth) == meet
    run = Pair(1).commands(taps, [n % 4 for n in range(LONG // len(words))], 3, clear=5)
    assert (run.passed > 0) != meet


def test_what_must_be_played() -> None:
    """Gradients, which wait for who takes them; channels of Y that overlap."""
    taps = pack_taps(taps_of([None, None, 0])).astype(np.int64)
    assert meets(Op.GRAD, taps, np.zeros(3, dtype=np.int64), 16, 512)
    assert not meets(Op.MAX, taps, np.zeros(3, dtype=np.int64), 16, 512)
    assert meets(Op.MAC, taps, np.array([40]), 16, 512)
    assert meets(Op.MAC, taps, np.zeros(0, dtype=np.int64), 16, 512)


def test_long_commands_are_passed_over() -> None:
    run = Pair(2).commands(taps_of([0, None, 1, None, 2]), [n % 7 for n in range(250)], 4)
    assert run.passed > 3 * 1000
    assert run.clocks < 4 * 1250 + 300


def test_a_slow_memory_is_not_a_stuck_program() -> None:
    """What is in the FIFO of writes takes it longer than nothing else may move."""
    pair = Pair(3, per=600)
    run = pair.run(pair.memory.layer("average", 120))
    assert run.written_beats * 600 > 2 * (1 << 13)
