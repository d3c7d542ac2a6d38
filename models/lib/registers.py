# SPDX-License-Identifier: Apache-2.0
"""Registers as rows of a table: said once, for the RTL, for drivers in Python and C, and for the documents.

A register is a member of a subclass of ``Register``, a field of it one of a subclass of ``BitField``:

    class Status(BitField):
        BUSY = 0, 1, "a program runs"
        CAUSE = 4, 4, "why it was stopped"

    class Reg(Register):
        STATUS = 0x14, READ, "state of the program", Status

Members are integers too, a register its byte offset and a field its mask: ``read(Reg.STATUS) & Status.BUSY``.
`make generate` writes the headers and the tables in docs/reference from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Self


class DescriptionError(ValueError):
    """What is described cannot be built: two things collide, or something does not fit. The message names it."""


class Access(Enum):
    """What the host can do with a register."""

    READ = "read"
    WRITE = "write"  # reads as 0
    BOTH = "read, write"


READ, WRITE, BOTH = Access


class Code(IntEnum):
    """Numbers that have a meaning, each with a line that says which: ``FIELD = 2, "a field is illegal"``."""

    doc: str

    def __new__(cls, value: int, doc: str = "") -> Self:
        """A member; ``doc`` may be left out only for the type checker, where a member is looked up by its number."""
        made = int.__new__(cls, value)
        made._value_, made.doc = value, doc
        return made


class BitField(IntEnum):
    """Fields of a word, each ``(lowest bit, bits, meaning)``; as an integer it is its mask."""

    low: int
    width: int
    doc: str

    def __new__(cls, low: int, width: int, doc: str) -> Self:
        """A member."""
        mask = (1 << width) - 1 << low
        made = int.__new__(cls, mask)
        made._value_, made.low, made.width, made.doc = mask, low, width, doc
        return made

    def get(self, word: int) -> int:
        """The field's value in a word."""
        return (word & self) >> self.low

    def put(self, value: int) -> int:
        """The word that has this value in the field, and else zeros.

        Raises:
            ValueError: it does not fit.
        """
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"{type(self).__name__}.{self.name} = {value} must be 0 … {(1 << self.width) - 1}")
        return value << self.low


class Register(IntEnum):
    """Registers, each ``(byte offset, access, meaning, fields, value after a reset, bits)``.

    The last three may be left out: no fields, 0, 32. A reset value of None depends on the parameters. A register of 64
    bits is two words, the low one first.
    """

    access: Access
    doc: str
    fields: tuple[BitField, ...]
    reset: int | None
    width: int

    def __new__(
        cls, offset: int, access: Access, doc: str, fields: type[BitField] | None = None, reset: int | None = 0,
        width: int = 32,
    ) -> Self:  # fmt: skip
        """A member."""
        made = int.__new__(cls, offset)
        made._value_, made.access, made.doc = offset, access, doc
        made.fields, made.reset, made.width = tuple(fields or ()), reset, width
        return made

    @property
    def bits(self) -> int:
        """Bits up to the highest that a field has."""
        return max(field.low + field.width for field in self.fields) if self.fields else self.width


@dataclass(frozen=True)
class Block:
    """Registers that stand together, once or for each of several things.

    Attributes:
        name: of the block, in front of the names of its registers; "" for the registers of the whole.
        base: bytes, of the first.
        stride, count: bytes from one to the next, and the most that there can be.
        of, first: what there is one for each of, and the number of the first of these.
    """

    registers: type[Register]
    name: str = ""
    base: int = 0
    stride: int = 0
    count: int = 1
    of: str = ""
    first: int = 0

    @property
    def numbers(self) -> range:
        """Those that there can be."""
        return range(self.first, self.first + self.count)

    def address(self, register: Register, number: int | None = None) -> int:
        """Byte address of a register, of the first block where no other is named."""
        return self.base + self.stride * (0 if number is None else number - self.first) + register


@dataclass(frozen=True)
class RegisterMap:
    """All registers behind a port.

    Attributes:
        prefix: in front of all names in Verilog and C.
        title: what they are the registers of.
        source: file that describes them, from the checkout on.
        size: bytes of the address space.

    Raises:
        DescriptionError: two registers, fields or names collide, or something does not fit; the message names it.
    """

    prefix: str
    title: str
    source: str
    blocks: tuple[Block, ...]
    size: int = 4096

    def __post_init__(self) -> None:
        """Check it."""
        taken: dict[int, str] = {}
        for block in self.blocks:
            _check_alias(block.registers)
            for number in block.numbers:
                for register in block.registers:
                    self._take(taken, block, register, number)
        names = list(self._names())
        if twice := {name for name in names if names.count(name) > 1}:
            raise DescriptionError(f"registers of {self.title}: {', '.join(sorted(twice))} stands for two things")
        for block in self.blocks:
            for register in block.registers:
                _check_register(register)

    def _take(self, taken: dict[int, str], block: Block, register: Register, number: int) -> None:
        name = f"{block.name} {number} {register.name}".strip() if block.name else register.name
        for address in range(block.address(register, number), block.address(register, number) + register.width // 8):
            if address in taken:
                raise DescriptionError(f"registers of {self.title}: {name} lies on {taken[address]} at {address:#05x}")
            if address >= self.size:
                raise DescriptionError(f"registers of {self.title}: {name} is beyond the {self.size} bytes")
            taken[address] = name

    def _names(self) -> Iterator[str]:
        for block in self.blocks:
            for register in block.registers:
                name = "_".join(filter(None, (block.name, register.name)))
                yield name
                yield from (f"{name}_{each.name}" for each in register.fields)

    def addresses(self, counts: dict[str, int]) -> list[int]:
        """Byte addresses of all words that can be accessed, with ``counts`` blocks of those that have a stride."""
        return [
            block.address(register, number) + byte
            for block in self.blocks
            for number in block.numbers[: counts.get(block.name)]
            for register in block.registers
            for byte in range(0, register.width // 8, 4)
        ]


def _check_alias(members: type[Register] | type[BitField]) -> None:
    """An enum takes a second member of the same value for another name of the first."""
    for name, member in members.__members__.items():
        if member.name != name:
            raise DescriptionError(f"{members.__name__}: {name} lies where {member.name} is")


def _check_register(register: Register) -> None:
    where = f"{type(register).__name__}.{register.name}"
    if register % 4 or register.width not in (32, 64):
        raise DescriptionError(f"{where} must be words of 32 bits at a multiple of 4 bytes")
    if register.reset is not None and not 0 <= register.reset < 1 << register.width:
        raise DescriptionError(f"{where}: reset value {register.reset} must fit in {register.width} bits")
    if not register.doc:
        raise DescriptionError(f"{where} needs a line that says what it is")
    taken = 0
    for each in register.fields:
        _check_alias(type(each))
        if each.width < 1 or each >= 1 << register.width:
            bits = f"{each.width} bits from {each.low} on"
            raise DescriptionError(f"{where}.{each.name}: {bits} must fit in {register.width}")
        if taken & each:
            raise DescriptionError(f"{where}.{each.name} shares bits with another field")
        taken |= each
