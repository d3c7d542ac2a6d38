# SPDX-License-Identifier: Apache-2.0
"""What goes into generated files: register maps, lists of codes and the descriptors, as the models describe them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from models.lib.registers import Code, RegisterMap
from models.pe_array.isa.bits import Bits
from models.pe_array.isa.channel_records import RecordLayout
from models.pe_array.isa.commands import CommandLayout
from models.pe_array.isa.descriptors import (
    AFTER,
    KINDS,
    Collect,
    Compute,
    Delta,
    Descriptor,
    Drain,
    Learn,
    Map,
    Output,
    Pointers,
    Scales,
    Set,
    Slot,
    Stream,
    Update,
    Window,
    layout,
)

OPCODE = Bits(0, 8)
"""Where the opcode of every descriptor lies."""


@dataclass(frozen=True)
class Codes:
    """Numbers with a meaning.

    Attributes:
        prefix: in front of their names.
        bits: of the ports and registers that carry them; None: constants that are no part of a word.
    """

    prefix: str
    codes: type[Code]
    bits: int | None = None

    @property
    def title(self) -> str:
        """What they are."""
        return title_of(self.codes)


@dataclass(frozen=True)
class Descriptors:
    """The descriptors of the PE array's programs.

    Attributes:
        units: parts of the RTL that take descriptors: the module, and the opcodes that it takes.
    """

    units: dict[str, tuple[str, tuple[type[Descriptor], ...]]]

    @staticmethod
    def kinds() -> list[tuple[str, type[Descriptor]]]:
        """Name and class of every opcode, in their order."""
        return [(kind.__name__.upper(), kind) for _, kind in sorted(KINDS.items())]


@dataclass(frozen=True)
class Parameters:
    """Parameters of a top level, for its page.

    Attributes:
        rows: name, default, legal values, meaning.
    """

    rows: tuple[tuple[str, str, str, str], ...]


Part = RegisterMap | Codes | Descriptors
HeaderPart = Part | CommandLayout | RecordLayout

DESCRIPTORS = Descriptors({
    "load": ("load_issue", (Window, Map, Stream, Pointers)), "compute": ("compute_engine", (Set, Compute)),
    "drain": ("drain_store", (Drain, Output, Scales)),
    "scales": ("drain_store", (Scales,)),
    "collect": ("collect_store", (Slot, Collect)),
    "update": ("update_store", (Update,)), "learn": ("update_store", (Learn,)), "delta": ("delta_store", (Delta,)),
})  # fmt: skip


def title_of(described: type) -> str:
    """What a class describes: the first words of its docstring, up to the end of the clause or the sentence."""
    return re.split(r";|\. |\.$", str(described.__doc__).splitlines()[0].replace("``", ""))[0]


def fields_of(kind: type[Descriptor]) -> list[tuple[str, Bits]]:
    """Name and bits of the fields of an opcode, from the lowest bit on."""
    return sorted(((name.upper(), bits) for name, bits, _ in layout(kind.opcode)), key=lambda field: field[1].low)


def after() -> list[tuple[str, Bits]]:
    """Name and bits of the numbers of operations that a descriptor waits for."""
    return [(name.upper(), Bits(low, 24, doc=f"{name} that must be done")) for name, low in AFTER.items()]


def width_of(bits: Bits) -> int:
    """All bits of a field, both numbers of a pair."""
    return bits.width * (1 + bits.pair)


def range_of(bits: Bits) -> str:
    """A field as the range of a slice, or as the number of its only bit."""
    high = bits.low + width_of(bits) - 1
    return f"{high}:{bits.low}" if high > bits.low else str(high)


def unused(kinds: tuple[type[Descriptor], ...]) -> list[tuple[int, int]]:
    """Ranges (high, low) of a descriptor, from the top, that a module which takes these opcodes has no use for.

    A module of one opcode does not look at it, and the operations to wait for are the queue's.
    """
    return gaps(256, [bits for kind in kinds for _, bits in fields_of(kind)] + [OPCODE] * (len(kinds) > 1))


def gaps(width: int, used: Iterable[Bits]) -> list[tuple[int, int]]:
    """Ranges (high, low) of a word of so many bits, from the top, in which no field lies."""
    free = set(range(width)) - {n for bits in used for n in range(bits.low, bits.low + width_of(bits))}
    ranges: list[tuple[int, int]] = []
    for bit in sorted(free, reverse=True):
        if ranges and ranges[-1][1] == bit + 1:
            ranges[-1] = (ranges[-1][0], bit)
        else:
            ranges.append((bit, bit))
    return ranges
