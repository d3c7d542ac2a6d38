# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: the PEs of rtl/pe_array/pe_grid.v."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from models.fixed_point import IntArray
from models.pe_array import descriptors as d
from models.pe_array import pe_timing
from models.pe_array.machine_memory import Bytes
from models.pe_array.operations import Field
from models.pe_array.pe_model import Memory, Op
from models.pe_array.tiling import Grid

LOAD_TO_WRITE = 3
"""Clocks from a load to Y to its write, for which it waits if the PE writes itself [pe]."""


class CellClocks:
    """The PEs, each as ``pe_timing`` has it, and the commands that all of them take.

    Attributes:
        ready: a command, or a field, is taken.
        done: pulse: all PEs have finished a command.
        busy, stalls: PEs that issued an entry in the last clock, and in which one waited.

    Args:
        grid: PEs and their memories.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid, pes = grid, grid.pes
        shape = grid.shape
        self._state = np.zeros((pes, 16), dtype=np.int64)
        for each in self._state:
            pe_timing.reset(each)
        self._e = np.zeros((pes, shape.e_depth * shape.lanes // 2), dtype=np.int64)
        self._t = np.zeros((pes, shape.t_depth * shape.lanes // 4), dtype=np.int64)
        self._fields = {name: np.zeros(pes, dtype=np.int64) for name in Field}
        self._rows: IntArray = np.zeros((0, pe_timing.C_OFFERED + 1), dtype=np.int64)
        self._entries = self._coordinates = np.zeros(0, dtype=np.int64)
        self._offer = [False] * pes
        self._count = 0  # commands taken by the grid
        self._finished = [0] * pes  # commands done by each PE and counted
        self._ends: list[list[int]] = [[] for _ in range(pes)]  # clocks of the PEs' done
        self._writes: list[set[int]] = [set() for _ in range(pes)]
        self._gradients: list[deque[int]] = [deque() for _ in range(pes)]  # clocks from which they are at the ports
        self._counted = 0
        self.ready = True
        self.done = False
        self.busy = self.stalls = 0

    @property
    def idle(self) -> bool:
        """No command is inside."""
        return self.ready and self._counted == self._count and not self.done

    def writes(self, clock: int) -> list[bool]:
        """Which PEs write Y when a load of this clock would."""
        return [clock + LOAD_TO_WRITE in each for each in self._writes]

    def gradients(self, clock: int) -> list[bool]:
        """Which PEs have a gradient at their port."""
        return [bool(each) and each[0] <= clock for each in self._gradients]

    def prepare(self, program: Sequence[d.Descriptor], memory: Bytes, base: int) -> None:
        """Tables of the commands of a program; the PEs are idle."""
        rows: list[IntArray] = []
        coordinates: list[IntArray] = []
        taps: list[IntArray] = []
        e0 = t0 = 0
        pes, shape = self._grid.pes, self._grid.shape
        for each in program:
            if isinstance(each, d.Stream) and each.memory + Memory.W in (Memory.E, Memory.T):
                start = each.address - base
                raw = memory[start : start + each.beats * shape.lanes]
                to_e = each.memory + Memory.W == Memory.E
                values = raw.view("<u2" if to_e else "<u4").astype(np.int64)
                target = self._e if to_e else self._t
                where = (each.word * shape.lanes // (2 if to_e else 4) + np.arange(len(values))) % target.shape[1]
                for pe in range(pes):
                    if each.pes >> pe & 1:
                        target[pe, where] = values
            elif isinstance(each, d.Set):
                for pe in range(pes):
                    if each.pes >> pe & 1:
                        self._fields[Field(each.field)][pe] = each.value
            elif isinstance(each, d.Compute):
                f = self._fields
                for pe in range(pes):
                    elements, count = int(f[Field.ELEMENTS][pe]), int(f[Field.TAPS][pe])
                    first_e = each.ebase * (shape.lanes // 2) + np.arange(elements)
                    first_t = int(f[Field.TBASE][pe]) * (shape.lanes // 4) + np.arange(count)
                    row = np.zeros(pe_timing.C_OFFERED + 1, dtype=np.int64)
                    row[:] = (
                        each.op, each.swap, f[Field.CLEAR][pe], elements, count, each.ybase, f[Field.YSTRIDE][pe],
                        e0, t0, 0,
                    )  # fmt: skip
                    coordinates.append(self._e[pe, first_e % self._e.shape[1]])
                    taps.append(self._t[pe, first_t % self._t.shape[1]])
                    e0, t0 = e0 + elements, t0 + count
                    rows.append(row)
        nothing = np.zeros(0, dtype=np.int64)
        if rows:
            self._rows = np.array(rows, dtype=np.int64)
        self._coordinates, self._entries = np.concatenate([nothing, *coordinates]), np.concatenate([nothing, *taps])
        for state in self._state:
            for column in (pe_timing.COMMAND, pe_timing.TAKEN, pe_timing.LEFT, pe_timing.PROMISED, pe_timing.GONE):
                state[column] = 0
        self._count = self._counted = 0
        self._ends = [[] for _ in range(pes)]
        self._writes = [set() for _ in range(pes)]

    def clock(
        self, command: bool, drained: int | None, clock: int, accepted: Sequence[bool]
    ) -> None:  # fmt: skip
        """One clock, with a command that is taken or not, the PE that is drained, and PEs whose gradient is taken."""
        latency = pe_timing.gradient_latency(self._grid.shape.lanes)
        pes, y_mask = self._grid.pes, self._grid.shape.y_depth - 1
        self.busy = self.stalls = 0
        for pe in range(pes):
            own = self._state[pe]
            waiting, number = own[pe_timing.TAKEN] - own[pe_timing.LEFT], int(own[pe_timing.COMMAND])
            if own[pe_timing.TAKEN] > number:
                happened = pe_timing.step(
                    own, self._rows, pe, pes, self._coordinates, self._entries, y_mask, clock, drained == pe
                )
                if happened & pe_timing.ISSUED:
                    long = int(self._rows[number * pes + pe, 0]) in (Op.GRAD, Op.UNPOOL)
                    pipe = pe_timing.PIPE_LONG if long else pe_timing.PIPE
                    if happened & pe_timing.WRITES:
                        self._writes[pe].add(clock + pipe)
                    if happened & pe_timing.GRADIENT:
                        self._gradients[pe].append(clock + latency)
                    if happened & pe_timing.FINAL:
                        self._ends[pe].append(clock + 1 + pipe)
                    self.busy += 1
                elif happened:
                    self.stalls += 1
            if accepted[pe]:
                own[pe_timing.GONE] += 1
                self._gradients[pe].popleft()
            if self._offer[pe] and waiting < pe_timing.QUEUE:
                own[pe_timing.TAKEN] += 1
                self._offer[pe] = False
        self.done = all(len(ends) > self._counted and ends[self._counted] < clock for ends in self._ends)
        self._counted += self.done
        if command:
            self._offer = [True] * pes
            self._count += 1
        self.ready = not any(self._offer)
