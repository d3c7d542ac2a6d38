# SPDX-License-Identifier: Apache-2.0
"""What a processing element is told (docs/pe_array/pe.md): its memories, tap entries, commands, ranges."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.lib.registers import Code
from models.pe_array.isa.parameters import default

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


class Op(Code):
    """Operations of a processing element."""

    MAC = 0, "sums of products of weights and pixels"
    GRAD = 1, "gradients of weights: sums of products over pixels and images"
    MAX = 2, "the largest pixel of a window, and which one it is"
    UNPOOL = 3, "a gradient goes to where the largest pixel was"


class Memory(Code):
    """Memories of a processing element, as its load port selects them."""

    X = 0, "input map"
    Y = 1, "accumulators, or the map of gradients"
    W = 2, "weights"
    E = 3, "elements: which weight meets which channel"
    T = 4, "taps: offsets of a window"


class StreamMemory(Code):
    """Memories that a stream can go to."""

    W = Memory.W - Memory.W, "weights"
    E = Memory.E - Memory.W, "elements"
    T = Memory.T - Memory.W, "taps"


class WindowRegister(Code):
    """Registers of the window that a processing element holds of a map."""

    X_COLUMNS = 0, "columns that X takes"
    X_ROWS = 1, "rows that X takes"
    Y_COLUMNS = 2, "columns that Y takes"
    Y_ROWS = 3, "rows that Y takes"
    SLOT = 4, "slot of the PE"


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
    acc_bits: int = default("ACC")
    x_depth: int = default("X_DEPTH")
    y_depth: int = default("Y_DEPTH")
    w_depth: int = default("W_DEPTH")
    e_depth: int = default("E_DEPTH")
    t_depth: int = default("T_DEPTH")

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
class PeCommand:
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


def wrap(value: npt.ArrayLike, bits: int) -> IntArray:
    """Integers modulo 2**bits as signed two's complement, same shape, int64."""
    up = 64 - bits
    return np.asarray((np.asarray(value, dtype=np.int64) << up) >> up)
