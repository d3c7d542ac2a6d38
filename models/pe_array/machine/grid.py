# SPDX-License-Identifier: Apache-2.0
"""The grid of PEs as the engines of ``machine`` see it: loads, commands, sums of gradients; at once, without clocks."""

from __future__ import annotations

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.isa.map_transfer import ADDRESSES, LoadCommand
from models.pe_array.isa.operations import CommandField, ComputeTiles
from models.pe_array.isa.pe_command import GRADIENT_BITS, Memory, Op, PeShape, wrap
from models.pe_array.isa.runs import Bytes
from models.pe_array.isa.shapes import Pair
from models.pe_array.machine.pe import ProcessingElement


class MachineGrid:
    """PEs, windows of map loads, fields of commands, and gradients that nobody has collected.

    Attributes:
        pes: the PEs.
        y: their accumulators, int64 (P, y_depth, B).
        windows: per PE (columns of X, rows of X, columns of Y, rows of Y), each (first, last + 1).
        slots: of the PEs.
        fields: of the next command, per PE.
        gradients: int64 per slot.
        tiles_log2: log2 of the PEs of a slot, as in the last GRAD command.
        issued: entries that each PE issued since ``reset``, int64 (P,).
    """

    def __init__(self, pes: int, shape: PeShape) -> None:
        """Everything starts as zeros."""
        depths = (shape.x_depth, shape.y_depth, shape.w_depth, shape.e_depth, shape.t_depth)
        self.shape = shape
        self.pes = [ProcessingElement(shape.lanes, shape.acc_bits, *depths) for _ in range(pes)]
        self.y: IntArray = np.zeros((pes, shape.y_depth, shape.lanes), dtype=np.int64)
        for n, pe in enumerate(self.pes):
            pe.y = self.y[n]
        self.windows: list[tuple[Pair, Pair, Pair, Pair]] = [((0, 0), (0, 0), (0, 0), (0, 0))] * pes
        self.slots = [0] * pes
        self.fields = [dict.fromkeys(CommandField, 0) for _ in range(pes)]
        self.reset()

    def reset(self) -> None:
        """Forget gradients and counts; memories, windows and fields stay."""
        self.tiles_log2 = 0
        self.issued = np.zeros(len(self.pes), dtype=np.int64)
        self.gradients: list[IntArray] = [np.zeros(0, dtype=np.int64) for _ in self.pes]

    def load_map(self, command: LoadCommand, words: Bytes) -> None:
        """Words (beats, B) of a map to the PEs whose windows they are in."""
        depth = self.shape.y_depth if command.to_y else self.shape.x_depth
        part = words.view(np.int8).reshape(command.channels, command.rows, command.width, -1)
        for pe, windows, slot in zip(self.pes, self.windows, self.slots, strict=True):
            if command.slot not in (None, slot):
                continue
            columns, rows = windows[2:] if command.to_y else windows[:2]
            top, bottom = (max(row - command.row, 0) for row in rows)
            taken = part[:, top:bottom, columns[0] : columns[1]].reshape(-1, self.shape.lanes)
            where = (command.base + np.arange(len(taken))) % ADDRESSES % depth  # what comes last stays
            if command.to_y:
                pe.y[where] = wrap(taken.astype(np.int64) << command.shift, self.shape.acc_bits)
            else:
                pe.x[where] = taken

    def load_stream(self, memory: Memory, pes: int, word: int, words: Bytes) -> None:
        """Words (beats, B) to W, E or T of the PEs in a mask."""
        depth = self.shape.depth(memory)
        first = max(len(words) - depth, 0)
        for n, pe in enumerate(self.pes):
            if pes >> n & 1:
                pe.load(memory, (word + first) % depth, words[first:])

    def compute(self, operation: ComputeTiles, tiles_log2: int) -> None:
        """A command of all PEs; gradients are summed over the PEs of a slot.

        Raises:
            ValueError: a field that no PE takes, or PEs of a slot have different numbers of gradients.
        """
        commands = [operation.command(fields) for fields in self.fields]
        made = [np.array(pe.run(each), dtype=np.int64) for pe, each in zip(self.pes, commands, strict=True)]
        self.issued += [max(1, each.clear + each.elements * each.taps) for each in commands]
        if operation.op == Op.GRAD:
            self.tiles_log2 = tiles_log2
            for slot in range(len(made) >> tiles_log2):
                parts = made[slot << tiles_log2 : (slot + 1) << tiles_log2]
                if len({len(part) for part in parts}) > 1:
                    raise ValueError(f"PEs of slot {slot} have different numbers of gradients")
                sums = wrap(np.sum(parts, axis=0), GRADIENT_BITS)
                self.gradients[slot] = np.concatenate([self.gradients[slot], sums])

    def take(self, slot: int, count: int) -> IntArray:
        """The next gradients of a slot."""
        taken, self.gradients[slot] = self.gradients[slot][:count], self.gradients[slot][count:]
        return taken
