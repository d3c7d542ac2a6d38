# SPDX-License-Identifier: Apache-2.0
"""Registers of the PE array: their addresses, fields, meanings and reset values, and the numbers of its counters.

The RTL is ``rtl/pe_array/top/array_regs.v``; ``make generate`` makes its header, that of C and the table of the docs.
"""

from __future__ import annotations

from models.lib.registers import BOTH, READ, WRITE, BitField, Block, Register, RegisterMap

ID_VALUE = 0x454C5041
VERSION_VALUE = 0x00010000


class Shape(BitField):
    """Fields of SHAPE."""

    P = 0, 8, "PEs"
    B = 8, 8, "images of the batch, and bytes of a beat"
    ACC = 16, 8, "bits of an accumulator"
    GROUPS = 24, 7, "PE groups that are counted for themselves"
    WIDE = 31, 1, "the port is wide: its beats have 2*B bytes"


class Depths(BitField):
    """Fields of DEPTHS."""

    X = 0, 4, "log2 of the words of X"
    Y = 4, 4, "log2 of the words of Y"
    W = 8, 4, "log2 of the words of W"
    E = 12, 4, "log2 of the words of E"
    T = 16, 4, "log2 of the words of T"


class Control(BitField):
    """Fields of CONTROL."""

    START = 0, 1, "1: start the program; refused while busy"
    STOP = 1, 1, "1: stop it"


class ArrayStatus(BitField):
    """Fields of STATUS."""

    BUSY = 0, 1, "a program runs"
    ENDED = 1, 1, "the last one came to its end"
    ERROR = 2, 1, "it was stopped"
    CAUSE = 4, 4, "why: a cause"
    ENGINE = 8, 2, "by which engine"


class ErrorIndex(BitField):
    """Fields of ERROR_INDEX."""

    DESCRIPTOR = 0, 24, "its place in the program"


class Length(BitField):
    """Fields of LENGTH."""

    DESCRIPTORS = 0, 24, "at least 1"


class Seed(BitField):
    """Fields of SEED."""

    WORD = 0, 16, "seed of the random words"
    ENABLE = 16, 1, "1: every start loads it"


class ArrayReg(Register):
    """Registers of the whole array; settings are refused while a program runs."""

    ID = 0x00, READ, '"ELPA"', None, ID_VALUE
    VERSION = 0x04, READ, "of this map", None, VERSION_VALUE
    SHAPE = 0x08, READ, "parameters of the array", Shape, None
    DEPTHS = 0x0C, READ, "memories of a PE", Depths, None
    CONTROL = 0x10, WRITE, "commands", Control
    STATUS = 0x14, READ, "state of the program; start clears all but BUSY", ArrayStatus
    ERROR_INDEX = 0x18, READ, "descriptor that stopped the program", ErrorIndex
    PROGRAM = 0x1C, BOTH, "address of the program: bytes, a multiple of 32 and of B"
    LENGTH = 0x20, BOTH, "descriptors of the program; others are refused", Length, 1
    READ_BASE = 0x24, BOTH, "window for reading: its first byte"
    READ_LAST = 0x28, BOTH, "window for reading: its last byte"
    WRITE_BASE = 0x2C, BOTH, "window for writing: its first byte"
    WRITE_LAST = 0x30, BOTH, "window for writing: its last byte"
    SEED = 0x34, BOTH, "random words of stochastic rounding", Seed
    SNAPSHOT = 0x38, WRITE, "any value: copies all counters at once; they count from the last start"


class Counter(Register):
    """Counters of the whole array; offsets from the first."""

    CLOCKS = 0x00, READ, "clocks in which a program ran", None, 0, 64
    BUSY_PES = 0x08, READ, "PE clocks in which an entry was issued", None, 0, 64
    STALL_PES = 0x10, READ, "PE clocks in which an entry waited", None, 0, 64
    LOAD_CLOCKS = 0x18, READ, "clocks in which the load engine was not idle", None, 0, 64
    COMPUTE_CLOCKS = 0x20, READ, "clocks in which the compute engine was not idle", None, 0, 64
    STORE_CLOCKS = 0x28, READ, "clocks in which the store engine was not idle", None, 0, 64
    FETCH_BEATS = 0x30, READ, "beats read by the program fetch", None, 0, 64
    LOAD_BEATS = 0x38, READ, "beats read by the load engine", None, 0, 64
    STORE_BEATS = 0x40, READ, "beats read by the store engine", None, 0, 64
    WRITTEN_BEATS = 0x48, READ, "beats written", None, 0, 64
    LOADS = 0x50, READ, "loads done", None, 0, 64
    COMPUTES = 0x58, READ, "computes done", None, 0, 64
    STORES = 0x60, READ, "stores done", None, 0, 64
    CLIPPED_OUTPUTS = 0x68, READ, "values clipped by requantise", None, 0, 64
    CLIPPED_MASTERS = 0x70, READ, "masters clipped by updates", None, 0, 64
    CLIPPED_MOMENTA = 0x78, READ, "momenta clipped by updates", None, 0, 64
    CLIPPED_WEIGHTS = 0x80, READ, "MAC weights clipped by updates", None, 0, 64

    @property
    def address(self) -> int:
        """Byte address of its low word; the high word is behind it."""
        return _COUNTERS.address(self)


class GroupCounter(Register):
    """Counters of a group of neighbouring PEs; offsets from the first of the group."""

    BUSY = 0x00, READ, "PE clocks in which an entry was issued", None, 0, 64
    STALLED = 0x08, READ, "PE clocks in which an entry waited", None, 0, 64


_COUNTERS = Block(Counter, "COUNTER", 0x40)
_GROUPS = Block(GroupCounter, "GROUP", 0x40 + 8 * len(Counter), 0x10, 64, "PE group")
ARRAY = RegisterMap("ARRAY", "the PE array", "models/pe_array/isa/registers.py", (Block(ArrayReg), _COUNTERS, _GROUPS))


def group_addresses(group: int) -> tuple[int, int]:
    """Byte addresses of the counters of a group: PE clocks busy, PE clocks stalled; the high word is behind each."""
    return _GROUPS.address(GroupCounter.BUSY, group), _GROUPS.address(GroupCounter.STALLED, group)


def counter_addresses(groups: int) -> list[int]:
    """Of the low words of all counters of an array with so many groups of PEs."""
    return [c.address for c in Counter] + [address for n in range(groups) for address in group_addresses(n)]


def mapped(groups: int) -> set[int]:
    """Every address that can be read."""
    return set(ARRAY.addresses({"GROUP": groups}))
