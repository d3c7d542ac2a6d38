# SPDX-License-Identifier: Apache-2.0
"""Executes layer programs on a grid of PE models, in order or with the three engines in any order they allow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.map_transfer import drain_reads, load_writes
from models.pe_array.isa.operations import (
    After,
    CollectGradients,
    CommandField,
    ComputeTiles,
    DrainMap,
    LoadMap,
    LoadOp,
    LoadStream,
    Operation,
    Program,
    SetField,
    SetWindows,
    StoreOp,
)
from models.pe_array.isa.pe_command import GRADIENT_BITS, ByteArray, Memory, wrap
from models.pe_array.machine.pe import ProcessingElement


@dataclass(frozen=True)
class Result:
    """What a program stores.

    Attributes:
        out: accumulators int64 (channels, height, width, B).
        gradients: int64 (elements, gradients per element), in the order of the matrix.
    """

    out: IntArray
    gradients: IntArray


class ModelGrid:
    """The grid and the maps in memory.

    Args:
        program: a layer's phase.
        x: the map that X holds windows of, int8 (channels, height, width, B).
        operand: the map that is loaded to Y (GRAD, UNPOOL), or None.

    Attributes:
        pes: the PEs.
        fields: of the next command, for every PE.
        result: what has been stored so far.
    """

    def __init__(self, grid: Grid, program: Program, x: ByteArray, operand: ByteArray | None = None) -> None:
        shape = grid.shape
        depths = (shape.x_depth, shape.y_depth, shape.w_depth, shape.e_depth, shape.t_depth)
        self.pes = [ProcessingElement(shape.lanes, shape.acc_bits, *depths) for _ in range(grid.pes)]
        self._lanes, self._y_depth = shape.lanes, shape.y_depth
        self._program, self._maps = program, (x, operand)
        self._windows: SetWindows | None = None
        self.fields = [dict.fromkeys(CommandField, 0) for _ in self.pes]
        self._gradients: list[deque[int]] = [deque() for _ in self.pes]
        self._done = {"loads": 0, "computes": 0, "stores": 0}
        self.result = Result(
            np.zeros((*program.out, shape.lanes), dtype=np.int64), np.zeros(program.gradients, dtype=np.int64)
        )

    def run(self, order: Random | None = None) -> Result:
        """Execute the program, in the order of its list, or in a random one in which every engine keeps its order.

        Raises:
            ValueError: an operation would have to wait for one behind it, or something is left.
        """
        if order is None:
            for operation in self._program.operations:
                if not self._ready(operation):
                    raise ValueError(f"{operation} would have to wait in {self._done}")
                self.execute(operation)
        else:
            program = self._program
            engines = [deque[Operation](each) for each in (program.loads(), program.computes(), program.stores())]
            speeds = [order.choice((1, 10, 100)) for _ in engines]
            while any(engines):
                ready = [n for n, engine in enumerate(engines) if engine and self._ready(engine[0])]
                if not ready:
                    raise ValueError(
                        f"nothing can go on after {self._done}: {[engine[0] for engine in engines if engine]}"
                    )
                chosen = order.choices(ready, [speeds[n] for n in ready])[0]
                self.execute(engines[chosen].popleft())
        if any(self._gradients):
            raise ValueError("gradients are left that nothing collects")
        return self.result

    def _ready(self, operation: Operation) -> bool:
        """Whether all is done that an operation waits for."""
        if isinstance(operation, CollectGradients):
            for slot, (_, count) in enumerate(operation.slots):
                queues = self._of_slot(slot, operation.tiles_log2)
                if any(len(queue) < count * operation.results for queue in queues):
                    return False
        after = After() if isinstance(operation, SetWindows | SetField) else operation.after
        return all(self._done[name] >= getattr(after, name) for name in self._done)

    def _of_slot(self, slot: int, tiles_log2: int) -> list[deque[int]]:
        return self._gradients[slot << tiles_log2 : (slot + 1) << tiles_log2]

    def execute(self, operation: Operation) -> None:
        """One operation, at once."""
        if isinstance(operation, SetWindows | LoadMap | LoadStream):
            self._load(operation)
        elif isinstance(operation, DrainMap | CollectGradients):
            self._store(operation)
        elif isinstance(operation, SetField):
            for pe, fields in enumerate(self.fields):
                if operation.pes >> pe & 1:
                    fields[operation.field] = operation.value
        else:
            self._compute(operation)

    def _load(self, operation: LoadOp) -> None:
        if isinstance(operation, SetWindows):
            self._windows = operation
            return
        if isinstance(operation, LoadStream):
            words = self._program.stream(operation, self._lanes)
            for n, pe in enumerate(self.pes):
                if operation.pes >> n & 1:
                    pe.load(operation.memory, operation.addr, words)
        else:
            command = operation.command
            words = map_words(operation, self._maps[command.to_y], self._lanes)
            if self._windows is None:
                raise ValueError("a map is loaded before windows are set")
            for pe, writes in zip(self.pes, load_writes(command, self._windows.windows), strict=True):
                memory = Memory.Y if command.to_y else Memory.X
                beats = [beat for _, beat in writes]
                pe.load(memory, command.base % pe.shape.depth(memory), words[beats], command.shift)
        self._done["loads"] += 1

    def _compute(self, operation: ComputeTiles) -> None:
        for pe, fields, gradients in zip(self.pes, self.fields, self._gradients, strict=True):
            gradients.extend(pe.run(operation.command(fields)))
        self._done["computes"] += 1

    def _store(self, operation: StoreOp) -> None:
        if isinstance(operation, DrainMap):
            units, addresses = drain_reads(operation.command, len(self.pes), self._y_depth)
            place_drain(self.result.out, operation, np.stack([pe.y for pe in self.pes])[units, addresses])
        else:
            for slot, (_, count) in enumerate(operation.slots):
                queues = self._of_slot(slot, operation.tiles_log2)
                sums = [sum(queue.popleft() for queue in queues) for _ in range(count * operation.results)]
                place_gradients(self.result.gradients, operation, slot, np.array(sums, dtype=np.int64))
        self._done["stores"] += 1


def map_words(operation: LoadMap, feature_map: ByteArray | None, lanes: int) -> ByteArray:
    """Beats (beats, lanes) of a map load, int8, in the order in which memory delivers them."""
    command = operation.command
    if feature_map is None:
        raise ValueError(f"{operation} has no map")
    part = feature_map[
        operation.channel : operation.channel + command.channels, command.row : command.row + command.rows
    ]  # fmt: skip
    if operation.column is not None:
        part = part[:, :, operation.column : operation.column + command.width]
    if part.shape != (command.channels, command.rows, command.width, lanes):
        raise ValueError(f"{operation} is not inside a map of {feature_map.shape}")
    return np.ascontiguousarray(part).reshape(-1, lanes)


def place_drain(out: IntArray, operation: DrainMap, words: IntArray) -> None:
    """Put the words (words, B) of a drain where they belong in the output map (channels, height, width, B)."""
    command = operation.command
    if command.windows:
        words = words.reshape(-1, command.height // 2, command.width // 2, 2, 2, words.shape[-1]).swapaxes(2, 3)
    block = words.reshape(-1, command.height, command.width, words.shape[-1])
    out[
        operation.channel : operation.channel + len(block), operation.y : operation.y + command.height,
        operation.x : operation.x + command.width,
    ] = block  # fmt: skip


def place_gradients(gradients: IntArray, operation: CollectGradients, slot: int, sums: IntArray) -> None:
    """Put the summed gradients of a slot where they belong, or add them to what is there."""
    first, count = operation.slots[slot]
    part = gradients[first : first + count]
    fresh = sums.reshape(-1, operation.results)
    part[...] = wrap(part + fresh if operation.add else fresh, GRADIENT_BITS)
