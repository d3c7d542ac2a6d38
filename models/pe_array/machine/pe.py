# SPDX-License-Identifier: Apache-2.0
"""Bit-exact model of one processing element (docs/pe_array/pe.md): memories, loads, commands; no clocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.lib.fixed_point import IntArray
from models.pe_array.isa.parameters import default
from models.pe_array.isa.pe_command import (
    LAST_BIT,
    LOAD_SHIFT_MAX,
    NO_MAXIMUM,
    NULL_BIT,
    WOFF_BITS,
    WOFF_LOW,
    XOFF_BITS,
    YOFF_BITS,
    YOFF_LOW,
    ByteArray,
    Memory,
    Op,
    PeCommand,
    PeShape,
    wrap,
)

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code


class ProcessingElement:
    """Memories of a PE and what loads and commands do to them.

    Attributes:
        shape: the parameters.
        x: pixel words, int8 (x_depth, lanes).
        y: accumulators, int64 (y_depth, lanes), in the signed range of acc_bits.
        w: the weight byte stream, int8 (w_depth*lanes,).
        e: coordinates, uint16 (e_depth*lanes/2,).
        t: tap entries, uint32 (t_depth*lanes/4,).
    """

    def __init__(
        self,
        lanes: int,
        acc_bits: int = default("ACC"),
        x_depth: int = default("X_DEPTH"),
        y_depth: int = default("Y_DEPTH"),
        w_depth: int = default("W_DEPTH"),
        e_depth: int = default("E_DEPTH"),
        t_depth: int = default("T_DEPTH"),
    ) -> None:
        """All memories start as zeros. Arguments as those of ``PeShape``."""
        self.shape = PeShape(lanes, acc_bits, x_depth, y_depth, w_depth, e_depth, t_depth)
        self.x: ByteArray = np.zeros((x_depth, lanes), dtype=np.int8)
        self.y: IntArray = np.zeros((y_depth, lanes), dtype=np.int64)
        self.w: ByteArray = np.zeros(w_depth * lanes, dtype=np.int8)
        self.e: npt.NDArray[np.uint16] = np.zeros(e_depth * lanes // 2, dtype=np.uint16)
        self.t: npt.NDArray[np.uint32] = np.zeros(t_depth * lanes // 4, dtype=np.uint32)

    def load(self, select: Memory | int, address: int, data: npt.ArrayLike | bytes, shift: int = 0) -> None:
        """Write one word or several, from ``address`` on, modulo the depth.

        Args:
            select: the memory.
            address: the first word, below the depth.
            data: bytes, or int8/uint8 of any shape: a multiple of ``lanes``, byte 0 of a word first.
            shift: Y only: every byte is sign-extended and shifted left by 0 … 15.

        Raises:
            ValueError: an argument is out of range.
        """
        memory = Memory(select)
        depth, lanes = self.shape.depth(memory), self.shape.lanes
        if not 0 <= address < depth:
            raise ValueError(f"load address {address} must be 0 … {depth - 1} in {memory.name}")
        if not 0 <= shift <= LOAD_SHIFT_MAX:
            raise ValueError(f"load shift = {shift} must be 0 … {LOAD_SHIFT_MAX}")
        raw = np.frombuffer(data, dtype=np.int8) if isinstance(data, bytes) else np.asarray(data)
        if raw.dtype not in (np.int8, np.uint8):
            if raw.size and not -128 <= raw.min() <= raw.max() <= 255:
                raise ValueError("load data must be bytes")
            raw = (raw & 0xFF).astype(np.uint8)
        if raw.size % lanes:
            raise ValueError(f"load of {raw.size} bytes must be a multiple of {lanes}")
        if raw.size > depth * lanes:
            raise ValueError(f"load of {raw.size // lanes} words must fit in the {depth} words of {memory.name}")
        words = np.ascontiguousarray(raw).view(np.int8).reshape(-1, lanes)
        where = (address + np.arange(len(words))) % depth
        if memory is Memory.X:
            self.x[where] = words
        elif memory is Memory.Y:
            self.y[where] = wrap(words.astype(np.int64) << shift, self.shape.acc_bits)
        else:
            flat = (self.w, self.e, self.t)[memory - Memory.W]
            flat.view(np.int8).reshape(depth, lanes)[where] = words

    def drain(self, address: int, words: int = 1) -> IntArray:
        """Accumulators of words from ``address`` on, modulo the depth; int64 (words, lanes)."""
        return np.asarray(self.y[(address + np.arange(words)) % self.shape.y_depth])

    def check(self, command: PeCommand) -> int:
        """First entry of a command's tap list. ValueError as in ``run``."""
        command.check(self.shape)
        first = command.tbase * (self.shape.lanes // 4)
        if command.elements and not int(self.t[(first + command.taps - 1) % len(self.t)]) >> LAST_BIT & 1:
            raise ValueError(f"tap {command.taps - 1}, the final one of the list, must have last")
        return first

    def run(self, command: PeCommand) -> list[int]:
        """Execute a command; returns the gradients in order, signed 32 bits.

        Raises:
            ValueError: a field is out of range, or the last entry of the tap list has no ``last``.
        """
        shape, first = self.shape, self.check(command)
        cleared = (command.ybase + np.arange(command.clear)) % shape.y_depth
        self.y[cleared] = 0
        gradients = np.zeros(command.elements * command.taps if command.op == Op.GRAD else 0, dtype=np.int64)
        count = execute(
            int(command.op), bool(command.swap), command.elements, command.ebase * (shape.lanes // 2),
            command.wbase * shape.lanes, command.wstride, first, command.taps, command.xbase, command.xstride,
            command.ybase, command.ystride, command.rbase, shape.acc_bits,
            self.x, self.y, self.w, self.e, self.t, gradients,
        )  # fmt: skip
        return [int(value) for value in gradients[:count]] if command.op == Op.GRAD else []


@njit(cache=True)
def execute(
    op: Int, swap: bool, elements: Int, e0: Int, w0: Int, wstride: Int, t0: Int, taps: Int, xbase: Int, xstride: Int,
    ybase: Int, ystride: Int, rbase: Int, acc_bits: Int,
    x: Array, y: Array, w: Array, e: Array, t: Array, gradients: Array,
) -> Int:  # fmt: skip
    """Walk the tap list for every element; returns the number of results (``last`` entries).

    Args:
        e0, w0, t0: first coordinate, weight byte and tap entry. All addresses are modulo the depths, powers of two.
        x, y, w, e, t: the memories; y is changed.
        gradients: filled for GRAD.
    """
    lanes = x.shape[1]
    x_mask, y_mask, w_mask = np.int64(x.shape[0] - 1), np.int64(y.shape[0] - 1), np.int64(len(w) - 1)
    e_mask, t_mask = np.int64(len(e) - 1), np.int64(len(t) - 1)
    up = np.int64(64 - acc_bits)
    s = np.zeros(lanes, dtype=np.int64)
    best = np.full(lanes, NO_MAXIMUM, dtype=np.int64)
    index = np.zeros(lanes, dtype=np.int64)
    fresh = True  # no entry of this MAX window has been compared yet
    results = 0
    for n in range(elements):
        coordinate = np.int64(e[(e0 + n) & e_mask])
        row, col = coordinate >> 8, coordinate & 0xFF
        into, out = (row, col) if swap else (col, row)
        for k in range(taps):
            entry = np.int64(t[(t0 + k) & t_mask])
            null = entry >> NULL_BIT & 1
            last = entry >> LAST_BIT & 1
            woff = entry >> WOFF_LOW & ((1 << WOFF_BITS) - 1)
            xa = (xbase + into * xstride + (entry & ((1 << XOFF_BITS) - 1))) & x_mask
            ya = (ybase + out * ystride + (entry >> YOFF_LOW & ((1 << YOFF_BITS) - 1))) & y_mask
            if not null:
                if op == 0:
                    weight = np.int64(w[(w0 + n * wstride + woff) & w_mask])
                    for b in range(lanes):
                        s[b] += weight * np.int64(x[xa, b])
                elif op == 1:
                    for b in range(lanes):
                        s[b] += np.int64(x[xa, b]) * np.int64(np.int8(y[ya, b]))
                elif op == 2:
                    for b in range(lanes):
                        if fresh or np.int64(x[xa, b]) > best[b]:
                            best[b] = np.int64(x[xa, b])
                            index[b] = woff
                    fresh = False
                else:
                    for b in range(lanes):
                        if (y[ya, b] & 0xFF) == woff:
                            s[b] += np.int64(x[xa, b])
            if last:
                if op == 0:
                    for b in range(lanes):
                        y[ya, b] = ((y[ya, b] + s[b]) << up) >> up
                elif op == 1:
                    total = np.int64(0)
                    for b in range(lanes):
                        total += s[b]
                    gradients[results] = total  # below 2^31: at most 64 lanes, 1023 entries, products to 2^14
                elif op == 2:
                    for b in range(lanes):
                        y[ya, b] = index[b] << 8 | (best[b] & 0xFF)
                        best[b] = NO_MAXIMUM
                        index[b] = 0
                    fresh = True
                else:
                    ra = (rbase + results) & y_mask
                    for b in range(lanes):
                        y[ra, b] = (s[b] << up) >> up
                for b in range(lanes):
                    s[b] = 0
                results += 1
    return results
