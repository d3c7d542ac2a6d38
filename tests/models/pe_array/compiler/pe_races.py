# SPDX-License-Identifier: Apache-2.0
"""Races in programs: whether operations of different engines that touch the same words are kept in their order.

A program is executed once, one descriptor after the other, and every word that an operation touches is noted: words of
the memories of every PE, and beats of the memory. That gives what every operation needs: how many loads, computes and
stores must be done before it. What is done for certain when it begins follows from the waits alone. No clocks, no
luck: a race is seen whatever order an execution would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.pe_array.isa.descriptors import Compute, Descriptor, Drain, Engine, Map, Stream
from models.pe_array.isa.map_transfer import DrainCommand, drain_reads
from models.pe_array.isa.operations import After, CommandField
from models.pe_array.isa.pe_command import (
    LAST_BIT,
    NULL_BIT,
    WOFF_BITS,
    WOFF_LOW,
    XOFF_BITS,
    YOFF_BITS,
    YOFF_LOW,
    Memory,
    Op,
)
from models.pe_array.isa.runs import Runs
from models.pe_array.machine.machine import Machine

ENGINES = (Engine.LOAD, Engine.COMPUTE, Engine.STORE)
Counts = tuple[int, int, int]
"""Of loads, computes and stores."""
NONE = np.zeros(0, dtype=np.int64)


class Executed(Protocol):
    """A program in memory."""

    @property
    def address(self) -> int:
        """Of its first byte."""

    @property
    def descriptors(self) -> Sequence[Descriptor]:
        """All of it."""


def counts(after: After) -> Counts:
    return after.loads, after.computes, after.stores


def done(descriptors: Sequence[Descriptor]) -> list[Counts]:
    """For every descriptor: loads, computes and stores that are done for certain when it begins."""
    began: dict[Engine, list[Counts]] = {engine: [] for engine in ENGINES}  # counted ones, in order
    last: dict[Engine, Counts] = dict.fromkeys(ENGINES, (0, 0, 0))
    found = []
    for each in descriptors:
        mine = joined(last[each.engine], counts(each.after), began)
        last[each.engine] = mine
        found.append(mine)
        if each.counts:
            began[each.engine].append(mine)
    return found


def joined(before: Counts, waits: Counts, began: dict[Engine, list[Counts]]) -> Counts:
    """What is done before, and what follows from waits: an operation that is done waited for others, too."""
    known = [before, waits, *(began[engine][n - 1] for engine, n in zip(ENGINES, waits, strict=True) if n)]
    loads, computes, stores = (max(each[n] for each in known) for n in range(3))
    return loads, computes, stores


def needs(array: Machine, program: Executed, seed: int | None = None) -> list[Counts]:
    """Execute a program; for every descriptor: loads, computes and stores that must be done before it begins.

    An engine takes its operations in order. So what it did before itself needs no wait, but for what a store reads from
    memory: writes of the one before may be on their way.
    """
    watch = _Watch(array)
    bus = array.memory
    with (
        patch.object(array, "_execute", watch.execute), patch.object(bus, "_where", watch.where),
        patch.object(bus, "put", watch.put),
    ):  # fmt: skip
        stop = array.run(program.address, len(program.descriptors), seed)
    assert stop is None, (stop, program.descriptors[stop.index])
    return watch.needs


class _Watch:
    """What it is told of, and for every word the last operations of every engine that read and wrote it."""

    def __init__(self, array: Machine) -> None:
        self._array, self._grid, self._bus = array, array.grid, array.memory
        self._execute, self._where, self._put = array._execute, array.memory._where, array.memory.put
        self._shape, self._pes = self._grid.shape, len(self._grid.pes)
        self._first, places = {}, 0
        for each in Memory:
            self._first[each], places = places, places + self._pes * self._shape.depth(each)
        self._outside = places
        places += len(self._bus.data) // self._shape.lanes
        self._read, self._written = ({engine: np.zeros(places, np.int64) for engine in ENGINES} for _ in range(2))
        self._count = dict.fromkeys(ENGINES, 0)
        self._from: list[IntArray] = []
        self._to: list[IntArray] = []
        self.needs: list[Counts] = []

    def where(self, runs: Runs, count: int, beat: int) -> IntArray | slice:
        """Beats that are read, as words of B bytes."""
        found = self._where(runs, count, beat)
        self._from.append(self._words(np.r_[found], beat))
        return found

    def put(self, engine: Engine, *writes: tuple[Runs, Any], beat: int | None = None) -> None:
        """Beats that are written, as words of B bytes."""
        size = beat or self._bus.lanes
        self._to += [self._words((runs.addresses(size) - self._bus.base) // size, size) for runs, _ in writes]
        self._put(engine, *writes, beat=beat)

    def _words(self, beats: IntArray, beat: int) -> IntArray:
        each = beat // self._bus.lanes
        return (beats[:, None] * each + np.arange(each)).reshape(-1)

    def execute(self, index: int, each: Descriptor) -> None:
        """A descriptor."""
        reads, writes = self._inside(each)
        self._from, self._to = [NONE], [NONE]  # not the fetch of the program
        self._execute(index, each)
        if not each.counts:
            self.needs.append((0, 0, 0))
            return
        from_memory, to_memory = (np.concatenate(beats) + self._outside for beats in (self._from, self._to))
        if isinstance(each, Map):  # whole rows are read; what no PE takes does not matter
            from_memory = from_memory.reshape(each.channels, each.rows, each.width)[:, self._wanted(each)].reshape(-1)
        self.needs.append(self._note(each.engine, reads, from_memory, np.concatenate([writes, to_memory])))

    def _note(self, engine: Engine, reads: IntArray, from_memory: IntArray, writes: IntArray) -> Counts:
        needed = dict.fromkeys(ENGINES, 0)
        for other in ENGINES:
            touched = [from_memory] if other is engine else [reads, from_memory, writes]
            last = [self._written[other][each] for each in touched]
            last += [self._read[other][writes]] if other is not engine else []
            needed[other] = max(int(each.max(initial=0)) for each in last)
        self._count[engine] += 1
        self._read[engine][reads] = self._read[engine][from_memory] = self._count[engine]
        self._written[engine][writes] = self._count[engine]
        return needed[Engine.LOAD], needed[Engine.COMPUTE], needed[Engine.STORE]

    # --- words of the PEs' memories: what is read, what is written ---

    def _inside(self, each: Descriptor) -> tuple[IntArray, IntArray]:
        if isinstance(each, Stream):
            memory = Memory(each.memory + Memory.W)
            words = each.word + np.arange(each.beats)
            return NONE, np.concatenate([self._at(memory, pe, words) for pe in range(self._pes) if each.pes >> pe & 1])
        if isinstance(each, Map):
            return NONE, np.concatenate([self._taken(each, pe) for pe in range(self._pes)])
        if isinstance(each, Drain):
            command = DrainCommand(
                each.slots, each.channels, each.channels_last, each.height, each.width, each.tile_height,
                each.tile_width, each.sy_log2, each.sx_log2, each.ybase, each.ystride, each.windows,
            )  # fmt: skip
            units, addresses = drain_reads(command, self._pes, self._shape.y_depth)
            return self._first[Memory.Y] + units * self._shape.y_depth + addresses, NONE
        if isinstance(each, Compute):
            parts = [self._walked(each, pe) for pe in range(self._pes)]
            return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
        return NONE, NONE

    def _at(self, memory: Memory, pe: int, words: IntArray) -> IntArray:
        depth = self._shape.depth(memory)
        return np.asarray(self._first[memory] + pe * depth + words % depth, dtype=np.int64)

    def _part(self, load: Map, pe: int) -> tuple[slice, slice]:
        """Rows and columns of a load that a PE takes."""
        left, right, top, bottom = (int(each) for each in self._grid.windows[pe, 4 * load.y :][:4])
        if not (load.all or self._grid.slots[pe] == load.slot):
            right = left = 0
        rows = slice(max(top - load.row, 0), max(bottom - load.row, 0))
        return rows, slice(left, right)

    def _wanted(self, load: Map) -> npt.NDArray[np.bool_]:
        """Of the rows and columns of a load, those that some PE takes."""
        wanted = np.zeros((load.rows, load.width), dtype=np.bool_)
        for pe in range(self._pes):
            wanted[self._part(load, pe)] = True
        return wanted

    def _taken(self, load: Map, pe: int) -> IntArray:
        words = load.channels * np.empty((load.rows, load.width))[self._part(load, pe)].size
        return self._at(Memory.Y if load.y else Memory.X, pe, load.base + np.arange(words))

    def _walked(self, command: Compute, pe: int) -> tuple[IntArray, IntArray]:
        """What a PE reads and writes for a command: its lists as they are now decide that."""
        lanes, own = self._shape.lanes, self._grid.fields[pe]
        elements, clear, taps, tbase, xstride, ystride = (int(own[field]) for field in CommandField)
        cleared = self._at(Memory.Y, pe, command.ybase + np.arange(clear))
        if not elements:
            return NONE, cleared
        unit = self._grid.pes[pe]
        at_e = command.ebase * (lanes // 2) + np.arange(elements)
        at_t = tbase * (lanes // 4) + np.arange(taps)
        coordinates, entries = unit.e[at_e % len(unit.e)].astype(np.int64), unit.t[at_t % len(unit.t)].astype(np.int64)
        rows, cols = coordinates >> 8, coordinates & 0xFF
        into, out = (rows, cols) if command.swap else (cols, rows)
        used, last = entries >> NULL_BIT & 1 == 0, entries >> LAST_BIT & 1 == 1

        def bits(low: int, width: int) -> IntArray:
            return np.asarray(entries >> low & (1 << width) - 1)

        x = command.xbase + (into * xstride)[:, None] + bits(0, XOFF_BITS)[used]
        y = command.ybase + (out * ystride)[:, None] + bits(YOFF_LOW, YOFF_BITS)
        reads = [
            self._at(Memory.E, pe, np.unique(at_e // (lanes // 2))),
            self._at(Memory.T, pe, np.unique(at_t // (lanes // 4))), self._at(Memory.X, pe, np.unique(x)),
        ]  # fmt: skip
        writes = [cleared]
        if command.op == Op.MAC:
            at_w = (np.arange(elements) * command.wstride)[:, None] + bits(WOFF_LOW, WOFF_BITS)[used]
            reads.append(self._at(Memory.W, pe, np.unique(command.wbase + at_w // lanes)))
        if command.op in (Op.MAC, Op.MAX):
            writes.append(self._at(Memory.Y, pe, np.unique(y[:, last])))
        else:
            reads.append(self._at(Memory.Y, pe, np.unique(y[:, used])))
        if command.op == Op.UNPOOL:
            writes.append(self._at(Memory.Y, pe, command.rbase + np.arange(elements * int(last.sum()))))
        return np.concatenate(reads), np.concatenate(writes)


def races(descriptors: Sequence[Descriptor], needed: Sequence[Counts]) -> list[str]:
    """Operations that could begin before what they need is done."""
    return [
        f"{n}, {each}: {have} of loads, computes, stores are done for certain, {need} are needed"
        for n, (each, have, need) in enumerate(zip(descriptors, done(descriptors), needed, strict=True))
        if any(a < b for a, b in zip(have, need, strict=True))
    ]
