# SPDX-License-Identifier: Apache-2.0
"""Register maps: members as numbers, fields, and what a wrong map is refused for."""

from __future__ import annotations

import pytest

from models.edge.registers import EDGE, JunctionReg, junction_register
from models.lib.registers import BOTH, READ, BitField, Block, DescriptionError, Register, RegisterMap
from models.pe_array.isa.registers import ARRAY, ArrayReg, ArrayStatus, Counter, group_addresses


class Half(BitField):
    LOW = 0, 16, "lower half"
    HIGH = 16, 16, "upper half"


class Good(Register):
    ONE = 0x00, READ, "first"
    TWO = 0x04, BOTH, "second", Half, 3
    LONG = 0x08, READ, "of two words", None, 0, 64


def of(registers: type[Register], **block: int) -> RegisterMap:
    return RegisterMap("T", "test", "x.py", (Block(registers, "B" if block else "", **block),), 64)


def test_members_are_numbers() -> None:
    assert Good.TWO == 4
    assert Half.HIGH == 0xFFFF0000
    assert Half.HIGH | Half.LOW == 0xFFFFFFFF
    assert Half.HIGH.get(0x12345678) == 0x1234
    assert Half.HIGH.put(0x1234) == 0x12340000
    with pytest.raises(ValueError, match="LOW = 65536 must be 0 … 65535"):
        Half.LOW.put(1 << 16)


def test_addresses() -> None:
    assert of(Good).addresses({}) == [0, 4, 8, 12]
    assert of(Good, base=16, stride=16, count=3, first=1).addresses({"B": 2}) == [16, 20, 24, 28, 32, 36, 40, 44]
    assert junction_register(2, JunctionReg.Z) == 0x24C
    assert group_addresses(1) == (0xD8, 0xE0)
    assert len(EDGE.addresses({"JUNCTION": 1})) == 27 + 12
    assert len(ARRAY.addresses({"GROUP": 4})) == len(ArrayReg) + 2 * len(Counter) + 4 * 4
    assert ArrayStatus.CAUSE.get(0x96) == 9


class Alias(BitField):
    A = 0, 1, "a bit"
    B = 0, 1, "the same"


class Crossing(BitField):
    A = 0, 4, "four bits"
    B = 3, 2, "one of them and the next"


class Beyond(BitField):
    A = 31, 2, "two bits"


def one(*row: object) -> type[Register]:
    """Registers of one row."""
    return Register("Wrong", {"R": row})  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    ("registers", "message"),
    [
        (one(2, READ, "odd"), "Wrong.R must be words"),
        (one(0, READ, "narrow", None, 0, 16), "Wrong.R must be words"),
        (one(0, READ, "reset", None, 1 << 32), "reset value 4294967296 must fit in 32 bits"),
        (one(0, READ, ""), "Wrong.R needs a line"),
        (one(0, READ, "alias", Alias), "Alias: B lies where A is"),
        (one(0, READ, "crossing", Crossing), "R.B shares bits with another field"),
        (one(0, READ, "beyond", Beyond), "R.A: 2 bits from 31 on must fit in 32"),
        (one(64, READ, "far"), "R is beyond the 64 bytes"),
        (Register("Same", {"A": (0, READ, "a"), "B": (0, READ, "b")}), "Same: B lies where A is"),  # type: ignore[call-overload]
        (Register("Over", {"A": (0, READ, "a", None, 0, 64), "B": (4, READ, "b")}), "B lies on A at 0x004"),  # type: ignore[call-overload]
        (Register("Name", {"A_LOW": (4, READ, "a"), "A": (0, READ, "b", Half)}), "A_LOW stands for two things"),  # type: ignore[call-overload]
    ],
)  # fmt: skip
def test_what_is_refused(registers: type[Register], message: str) -> None:
    with pytest.raises(DescriptionError, match=message):
        of(registers)


def test_blocks_that_overlap_are_refused() -> None:
    with pytest.raises(DescriptionError, match="B 1 ONE lies on B 0 LONG at 0x008"):
        of(Good, base=0, stride=8, count=2)
