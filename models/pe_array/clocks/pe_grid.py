# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: the PEs of pe_grid.v, each as ``clocks.pe`` has it, and their commands."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record, records
from models.pe_array.clocks.pe import (
    COMMAND,
    DONE,
    FINAL,
    GRADIENT,
    GRADIENTS,
    ISSUED,
    PE,
    QUEUE,
    WRITES,
    gradient_latency,
    pe_state,
    step,
)
from models.pe_array.clocks.steady import (
    LOAD_TO_WRITE,
    Kept,
    ahead,
    meets,
    pipe_of,
    sleep,
    wake,
    writes_asleep,
)
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import CommandField
from models.pe_array.isa.pe_command import NULL_BIT, Memory
from models.pe_array.isa.runs import Bytes

_OF_COMMANDS = (
    CommandField.CLEAR, CommandField.ELEMENTS, CommandField.TAPS, CommandField.TBASE, CommandField.YSTRIDE,
)  # fmt: skip
ENDS = 32
"""Commands whose ends are kept: a PE is ahead of the others by fewer."""

REGISTERS = kind("count counted ready done latency y_mask sleeps issues gradients y_loads")
"""Commands taken by the grid, and done; a command, or a field, is taken; pulse done; clocks from issue
to gradient; depth of Y less 1; PEs may sleep (``steady``); PEs that issued an entry in the last clock; gradients on
their way to the ports of all PEs; maps are loaded to Y."""


class CellState(NamedTuple):
    """Registers.

    Attributes:
        n: registers.
        pes: (PEs,), of ``clocks.pe``.
        offer: PEs that have not taken the command.
        writes: of every PE: bit c: it writes Y c clocks from now.
        gradients: (PEs, GRADIENTS): clocks from which they are at the port; number n at n mod GRADIENTS.
        ends: (PEs, ENDS): clocks of the PEs' done, as ``gradients``.
        finished: commands whose end a PE has written there.
        at_work: (2, PEs): 1 where an entry was issued in the last clock, and where one waited.
        since, until: (PEs,) first clock of a PE's sleep, and the first behind it, or 0: it is awake.
    """

    n: Record
    pes: Array
    offer: IntArray
    writes: IntArray
    gradients: IntArray
    ends: IntArray
    finished: IntArray
    at_work: IntArray
    since: IntArray
    until: IntArray


class GridWork(NamedTuple):
    """What the commands of a program find, as ``clocks.pe.step`` takes it.

    Attributes:
        rows: commands, all PEs of a command together.
        coordinates, taps: of all commands.
        before_last: of every entry of ``taps``: ``steady.ahead``.
    """

    rows: Array
    coordinates: IntArray
    taps: IntArray
    before_last: IntArray

    def entries(self, pes: int) -> IntArray:
        """Entries that all of so many PEs issue of each command: those that clear, and elements times taps, or one."""
        each = np.maximum(self.rows.clear + self.rows.elements * self.rows.taps, 1)
        issued: IntArray = each.reshape(-1, pes).sum(axis=1)
        return issued

    def macs(self) -> int:
        """Entries of all PEs that multiply a weight and a pixel of the map."""
        real = np.concatenate([[0], np.cumsum(1 - (self.taps >> NULL_BIT & 1))])
        first, elements, count = self.rows.first_tap, self.rows.elements, self.rows.taps
        return int((elements * (real[first + count] - real[first])).sum())


def cell_state(grid: Grid, sleeps: bool) -> CellState:
    """As after a reset; sleeps: PEs may."""
    pes = grid.pes
    n = record(
        REGISTERS, ready=1, latency=gradient_latency(grid.shape.lanes), y_mask=grid.shape.y_depth - 1, sleeps=sleeps
    )  # fmt: skip
    cells = records(PE, pes)
    cells[:] = pe_state()
    offer, writes, finished, since, until = (np.zeros(pes, dtype=np.int64) for _ in range(5))
    gradients, ends = (np.zeros((pes, size), dtype=np.int64) for size in (GRADIENTS, ENDS))
    at_work = np.zeros((2, pes), dtype=np.int64)
    return CellState(n, cells, offer, writes, gradients, ends, finished, at_work, since, until)


