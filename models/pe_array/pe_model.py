# SPDX-License-Identifier: Apache-2.0
"""Bit-exact model of one processing element (docs/pe_array.md, section 4): memories, loads, commands; no clocks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.fixed_point import IntArray

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code
ByteArray = npt.NDArray[np.int8]

XOFF_BITS, WOFF_BITS, YOFF_BITS = 12, 7, 10
WOFF_LOW = XOFF_BITS
YOFF_LOW = WOFF_LOW + WOFF_BITS
LAST_BIT = YOFF_LOW + YOFF_BITS
NULL_BIT = LAST_BIT + 1

ELEMENTS_MAX = (1 << 12) - 1
TAPS_MAX = (1 << 10) - 1
CLEAR_MAX = 1 << 10
WSTRIDE_MAX = (1 << 7) - 1
XSTRIDE_MAX = (1 << 12) - 1
YSTRIDE_MAX = (1 << 10) - 1
LOAD_SHIFT_MAX = 15
GRADIENT_BITS = 32
NO_MAXIMUM = -128
"""Value of a MAX window whose entries are all null; its index is 0."""


class Op(IntEnum):
    """Operations; the values are those of the command's op field."""

    MAC = 0
    GRAD = 1
    MAX = 2
    UNPOOL = 3


class Memory(IntEnum):
    """Memories; the values are those of load_select."""

    X = 0
    Y = 1
    W = 2
    E = 3
    T = 4


@dataclass(frozen=True)
class Tap:
    """One entry of a tap list: offsets in words (xoff, yoff) and bytes (woff).

    Raises:
        ValueError: an offset does not fit in its bits (12, 7 and 10).
    """

    xoff: int = 0
    woff: int = 0
    yoff: int = 0
    last: bool = False
    null: bool = False

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, bits in (("xoff", XOFF_BITS), ("woff", WOFF_BITS), ("yoff", YOFF_BITS)):
            value = getattr(self, name)
            if not 0 <= value < 1 << bits:
                raise ValueError(f"tap {name} = {value} must be 0 … {(1 << bits) - 1}")

    def pack(self) -> int:
        """The entry's 32 bits."""
        flags = int(self.last) << LAST_BIT | int(self.null) << NULL_BIT
        return flags | self.yoff << YOFF_LOW | self.woff << WOFF_LOW | self.xoff

    @classmethod
    def unpack(cls, word: int) -> Tap:
        """The entry that 32 bits stand for; bit 31 must be 0, else ValueError."""
        if not 0 <= word < 1 << (NULL_BIT + 1):
            raise ValueError(f"tap entry {word:#x} must fit in {NULL_BIT + 1} bits")
        return cls(
            xoff=word & ((1 << XOFF_BITS) - 1),
            woff=word >> WOFF_LOW & ((1 << WOFF_BITS) - 1),
            yoff=word >> YOFF_LOW & ((1 << YOFF_BITS) - 1),
            last=bool(word >> LAST_BIT & 1),
            null=bool(word >> NULL_BIT & 1),
        )


def pack_taps(taps: list[Tap]) -> npt.NDArray[np.uint32]:
    """A tap list as 32-bit entries, shape (len(taps),)."""
    return np.array([tap.pack() for tap in taps], dtype=np.uint32)


def unpack_taps(entries: npt.NDArray[np.uint32]) -> list[Tap]:
    """The tap list that 32-bit entries stand for."""
    return [Tap.unpack(int(entry)) for entry in entries]


def pad_bytes(data: npt.ArrayLike, lanes: int) -> ByteArray:
    """The bytes of an integer array, little-endian, filled with zeros to whole words of ``lanes`` bytes.

    Args:
        data: array of a fixed-size integer type (a list counts as int8), any shape, taken in C order.
        lanes: B.
    """
    array = data if isinstance(data, np.ndarray) else np.asarray(data, dtype=np.int8)
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    flat = np.frombuffer(little.tobytes(), dtype=np.int8)
    return np.concatenate([flat, np.zeros(-len(flat) % lanes, dtype=np.int8)])


@dataclass(frozen=True)
class PeShape:
    """Parameters of a processing element; depths in words.

    Raises:
        ValueError: a parameter that the contract does not allow.
    """

    lanes: int
    acc_bits: int = 32
    x_depth: int = 1024
    y_depth: int = 512
    w_depth: int = 512
    e_depth: int = 64
    t_depth: int = 64

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.lanes not in (4, 8, 16, 32, 64):
            raise ValueError(f"lanes = {self.lanes} must be a power of two, 4 … 64")
        if not 16 <= self.acc_bits <= 48:
            raise ValueError(f"acc_bits = {self.acc_bits} must be 16 … 48")
        for name, limit in (
            ("x_depth", 1 << XOFF_BITS),
            ("y_depth", CLEAR_MAX),
            ("w_depth", 4096),
            ("e_depth", 4096),
            ("t_depth", 4096),
        ):
            value = getattr(self, name)
            if not 2 <= value <= limit or value & (value - 1):
                raise ValueError(f"{name} = {value} must be a power of two, 2 … {limit}")

    def depth(self, memory: Memory) -> int:
        """Depth of a memory in words."""
        return (self.x_depth, self.y_depth, self.w_depth, self.e_depth, self.t_depth)[memory]


@dataclass(frozen=True)
class Command:
    """One command; the fields are those of the contract. ``check`` tells whether a PE can take it."""

    op: Op
    taps: int
    elements: int = 0
    swap: bool = False
    clear: int = 0
    ebase: int = 0
    wbase: int = 0
    wstride: int = 0
    tbase: int = 0
    xbase: int = 0
    xstride: int = 0
    ybase: int = 0
    ystride: int = 0
    rbase: int = 0

    def check(self, shape: PeShape) -> None:
        """Raise ValueError, with field, value and range, for a field that does not fit."""
        high = {
            "op": max(Op),
            "taps": TAPS_MAX,
            "elements": ELEMENTS_MAX,
            "swap": 1,
            "clear": min(CLEAR_MAX, shape.y_depth),
            "ebase": shape.e_depth - 1,
            "wbase": shape.w_depth - 1,
            "wstride": WSTRIDE_MAX,
            "tbase": shape.t_depth - 1,
            "xbase": shape.x_depth - 1,
            "xstride": XSTRIDE_MAX,
            "ybase": shape.y_depth - 1,
            "ystride": YSTRIDE_MAX,
            "rbase": shape.y_depth - 1,
        }
        for field in fields(self):
            value, low = getattr(self, field.name), int(field.name == "taps")
            if not low <= value <= high[field.name]:
                raise ValueError(f"command {field.name} = {value} must be {low} … {high[field.name]}")


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
        acc_bits: int = 32,
        x_depth: int = 1024,
        y_depth: int = 512,
        w_depth: int = 512,
        e_depth: int = 64,
        t_depth: int = 64,
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

    def run(self, command: Command) -> list[int]:
        """Execute a command; returns the gradients in order, signed 32 bits.

        Raises:
            ValueError: a field is out of range, or the last entry of the tap list has no ``last``.
        """
        shape = self.shape
        command.check(shape)
        first = command.tbase * (shape.lanes // 4)
        if command.elements and not int(self.t[(first + command.taps - 1) % len(self.t)]) >> LAST_BIT & 1:
            raise ValueError(f"tap {command.taps - 1}, the final one of the list, must have last")
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


def wrap(value: npt.ArrayLike, bits: int) -> IntArray:
    """Integers modulo 2**bits as signed two's complement, same shape, int64."""
    up = 64 - bits
    return np.asarray((np.asarray(value, dtype=np.int64) << up) >> up)


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
