# SPDX-License-Identifier: Apache-2.0
"""The grid of PEs as the engines of ``machine`` see it: loads, commands, sums of gradients; at once, without clocks."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.isa.map_transfer import ADDRESSES, LoadCommand
from models.pe_array.isa.operations import CommandField, ComputeTiles
from models.pe_array.isa.pe_command import CLEAR_MAX, GRADIENT_BITS, LAST_BIT, Memory, Op, PeShape, wrap
from models.pe_array.isa.runs import Bytes
from models.pe_array.isa.shapes import Pair
from models.pe_array.machine.pe import ProcessingElement, execute

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code
Flag = Any

_ALL = -1
"""Slot of a load that all PEs take."""
_ELEMENTS, _CLEAR, _TAPS, _TBASE, _XSTRIDE, _YSTRIDE = (
    int(CommandField[name]) for name in ("ELEMENTS", "CLEAR", "TAPS", "TBASE", "XSTRIDE", "YSTRIDE")
)


class MachineGrid:
    """PEs, windows of map loads, fields of commands, and gradients that nobody has collected.

    What all PEs do at once is compiled: a layer of a large network has thousands of commands for each of them.

    Attributes:
        pes: the PEs, whose memories are parts of those of the grid.
        y: their accumulators, int64 (P, y_depth, B).
        windows: per PE columns of X, rows of X, columns of Y, rows of Y, each (first, last + 1): int64 (P, 8).
        slots: of the PEs, int64 (P,).
        fields: of the next command, int64 (P, CommandField).
        gradients: int64 per slot.
        tiles_log2: log2 of the PEs of a slot, as in the last GRAD command.
        issued: entries that each PE issued since ``reset``, int64 (P,).
    """

    def __init__(self, pes: int, shape: PeShape) -> None:
        """Everything starts as zeros."""
        depths = (shape.x_depth, shape.y_depth, shape.w_depth, shape.e_depth, shape.t_depth)
        self.shape = shape
        self.pes = [ProcessingElement(shape.lanes, shape.acc_bits, *depths) for _ in range(pes)]
        self._x, self.y, self._w, self._e, self._t = (
            np.zeros((pes, *getattr(self.pes[0], name).shape), dtype=getattr(self.pes[0], name).dtype)
            for name in ("x", "y", "w", "e", "t")
        )
        for n, pe in enumerate(self.pes):
            pe.x, pe.y, pe.w, pe.e, pe.t = (each[n] for each in (self._x, self.y, self._w, self._e, self._t))
        self.windows = np.zeros((pes, 8), dtype=np.int64)
        self.slots = np.zeros(pes, dtype=np.int64)
        self.fields = np.zeros((pes, len(CommandField)), dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget gradients and counts; memories, windows and fields stay."""
        self.tiles_log2 = 0
        self.issued = np.zeros(len(self.pes), dtype=np.int64)
        self.gradients: list[IntArray] = [np.zeros(0, dtype=np.int64) for _ in self.pes]

    def window(self, pe: int, slot: int, *regions: Pair) -> None:
        """Slot and windows of a PE, in the order of ``windows``."""
        self.slots[pe], self.windows[pe] = slot, np.array(regions).reshape(-1)

    def set_field(self, field: CommandField, value: int, pes: int) -> None:
        """A field of the PEs in a mask."""
        self.fields[_in_mask(pes, len(self.pes)), field] = value

    def load_map(self, command: LoadCommand, words: Bytes) -> None:
        """Words (beats, B) of a map to the PEs whose windows they are in."""
        part = np.ascontiguousarray(words).view(np.int8)
        part = part.reshape(command.channels, command.rows, command.width, self.shape.lanes)
        slot = _ALL if command.slot is None else command.slot
        up = 64 - self.shape.acc_bits
        if command.to_y:
            shifts, windows, to = (up + command.shift, up), self.windows[:, 4:], self.y
        else:
            shifts, windows, to = (0, 0), self.windows[:, :4], self._x
        _place(part, windows, self.slots, slot, command.row, command.base, *shifts, to)

    def load_stream(self, memory: Memory, pes: int, word: int, words: Bytes) -> None:
        """Words (beats, B) to W, E or T of the PEs in a mask."""
        depth, lanes = self.shape.depth(memory), self.shape.lanes
        first = max(len(words) - depth, 0)
        to = {Memory.W: self._w, Memory.E: self._e, Memory.T: self._t}[memory].view(np.int8)
        _spread(
            np.ascontiguousarray(words[first:]).view(np.int8), _in_mask(pes, len(self.pes)), (word + first) % depth,
            to.reshape(len(self.pes), depth, lanes),
        )  # fmt: skip

    def compute(self, operation: ComputeTiles, tiles_log2: int) -> None:
        """A command of all PEs; gradients are summed over the PEs of a slot.

        Raises:
            ValueError: a field that no PE takes, or PEs of a slot have different numbers of gradients.
        """
        shape, fields = self.shape, self.fields
        per_word = shape.lanes // 4
        all_legal = _legal(fields, self._t, per_word, shape.y_depth)
        for pe, own in zip(self.pes[: 1 if all_legal else None], fields, strict=False):
            pe.check(operation.command(dict(zip(CommandField, own.tolist(), strict=True))))
        entries = fields[:, _ELEMENTS] * fields[:, _TAPS]
        made = np.zeros((len(self.pes), int(entries.max()) if operation.op == Op.GRAD else 0), dtype=np.int64)
        counts = _compute(
            int(operation.op), bool(operation.swap), operation.ebase * (shape.lanes // 2),
            operation.wbase * shape.lanes, operation.wstride, per_word, operation.xbase, operation.ybase,
            operation.rbase, shape.acc_bits, fields, self._x, self.y, self._w, self._e, self._t, made,
        )  # fmt: skip
        self.issued += np.maximum(1, fields[:, _CLEAR] + entries)
        if operation.op == Op.GRAD:
            self.tiles_log2 = tiles_log2
            for slot in range(len(made) >> tiles_log2):
                mine = slice(slot << tiles_log2, (slot + 1) << tiles_log2)
                if len(set(counts[mine].tolist())) > 1:
                    raise ValueError(f"PEs of slot {slot} have different numbers of gradients")
                sums = wrap(np.sum(made[mine, : counts[mine][0]], axis=0), GRADIENT_BITS)
                self.gradients[slot] = np.concatenate([self.gradients[slot], sums])

    def take(self, slot: int, count: int) -> IntArray:
        """The next gradients of a slot."""
        taken, self.gradients[slot] = self.gradients[slot][:count], self.gradients[slot][count:]
        return taken


@lru_cache(maxsize=4096)
def _in_mask(mask: int, pes: int) -> npt.NDArray[np.bool_]:
    return np.array([mask >> pe & 1 for pe in range(pes)], dtype=np.bool_)


@njit(cache=True)
def _legal(fields: Array, t: Array, per_word: Int, y_depth: Int) -> Flag:
    """Whether all PEs take a command with these fields, whose tap lists end as they must."""
    for pe in range(len(fields)):
        own = fields[pe]
        if own[_TAPS] < 1 or own[_CLEAR] > min(CLEAR_MAX, y_depth):
            return False
        final = own[_TBASE] * per_word + own[_TAPS] - 1
        if own[_ELEMENTS] and not t[pe, final % t.shape[1]] >> LAST_BIT & 1:
            return False
    return True


@njit(cache=True)
def _compute(
    op: Int, swap: Flag, e0: Int, w0: Int, wstride: Int, per_word: Int, xbase: Int, ybase: Int, rbase: Int,
    acc_bits: Int, fields: Array, x: Array, y: Array, w: Array, e: Array, t: Array, gradients: Array,
) -> IntArray:  # fmt: skip
    """A command of all PEs, with their own fields and memories; returns the numbers of results."""
    counts = np.zeros(len(fields), dtype=np.int64)
    for pe in range(len(fields)):
        own = fields[pe]
        for n in range(own[_CLEAR]):
            y[pe, (ybase + n) % y.shape[1]] = 0
        counts[pe] = execute(
            op, swap, own[_ELEMENTS], e0, w0, wstride, own[_TBASE] * per_word, own[_TAPS], xbase, own[_XSTRIDE], ybase,
            own[_YSTRIDE], rbase, acc_bits, x[pe], y[pe], w[pe], e[pe], t[pe], gradients[pe],
        )  # fmt: skip
    return counts


@njit(cache=True)
def _place(
    words: Array, windows: Array, slots: Array, slot: Int, row: Int, base: Int, up: Int, down: Int, to: Array
) -> None:  # fmt: skip
    """Words (channels, rows, width, B) of a map from ``row`` on to X or Y of the PEs in whose windows they are.

    Args:
        windows: (P, 4): columns and rows.
        slot: of the PEs that take it, or _ALL.
        up, down: bits by which a word is shifted left, then right with its sign.
    """
    channels, rows = words.shape[:2]
    for pe in range(len(windows)):
        if slot not in (_ALL, slots[pe]):
            continue
        left, right, top, bottom = windows[pe]
        at = base
        for channel in range(channels):
            for y in range(max(top - row, 0), min(bottom - row, rows)):
                for x in range(left, min(right, words.shape[2])):
                    for b in range(words.shape[3]):
                        to[pe, at % ADDRESSES % to.shape[1], b] = np.int64(words[channel, y, x, b]) << up >> down
                    at += 1


@njit(cache=True)
def _spread(words: Array, mine: Array, first: Int, to: Array) -> None:
    """Words (n, B) to a memory of some PEs, from a word on."""
    for pe in range(len(to)):
        if mine[pe]:
            for n in range(len(words)):
                to[pe, (first + n) % to.shape[1]] = words[n]