def cell_begin(state: CellState) -> None:
    """Commands are counted from 0 on; the PEs are idle."""
    for name in ("command", "taken", "left", "promised", "gone"):
        state.pes[name] = 0
    state.n.count = state.n.counted = state.n.gradients = 0
    state.finished[:] = state.writes[:] = 0


@clocked
def cell_idle(state: CellState) -> Flag:
    """No command is inside."""
    n = state.n
    return n.ready != 0 and n.counted == n.count and n.done == 0


@clocked
def cell_outputs(state: CellState, clock: Int, y_writes: Array, gradients: Array, work: GridWork) -> None:
    """Fill in which PEs write Y when a load of this clock would, and which have a gradient at their port."""
    n, count = state.n, len(state.pes)
    for pe in range(count):
        y_writes[pe] = gradients[pe] = 0
    if n.y_loads:
        for pe in range(count):
            if state.until[pe]:
                own = state.pes[pe]
                of = work.rows[own.command * count + pe]
                y_writes[pe] = writes_asleep(own, of, work.taps, state.writes[pe], state.since[pe], clock)
            else:
                y_writes[pe] = state.writes[pe] >> LOAD_TO_WRITE & 1
    if n.gradients:
        for pe in range(count):
            gone = state.pes[pe].gone
            there = gone < state.pes[pe].promised and state.gradients[pe, gone % GRADIENTS] <= clock
            gradients[pe] = 1 if there else 0


@clocked
def cell_clock(state: CellState, command: Flag, drained: Int, clock: Int, accepted: Array, work: GridWork) -> None:
    """One clock.

    Args:
        command: one is taken.
        drained: PE that is drained, or NONE.
        clock: its number.
        accepted: PEs whose gradient is taken.
        work: of the program.
    """
    n, pes = state.n, len(state.pes)
    rows, since, until, at_work, writes = work.rows, state.since, state.until, state.at_work, state.writes
    offers, offered = n.ready == 0, 0
    gradients, n.issues = n.gradients, 0
    done = True
    for pe in range(pes):
        own = state.pes[pe]
        waiting, number = own.taken - own.left, own.command
        if until[pe] > clock and drained != pe:
            n.issues += 1
        else:
            at_work[0, pe] = at_work[1, pe] = 0
            if own.taken > number:
                of = rows[number * pes + pe]
                if until[pe]:
                    writes[pe] = wake(
                        own, of, work.coordinates, work.taps, n.y_mask, writes[pe], since[pe], clock
                    )  # fmt: skip
                    until[pe] = 0
                happened = step(
                    own, rows, pe, pes, work.coordinates, work.taps, n.y_mask, clock, drained == pe
                )  # fmt: skip
                if happened & ISSUED:
                    pipe = pipe_of(of.op)
                    if happened & WRITES:
                        writes[pe] |= 1 << pipe
                    if happened & GRADIENT:
                        state.gradients[pe, (own.promised - 1) % GRADIENTS] = clock + n.latency
                        n.gradients += 1
                    if happened & FINAL:
                        state.ends[pe, state.finished[pe] % ENDS] = clock + pipe + DONE
                        state.finished[pe] += 1
                    elif n.sleeps:
                        until[pe] = sleep(own, of, work.before_last, clock)
                        since[pe] = clock + 1
                    at_work[0, pe] = 1
                    n.issues += 1
                elif happened:
                    at_work[1, pe] = 1
            writes[pe] >>= 1
        if gradients:
            own.gone += accepted[pe]
            n.gradients -= accepted[pe]
        if offers and state.offer[pe]:
            if waiting < QUEUE:
                own.taken += 1
                state.offer[pe] = 0
            offered += state.offer[pe]
        if done and (state.finished[pe] <= n.counted or state.ends[pe, n.counted % ENDS] >= clock):
            done = False
    n.done = 1 if done else 0
    n.counted += n.done
    if command:
        state.offer[:] = 1
        n.count += 1
        offered = pes
    n.ready = 1 if offered == 0 else 0


@functools.lru_cache(maxsize=4096)
def _pes_of(mask: int, pes: int) -> tuple[int, ...]:
    return tuple(pe for pe in range(pes) if mask >> pe & 1)


