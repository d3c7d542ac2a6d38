# SPDX-License-Identifier: Apache-2.0
"""Programs as tables of int64, from which the compiled models of clocks read their fields.

A row per descriptor: opcode, counts to wait for, and the fields of its class in their order, pairs as two columns. A
field of 64 bits is the int64 with the same bits. Columns of other classes are 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.isa import descriptors as d

OPCODE, LOADS, COMPUTES, STORES, FIRST = range(5)
"""Opcode, loads, computes and stores to wait for; the first field."""
AFTER = {"loads": LOADS, "computes": COMPUTES, "stores": STORES}


def _names(kind: type[d.Descriptor]) -> Iterator[str]:
    for each in fields(kind):
        if each.metadata:
            yield from [each.name] * (1 + each.metadata["bits"].pair)


def column(kind: type[d.Descriptor], name: str) -> int:
    """Where a field of a class stands; the second number of a pair one further."""
    return FIRST + list(_names(kind)).index(name)


COLUMNS = FIRST + max(len(list(_names(kind))) for kind in d.KINDS.values()) + 2
"""Columns of a table: two behind the fields are for the models."""


def _signed(value: int) -> int:
    """Of 64 bits; a mask of 64 PEs has the highest one."""
    return value - ((value >> 63 == 1) << 64)


def table(program: Sequence[d.Descriptor]) -> IntArray:
    """int64 (descriptors, COLUMNS)."""
    rows = np.zeros((len(program), COLUMNS), dtype=np.int64)
    numbers: dict[type[d.Descriptor], list[int]] = {}
    for number, each in enumerate(program):
        numbers.setdefault(type(each), []).append(number)
    for of, mine in numbers.items():
        made = [program[number] for number in mine]
        rows[mine, OPCODE] = of.opcode
        for name, at in AFTER.items():
            rows[mine, at] = [getattr(each.after, name) for each in made]
        for name in dict.fromkeys(_names(of)):
            found = [getattr(each, name) for each in made]
            values = np.array(found if isinstance(found[0], tuple) else [_signed(int(value)) for value in found])
            values = values.reshape(len(mine), -1)
            at = column(of, name)
            rows[mine, at : at + values.shape[1]] = values
    return rows
