# SPDX-License-Identifier: Apache-2.0
"""Descriptors: bits against the table of the contract, round trips of random ones, errors."""

from __future__ import annotations

import random
from dataclasses import fields
from typing import Any

import pytest

from models.pe_array.isa import descriptors as d
from models.pe_array.isa.encoding import DescriptorError, decode, encode, unpack
from models.pe_array.isa.operations import After


def words(descriptor: d.Descriptor) -> list[int]:
    data = encode([descriptor])
    return [int.from_bytes(data[4 * n : 4 * n + 4], "little") for n in range(8)]


AFTER = After(0x123456, 0xABCDEF, 0xFEDCBA)

TABLE: list[tuple[d.Descriptor, int, int, list[int]]] = [
    (d.Window(5, 3, (1, 2), (3, 4), (5, 6), (7, 8)), 5, 3, [0x2001, 0x4003, 0x6005, 0x8007, 0]),
    (
        d.Map(0x1000, 0x10000, 0x2000, 0xFFFFF, 0x123, 0x1FFF, 0xFFF, 0x456, 0x789, 9, True, True, 63),
        0x39, 63, [0x1000, 0x1FFFFFFF, 0x123FFFFF, 0x1FFFFFF, 0x789456],
    ),
    (
        d.Stream(2, 0x2000, 0x1000, 0x234, 0x8000000000000001, True, 0x12, 0x34, 0x567),
        2, 1, [0x2000, 0x234FFF, 0x5673412, 1, 0x80000000],
    ),
    (d.Pointers(0x40, 0xFFFFF, 0xFFFFFFFF), 0, 0, [0x40, 0xFFFFF, 0xFFFFFFFF, 0, 0]),
    (d.Set(5, 0xABC, 0x100000002), 5, 0, [0xABC, 0, 0, 2, 1]),
    (d.Compute(3, True, 6, 0x111, 0x222, 0x333, 0x44, 0x555, 0x666), 7, 6, [0x222111, 0x44333, 0x666555, 0, 0]),
    (
        d.Drain(64, 1, 2, 3, 4, 5, 6, 7, 8, 2, 3), 64, 0x1A, [0x2001, 0x4003, 0x6005, 0x8007, 0],
    ),
    (
        d.Output(0x100, 0x8000, 0x1000, 0xABCDE, 0x800, 0x54321, 0x200, 31, 2, True, True, True),
        31, 0x1E, [0x100, 0x200, 0xFFF7FFF, 0x7FFABCDE, 0x54321],
    ),
    (d.Slot(63, 0xFFFFFF, 0x123456), 63, 0, [0xFFFFFF, 0x123456, 0, 0, 0]),
    (d.Collect(0x80, True), 1, 0, [0x80, 0, 0, 0, 0]),
    (d.Update(1, 2, 3, 1 << 24, 31, True, 15, 4, True, 30, 6), 0x7F, 15, [1, 2, 4, 3, 0xDEFFFFFF]),
    (d.Learn(1, 3, 31, True, 15, 4, True, 30), 0x7F, 15, [1, 0, 4, 3, 0x1E000000]),
    (d.Delta(1, 2, 3, 4096, True), 1, 0, [1, 2, 3, 0xFFF, 0]),
    (d.Scales(), 0, 0, [0, 0, 0x800000, 0x800000, 0x7F8000]),
    (
        d.Scales(2, 0x48, -2, 0x1FFFF, 15, True, -1, -3, 5, True, True, -128, 0x12345, 31, True),
        0x3E, 15, [0x48, 0xFFFFFFFE, 0x1FFFF, 0x1F012345, 0x8005FDFF],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("descriptor", "a", "b", "rest"), TABLE, ids=lambda each: type(each).__name__)
def test_bits_are_those_of_the_table(descriptor: d.Descriptor, a: int, b: int, rest: list[int]) -> None:
    later = type(descriptor)(**{f.name: getattr(descriptor, f.name) for f in fields(descriptor)} | {"after": AFTER})
    assert words(later) == [0x12345600 | descriptor.opcode, a << 24 | 0xABCDEF, b << 24 | 0xFEDCBA, *rest]
    assert decode(encode([later])) == [later]


def random_descriptor(rng: random.Random) -> d.Descriptor:
    """Any fields of any opcode; numbers near the ends more often."""
    while True:
        word = rng.choice([rng.getrandbits(256), rng.getrandbits(256) | rng.getrandbits(256) & rng.getrandbits(256)])
        return unpack(word >> 8 << 8 | rng.choice(list(d.KINDS)))


def test_random_descriptors_survive_the_round_trip() -> None:
    rng = random.Random(1)
    program = [random_descriptor(rng) for _ in range(600)]
    assert {type(each) for each in program} == set(d.KINDS.values())
    assert decode(encode(program)) == program


def test_bits_without_a_name_are_ignored() -> None:
    assert unpack(0x20 | 7 << 104 | 0xF << 108) == d.Set(0, 7 << 8, 0)
    assert unpack(0x20 | 0xF8 << 56 | 0xFF << 88) == d.Set(0, 0, 0)


def test_engines_and_counts() -> None:
    assert [(hex(opcode), kind.counts) for opcode, kind in d.KINDS.items()] == [
        ("0x10", False), ("0x11", True), ("0x12", True), ("0x13", True), ("0x20", False), ("0x21", True),
        ("0x30", True), ("0x31", False), ("0x32", False), ("0x33", True), ("0x34", True), ("0x35", True),
        ("0x36", False), ("0x37", True),
    ]  # fmt: skip
    assert [d.Slot(0, 0, 0).engine, d.Compute(0).engine] == [d.Engine.STORE, d.Engine.COMPUTE]
    assert d.Pointers(0, 0, 0).engine == d.Engine.LOAD
    assert [int(cause) for cause in d.Cause] == list(range(1, 11))


def test_unknown_opcodes() -> None:
    program = bytearray(encode([d.Collect(0)] * 3))
    program[32] = 0x38
    with pytest.raises(DescriptorError, match="descriptor 1: opcode 0x38 is unknown") as caught:
        decode(bytes(program))
    assert (caught.value.index, caught.value.cause) == (1, d.Cause.OPCODE)
    with pytest.raises(ValueError, match="33 bytes must be a multiple of 32"):
        decode(bytes(33))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: d.Scales(bias=1 << 31), "Scales bias = 2147483648 must be -2147483648 … 2147483647"),
        (lambda: d.Scales(low=-129), "Scales low = -129 must be -128 … 127"),
        (lambda: d.Set(8, 0, 0), "Set field = 8 must be 0 … 7"),
        (lambda: d.Set(0, 0, 1 << 64), "Set pes = "),
        (lambda: d.Update(0, 0, 0, 0, 1), "Update beats = 0 must be 1 … 16777216"),
        (lambda: d.Window(0, 0, (0, 4096), (0, 0), (0, 0), (0, 0)), r"Window x_columns = \(0, 4096\) must be 0 … 4095"),
        (lambda: d.Collect(-1), "Collect address = -1"),
        (lambda: d.Collect(0, after=After(stores=1 << 24)), "Collect after.stores = 16777216 must be 0 … 16777215"),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("opcode", d.KINDS)
def test_bits_without_a_name_are_those_that_nothing_depends_on(opcode: int) -> None:
    plain = unpack(opcode)
    free = sum(1 << bit for bit in range(8, 256) if unpack(opcode | 1 << bit) == plain)
    assert d.unnamed(opcode) == free