class _Content:
    """A memory of a PE, and the parts of it that were asked for since it was loaded."""

    def __init__(self, size: int) -> None:
        self._words = np.zeros(size, dtype=np.int64)
        self._parts: dict[tuple[int, int], bytes] = {}

    def load(self, first: int, values: IntArray) -> None:
        self._words[(first + np.arange(len(values))) % len(self._words)] = values
        self._parts.clear()

    def part(self, first: int, count: int) -> bytes:
        """So many words, modulo the size."""
        if (first, count) not in self._parts:
            self._parts[first, count] = self._words[(first + np.arange(count)) % len(self._words)].tobytes()
        return self._parts[first, count]


class _Found:
    """What commands find in the memories."""

    def __init__(self) -> None:
        self.coordinates, self.taps = Kept(), Kept()
        self._works: dict[tuple[int, bool, bytes, bytes, int], tuple[int, int, bool]] = {}

    def work(
        self, op: int, swap: bool, coordinates: bytes, taps: bytes, ystride: int, y_depth: int
    ) -> tuple[int, int, bool]:  # fmt: skip
        """Where coordinates and taps of a command stand, and whether its results may meet."""
        key = op, swap, coordinates, taps, ystride
        if key not in self._works:
            e, t = (np.frombuffer(each, dtype=np.int64) for each in (coordinates, taps))
            outs = e & 0xFF if swap else e >> 8
            self._works[key] = self.coordinates.place(e), self.taps.place(t), meets(op, t, outs, ystride, y_depth)
        return self._works[key]


class Stored:
    """What the PEs' memories of coordinates and taps, and their fields, hold from program to program.

    Args:
        grid: PEs and their memories.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid, pes, shape = grid, grid.pes, grid.shape
        self._e = [_Content(shape.e_depth * shape.lanes // 2) for _ in range(pes)]
        self._t = [_Content(shape.t_depth * shape.lanes // 4) for _ in range(pes)]
        self._fields = {name: [0] * pes for name in CommandField}

    def work(self, program: Sequence[d.Descriptor], memory: Bytes, base: int) -> GridWork:
        """What the commands of a program find, one after the other.

        Args:
            memory: uint8; base: address of its first byte.
        """
        rows: list[tuple[int, ...]] = []
        found = _Found()
        pes, lanes, y_depth = self._grid.pes, self._grid.shape.lanes, self._grid.shape.y_depth
        f = self._fields
        for each in program:
            if isinstance(each, d.Stream):
                self._stream(each, memory, base)
            elif isinstance(each, d.Set):
                field = f[CommandField(each.field)]
                for pe in _pes_of(each.pes, pes):
                    field[pe] = each.value
            elif isinstance(each, d.Compute):
                columns = zip(*(f[name] for name in _OF_COMMANDS), strict=True)
                for pe, (clear, elements, taps, tbase, ystride) in enumerate(columns):
                    e = self._e[pe].part(each.ebase * (lanes // 2), elements)
                    t = self._t[pe].part(tbase * (lanes // 4), taps)
                    e0, t0, meets = found.work(each.op, each.swap, e, t, ystride, y_depth)
                    rows.append((
                        each.op, each.swap, clear, elements, taps, each.ybase, ystride, e0, t0, 0, meets
                    ))  # fmt: skip
        table = records(COMMAND, len(rows))
        table[:] = rows
        taps = found.taps.all()
        return GridWork(table, found.coordinates.all(), taps, ahead(taps))

    def _stream(self, stream: d.Stream, memory: Bytes, base: int) -> None:
        to = stream.memory + Memory.W
        if to not in (Memory.E, Memory.T):
            return
        size, lanes = 2 if to == Memory.E else 4, self._grid.shape.lanes
        start = stream.address - base
        raw = memory[start : start + stream.beats * lanes]
        values = raw.view(f"<u{size}").astype(np.int64)
        target = self._e if to == Memory.E else self._t
        for pe in range(self._grid.pes):
            if stream.pes >> pe & 1:
                target[pe].load(stream.word * lanes // size, values)
