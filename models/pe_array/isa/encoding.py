# SPDX-License-Identifier: Apache-2.0
"""Programs of the PE array as bytes: descriptors packed into their 32 bytes, and read from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.pe_array.isa.descriptors import AFTER, BYTES, KINDS, Cause, Descriptor, layout
from models.pe_array.isa.operations import After


class DescriptorError(ValueError):
    """A descriptor that cannot be decoded.

    Attributes:
        index: its place in the program.
        cause: number of the cause.
    """

    def __init__(self, index: int, cause: Cause, message: str) -> None:
        """The message names the descriptor."""
        super().__init__(f"descriptor {index}: {message}")
        self.index, self.cause = index, cause


def pack(descriptor: Descriptor) -> int:
    """The 256 bits of a descriptor."""
    word = descriptor.opcode
    for name, low in AFTER.items():
        word |= getattr(descriptor.after, name) << low
    for name, bits, _ in layout(descriptor.opcode):
        value = getattr(descriptor, name)
        for n, part in enumerate(value if bits.pair else (value,)):
            word |= (int(part) - bits.less & (1 << bits.width) - 1) << (bits.low + n * bits.width)
    return word


def unpack(word: int, index: int = 0) -> Descriptor:
    """The descriptor that 256 bits stand for; bits that no field has are ignored.

    Args:
        index: its place in the program, for the error.

    Raises:
        DescriptorError: unknown opcode.
    """
    kind = KINDS.get(word & 0xFF)
    if kind is None:
        raise DescriptorError(index, Cause.OPCODE, f"opcode {word & 0xFF:#04x} is unknown")
    values: dict[str, Any] = {}
    for name, bits, flag in layout(kind.opcode):
        parts = [bits.read(word >> bits.low + n * bits.width) for n in range(1 + bits.pair)]
        values[name] = tuple(parts) if bits.pair else bool(parts[0]) if flag else parts[0]
    return kind(**values, after=After(*(word >> low & 0xFFFFFF for low in AFTER.values())))


def encode(descriptors: Sequence[Descriptor]) -> bytes:
    """The program in memory, 32 bytes per descriptor: ``pack`` of each, made field by field."""
    words = np.zeros((len(descriptors), BYTES // 8), dtype="<u8")
    places: dict[int, list[int]] = {}
    for place, each in enumerate(descriptors):
        places.setdefault(each.opcode, []).append(place)
    for opcode, rows in places.items():
        given = [descriptors[row].__dict__ for row in rows]
        parts = [([opcode] * len(rows), 0)]
        for name, low in AFTER.items():
            parts.append(([getattr(each["after"], name) for each in given], low))
        for name, bits, _ in layout(opcode):
            values = [each[name] for each in given]
            for n, column in enumerate(zip(*values, strict=True) if bits.pair else (values,)):
                mask = (1 << bits.width) - 1
                parts.append(([int(value) - bits.less & mask for value in column], bits.low + n * bits.width))
        for column, low in parts:  # no field crosses one of the four words
            words[rows, low // 64] |= np.array(column, dtype=np.uint64) << np.uint64(low % 64)
    return words.tobytes()


def decode(program: bytes) -> list[Descriptor]:
    """The descriptors of a program.

    Raises:
        DescriptorError: the first unknown opcode.
        ValueError: not a whole number of descriptors.
    """
    if len(program) % BYTES:
        raise ValueError(f"{len(program)} bytes must be a multiple of {BYTES}")
    words = [int.from_bytes(program[n : n + BYTES], "little") for n in range(0, len(program), BYTES)]
    return [unpack(word, index) for index, word in enumerate(words)]
