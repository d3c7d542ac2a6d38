# SPDX-License-Identifier: Apache-2.0
"""About the clocks of a layer program, operation by operation, in milliseconds: good enough to choose among programs.

``clocks.pe_array`` plays every clock. Here an operation has a start, when what it waits for is done and its engine is
free, and a length: a clock per beat that is loaded, per word that is drained, per ``lanes/4`` gradients, per entry of
the tap list and element. Every descriptor takes a clock of the read port. A wide port brings two beats per clock, of
which a PE takes one word of a map.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.map_transfer import LoadCommand, PeWindows
from models.pe_array.isa.operations import (
    After,
    CollectGradients,
    CommandField,
    ComputeTiles,
    DrainMap,
    LoadMap,
    LoadStream,
    Program,
    SetField,
    SetWindows,
)
from models.pe_array.isa.pe_command import Op

LATENCY = 60
"""Clocks from an operation's start to its first beat, where nothing could be asked for ahead; about a memory's."""
WINDOW = 5
"""Clocks of a PE's windows."""
DONE = 12
"""Clocks from the last entry of a command until what waits for it can start."""
ANSWER = 60
"""Clocks between a store's last beat and the next store."""
BEGIN = 12
"""Clocks between two collects."""
COMMANDS = 3
"""Commands that a PE holds, with the one it works on."""
REST = 32
"""Gradients that PEs of a slot may be ahead of each other."""


@functools.lru_cache(maxsize=65536)
def _pes(mask: int, pes: int) -> npt.NDArray[np.bool_]:
    return np.array([mask >> pe & 1 for pe in range(pes)], dtype=np.bool_)


class _Loads:
    """Clocks of loads, with the windows that are there."""

    def __init__(self, wide: int) -> None:
        self._wide = wide
        self.windows: Sequence[PeWindows] = ()
        self._words: dict[tuple[int, int, int, bool, int | None], int] = {}  # of a channel, of the PE that takes most

    def set_windows(self, windows: Sequence[PeWindows]) -> None:
        """Of all PEs."""
        self.windows = windows
        self._words.clear()

    def clocks(self, load: LoadStream | LoadMap) -> int:
        """Of one load."""
        if isinstance(load, LoadStream):
            return -(-load.beats // self._wide)
        if self._wide == 1:
            return load.command.beats
        return max(-(-load.command.beats // self._wide), load.command.channels * self._most(load.command))

    def _most(self, load: LoadCommand) -> int:
        key = load.row, load.rows, load.width, load.to_y, load.slot
        if key not in self._words:
            regions = [(pe.y if load.to_y else pe.x) for pe in self.windows if load.slot in (None, pe.slot)]
            self._words[key] = max((
                max(0, min(of.y + of.height, load.row + load.rows) - max(of.y, load.row))
                * max(0, min(of.x + of.width, load.width) - of.x)
                for of in regions
            ), default=0)  # fmt: skip
        return self._words[key]


def estimate(program: Program, grid: Grid, enough: int | None = None) -> int:
    """Clocks from the start of a program to its end.

    Args:
        enough: a program that takes as many is not wanted: then it is some number of clocks from there on, soon found.
    """
    beat, pes = grid.beat, grid.pes
    fields = {field: np.zeros(pes, dtype=np.int64) for field in CommandField}
    loads, computes, stores = [0], [0], [0]  # clock of every operation's end
    load = compute = store = 0  # clock from which each engine is free
    finish: IntArray = np.zeros(pes, dtype=np.int64)
    history = [0] * COMMANDS  # clock in which all PEs have finished each of the last commands
    loading = _Loads(grid.wide)
    cost: IntArray = finish  # of a command with the fields of now
    changed = True  # fields, since then
    begun = collected = 0  # start of the last GRAD; clock from which the next gradients are collected

    def waited(after: After) -> int:
        return max(loads[after.loads], computes[after.computes], stores[after.stores])

    for operation in program.operations:
        load += 1
        if isinstance(operation, SetField):
            fields[operation.field][_pes(operation.pes, pes)] = operation.value
            changed = True
            compute += 1
        elif isinstance(operation, SetWindows):
            load += WINDOW * pes + LATENCY
            loading.set_windows(operation.windows)
        elif isinstance(operation, LoadStream | LoadMap):
            load = max(load, waited(operation.after) + LATENCY) + loading.clocks(operation)
            loads.append(load + DONE)
        elif isinstance(operation, ComputeTiles):
            ready = max(compute, waited(operation.after), history[-COMMANDS], loads[-1])
            if changed:
                cost = fields[CommandField.CLEAR] + fields[CommandField.ELEMENTS] * fields[CommandField.TAPS]
                np.maximum(cost, 1, out=cost)
                changed = False
            if operation.op == Op.GRAD:  # what is ahead of the collect before waits with some gradients
                begun = max(ready, int(finish.min()))
                finish = np.maximum(finish, collected - REST * fields[CommandField.TAPS] // program.gradients[1])
            finish = np.maximum(finish, ready)
            finish += cost
            compute = ready
            history.append(int(np.maximum.reduce(finish)))
            computes.append(history[-1] + DONE)
            if enough is not None and max(history[-1], load, store) >= enough:
                return max(history[-1], load, store)
        elif isinstance(operation, DrainMap):
            start = max(store, waited(operation.after))
            store = start + operation.clocks + ANSWER
            stores.append(store)
        else:
            finish, length = _collected(operation, finish, max(store, begun), beat)
            collected = length + BEGIN + operation.add * ANSWER
            history[-1] = max(history[-1], length)
            computes[-1] = history[-1] + DONE
            load += len(operation.slots)
            if operation.add:
                load += sum(count for _, count in operation.slots) * operation.results * 4 // beat
            store = collected
            stores.append(length + ANSWER)
    return max(load, history[-1], store)


def _collected(operation: CollectGradients, finish: IntArray, start: int, beat: int) -> tuple[IntArray, int]:
    """When PEs have finished whose gradients are collected from ``start`` on, and the last gradient is there."""
    slots = finish.reshape(-1, 1 << operation.tiles_log2)
    counts = np.array([count * operation.results for _, count in operation.slots], dtype=np.int64)
    last = start + int(counts.sum()) * 4 // beat
    # PEs of a slot wait for the slowest, all for the packer
    slots = np.repeat(slots.max(axis=1, keepdims=True), slots.shape[1], axis=1)
    late = max(0, last - REST - int(slots.max()))
    return slots.reshape(-1) + late, max(last, int(slots.max()))
