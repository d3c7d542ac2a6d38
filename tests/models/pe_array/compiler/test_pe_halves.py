# SPDX-License-Identifier: Apache-2.0
"""Which half of a memory a phase begins with, and that its first loads need not wait for all of the phase before."""

from __future__ import annotations

from pe_steps import SHAPE, fixed

from models.pe_array.compiler.halves import Halves
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Compute, Descriptor, Drain, Engine, Map, Set, Stream
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import CommandField
from models.pe_array.isa.pe_command import Memory, Op, PeShape

E_HALF, Y_HALF, T_HALF = (PeShape(8).depth(memory) // 2 for memory in (Memory.E, Memory.Y, Memory.T))


def stream(memory: Memory, word: int, beats: int = 1) -> Stream:
    return Stream(memory - Memory.W, 0, beats, word, 15)


def phase(op: Op = Op.MAC, beats: int = 1) -> list[Descriptor]:
    """One command in half 0 of all memories."""
    return [
        stream(Memory.T, 0, beats), stream(Memory.E, 0), Map(0, 1, 1, 0, 1, 1, 0, 0, 1), Set(CommandField.TBASE, 0, 15),
        Compute(op), Drain(1, 1, 1, 1, 1, 1, 1, 0, 1),
    ]  # fmt: skip


def play(halves: Halves, made: list[Descriptor], computes: int, stores: int) -> None:
    for each in made:
        halves.note(each, computes, stores)


def test_a_phase_begins_with_the_half_that_is_free_first() -> None:
    halves = Halves(PeShape(8))
    first = halves.begin(phase())
    assert first == phase(), "nothing was used before"
    play(halves, first, 1, 1)
    second = halves.begin(phase())
    lists, weights, loaded, tbase, command, drain = second
    assert isinstance(lists, Stream)
    assert isinstance(weights, Stream)
    assert isinstance(command, Compute)
    assert isinstance(drain, Drain)
    assert isinstance(tbase, Set)
    assert (lists.word, tbase.value, weights.word) == (T_HALF, T_HALF, E_HALF)
    assert (command.ebase, command.ybase, drain.ybase) == (E_HALF, Y_HALF, Y_HALF)
    assert command.rbase == 0, "only UNPOOL has results elsewhere"
    assert isinstance(loaded, Map)
    assert halves.filled(loaded) == [(Memory.X, 1)]
    play(halves, second, 2, 2)
    assert halves.begin(phase()) == first
    assert halves.drained == [1, 2]
    assert halves.used[Memory.E, 0] == halves.used[Memory.W, 0] == 1


def test_lists_that_fill_both_halves_stay_where_they_are() -> None:
    halves = Halves(PeShape(8))
    play(halves, halves.begin(phase()), 1, 1)
    second = halves.begin(phase(beats=T_HALF + 1))
    lists = second[0]
    assert isinstance(lists, Stream)
    assert lists.word == 0
    assert sorted(halves.filled(lists)) == [(Memory.T, 0), (Memory.T, 1)]
    play(halves, second, 2, 2)
    assert halves.used[Memory.T, 0] == halves.used[Memory.T, 1] == 2


def test_first_loads_of_a_phase_run_under_commands_and_drains_of_the_one_before() -> None:
    """Every load still waits for the commands that use what it overwrites: see ``test_pe_step``, in any legal order."""
    step = StepProgram(fixed(), Grid(4, SHAPE), search=False)
    first, computes, stores, early, under = 0, 0, 0, 0, 0
    for name, last in step.parts:
        before, stored = computes, stores
        for each in step.descriptors[first:last]:
            if isinstance(each, Map | Stream) and name[:2] in ("ff", "ng", "wg") and before > 1:
                early += each.after.computes < before
                under += isinstance(each, Map) and 0 < each.after.stores < stored
            computes += isinstance(each, Compute)
            stores += each.counts and each.engine is Engine.STORE
        first = last
    assert early > 20
    assert under > 0
