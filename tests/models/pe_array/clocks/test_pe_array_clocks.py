# SPDX-License-Identifier: Apache-2.0
"""Exact clocks of the array: figures worked out by hand from the headers of the RTL, and what the machine counts.

That they are those of the RTL is tb/pe_array/top/test_array_clocks.py's to say.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.lib.clocks.axi_memory import credit, credit_clock, credit_open
from models.pe_array.clocks import pe as pe_clocks
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.compiler.assemble import chain
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import Engine
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import After
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.sizes import Sizes
from models.pe_array.machine.machine import Machine
from tb.pe_array.drivers.array_cases import KINDS, CaseMemory

SHAPE = PeShape(8, 32, x_depth=128, y_depth=64, w_depth=64, e_depth=16, t_depth=128)
NARROW = Sizes(1, 3, 8, 4, 3, 2, 32, 32, 2)


class Array:
    """An array with a memory, played and executed."""

    def __init__(self, seed: int = 0, sizes: Sizes | None = None, shape: PeShape = SHAPE, pes: int = 4) -> None:
        grid = Grid(pes, shape)
        names = {"P": pes, "B": shape.lanes, "ACC": shape.acc_bits, "WORDS": 8192}
        depths = {f"{name}_DEPTH": getattr(shape, f"{name.lower()}_depth") for name in "XYWET"}
        bench: Any = SimpleNamespace(
            rng=Random(seed), np=np.random.default_rng(seed), params=names | depths, cover=lambda group, point: None
        )
        self.memory = CaseMemory(bench)
        self.clocks = ArrayClocks(grid, sizes or Sizes(12))
        self.machine = Machine(pes, shape, self.memory.data, self.memory.base)
        self.run(self.memory.garbage())

    def run(self, made: list[d.Descriptor]) -> ProgramRun:
        """Clocks of a program, whose operations and results the machine agrees with."""
        memory = self.memory
        at, window = memory.program(made), self.machine.memory
        window.read_window, window.write_window = memory.windows
        result = self.clocks.run(at, made, memory.data, memory.base)
        assert self.machine.run(at, len(made), seed=1) is None
        assert {engine: len(done) for engine, done in result.done.items()} == self.machine.operations
        beats = {Engine.LOAD: result.load_clocks, Engine.STORE: result.store_clocks}
        assert all(clocks >= window.read_beats[engine] for engine, clocks in beats.items())
        memory.empty()
        return result

    def stream(self, beats: int, **after: int) -> d.Descriptor:
        return d.Stream(0, self.memory.map(1, 1, beats).address, beats, 0, 15, after=After(**after))


@pytest.mark.parametrize("latency", [1, 12, 50])
@pytest.mark.parametrize("beats", [1, 7, 40])
def test_one_stream_is_a_chain(latency: int, beats: int) -> None:
    """Start, command, request, the descriptor; dispatcher, queue, command, request, its beats, done, the end."""
    array = Array(0, Sizes(latency))
    made = array.stream(beats)
    fetch, load = 1 + 2 + (3 + 2) + 2 + 1, 1 + 3 + 1 + (3 + 2) + 2 + 4
    assert array.run([made]).clocks == fetch + load + 2 * latency + (4 - 1) + (beats - 1) + 8


@pytest.mark.parametrize("beats", [1, 7, 40])
def test_one_stream_from_a_memory_with_a_beat_in_two_clocks(beats: int) -> None:
    """Descriptor and stream each begin with a whole credit, then every beat takes two clocks."""
    full, half = Array(0, Sizes(12)), Array(0, Sizes(12, beats=1, per=2))
    clocks = [array.run([array.stream(beats)]).clocks for array in (full, half)]
    assert clocks[1] - clocks[0] == (4 - 1) + (beats - 1)


@pytest.mark.parametrize("bandwidth", [(1, 1), (1, 2), (2, 3), (3, 3), (2, 7), (5, 6)])
def test_bandwidth(bandwidth: tuple[int, int]) -> None:
    """At most BEATS of any PER clocks, exactly so many where there is always a beat, whole again after PER clocks."""
    beats, per = bandwidth
    rng, n = Random(per), credit(beats, per)
    whole = n.copy()
    gone: list[bool] = []
    for clock in range(500):
        gone.append(bool(credit_open(n)) and (clock >= 200 or rng.random() < 0.7))
        credit_clock(n, gone[-1])
    windows = [sum(gone[first : first + per]) for first in range(500 - per)]
    assert max(windows) <= beats
    assert set(windows[200:]) == {beats}
    for _ in range(per):
        credit_clock(n, False)
    assert n.tolist() == whole.tolist()


def test_sizes_of_parameters() -> None:
    assert Sizes.of({"P": 4, "LATENCY": 7, "PER": 3, "BEATS": 2}) == Sizes(7, beats=2, per=3)


def test_a_command_without_elements() -> None:
    array = Array()
    plain = array.run([d.Set(0, 0, 15), d.Set(2, 1, 15), d.Set(1, 1, 15), d.Compute(0)])
    assert (plain.busy, plain.stalls) == (4, 0)
    longer = array.run([d.Set(0, 0, 15), d.Set(2, 1, 15), d.Set(1, 9, 15), d.Compute(0)])
    assert longer.clocks == plain.clocks + 8
    # command, offer, issue, done of the PE, of all, of the grid
    assert plain.compute_clocks == 3 + 2 + pe_clocks.FIRST_ISSUE + pe_clocks.PIPE + pe_clocks.DONE + 2


def test_operations_in_turn_wait_for_each_other() -> None:
    array = Array()
    free = array.run([array.stream(4) for _ in range(6)])
    turn = array.run([array.stream(4, loads=n) for n in range(6)])
    gaps = np.diff(turn.done[Engine.LOAD])
    assert turn.clocks > free.clocks
    assert set(gaps.tolist()) == {
        2 + 1 + (3 + 2) + 12 + 2 + (4 - 1) + 4
    }  # queue, command, request, memory, beats, done


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_layers(kind: str, seed: int) -> None:
    """Latency costs something, narrow queues and FIFOs too, and neither changes what is issued."""
    runs = []
    for sizes in (Sizes(1), Sizes(30), replace(NARROW, latency=30, beats=2, per=3)):
        array = Array(seed, sizes)
        runs.append(array.run(array.memory.layer(kind, 120)))
    quick, slow, narrow = runs
    assert quick.clocks + 2 * 29 <= slow.clocks <= narrow.clocks
    assert quick.busy == slow.busy == narrow.busy


@pytest.mark.parametrize("seed", range(4))
def test_several_layers(seed: int) -> None:
    array = Array(seed)
    memory = array.memory
    parts = [memory.delta(), memory.layer("wg", 60), memory.layer("ff", 60), memory.small()]
    assert array.run(chain(parts)).clocks > 0


def test_wide_beats_have_two_descriptors_and_one_pe_no_sums() -> None:
    array = Array(1, Sizes(5), replace(SHAPE, lanes=64), 1)
    for kind in ("wg", "ff"):
        array.run(array.memory.layer(kind, 60))


def test_many_pointers_are_read_in_runs() -> None:
    array = Array()
    blocks = 2 * 600
    pointers = array.memory.put(np.zeros(blocks + 2, dtype=np.uint32))
    result = array.run([d.Pointers(pointers, blocks, 0), array.stream(3)])
    assert result.load_clocks > 600
    assert len(result.done[Engine.LOAD]) == 2


def test_a_program_that_gets_stuck_is_named() -> None:
    array = Array()
    made = [array.stream(1, computes=1)]
    with pytest.raises(ValueError, match="does not come to its end"):
        array.clocks.run(array.memory.program(made), made, array.memory.data, array.memory.base)
