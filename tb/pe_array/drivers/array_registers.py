# SPDX-License-Identifier: Apache-2.0
"""Register map of pe_array (docs/pe_array/registers.md): addresses, bits and their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag

ID_VALUE = 0x454C5041
VERSION_VALUE = 0x00010000


class Reg(IntEnum):
    """Byte addresses."""

    ID = 0x00
    VERSION = 0x04
    SHAPE = 0x08
    DEPTHS = 0x0C
    CONTROL = 0x10
    STATUS = 0x14
    ERROR_INDEX = 0x18
    PROGRAM = 0x1C
    LENGTH = 0x20
    READ_BASE = 0x24
    READ_LAST = 0x28
    WRITE_BASE = 0x2C
    WRITE_LAST = 0x30
    SEED = 0x34
    SNAPSHOT = 0x38


SETTINGS = {
    Reg.PROGRAM: 32, Reg.LENGTH: 24, Reg.READ_BASE: 32, Reg.READ_LAST: 32, Reg.WRITE_BASE: 32, Reg.WRITE_LAST: 32,
    Reg.SEED: 17,
}  # fmt: skip
"""Registers that can be written and read back, and their bits."""


class Counter(IntEnum):
    """Numbers of the counters."""

    CLOCKS = 0
    BUSY_PES = 1
    STALL_PES = 2
    LOAD_CLOCKS = 3
    COMPUTE_CLOCKS = 4
    STORE_CLOCKS = 5
    FETCH_BEATS = 6
    LOAD_BEATS = 7
    STORE_BEATS = 8
    WRITTEN_BEATS = 9
    LOADS = 10
    COMPUTES = 11
    STORES = 12
    CLIPPED_OUTPUTS = 13
    CLIPPED_MASTERS = 14
    CLIPPED_MOMENTA = 15
    CLIPPED_WEIGHTS = 16

    @property
    def address(self) -> int:
        """Byte address of its low word; the high word is behind it."""
        return 0x40 + 8 * self


@dataclass(frozen=True)
class GroupCount:
    """PE clocks of a group of PEs."""

    busy: int
    stalled: int


def group_addresses(group: int) -> tuple[int, int]:
    """Byte addresses of the counters of a group: PE clocks busy, PE clocks stalled; the high word is behind each."""
    first = 0x40 + 8 * (len(Counter) + 2 * group)
    return first, first + 8


class Control(IntFlag):
    """Bits of CONTROL."""

    START = 1 << 0
    STOP = 1 << 1


class Status(IntFlag):
    """Bits of STATUS; the cause is in bits 7:4, the engine in bits 9:8."""

    BUSY = 1 << 0
    ENDED = 1 << 1
    ERROR = 1 << 2


SEED_ENABLE = 1 << 16
"""Bit of SEED: load the random words at start."""


def groups_of(params: Mapping[str, int]) -> int:
    """GROUPS of an array of these HDL parameters."""
    return params.get("GROUPS", min(params["P"], 4))


def constants(params: Mapping[str, int]) -> dict[int, int]:
    """Address and value of the registers that identify an array of these HDL parameters."""
    names = ("X_DEPTH", "Y_DEPTH", "W_DEPTH", "E_DEPTH", "T_DEPTH")
    return {
        Reg.ID: ID_VALUE,
        Reg.VERSION: VERSION_VALUE,
        Reg.SHAPE: params["P"] | params["B"] << 8 | params["ACC"] << 16 | groups_of(params) << 24,
        Reg.DEPTHS: sum((params[name].bit_length() - 1) << 4 * i for i, name in enumerate(names)),
        Reg.CONTROL: 0,
        Reg.SNAPSHOT: 0,
    }


def counter_addresses(groups: int) -> list[int]:
    """Of the low words of all counters of an array with so many groups of PEs."""
    return [c.address for c in Counter] + [address for n in range(groups) for address in group_addresses(n)]


def mapped(groups: int) -> set[int]:
    """Every address that can be read."""
    return {int(r) for r in Reg} | {address + high for address in counter_addresses(groups) for high in (0, 4)}
