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


def _names(kind: type[d.Descriptor]) -> Iterator[str]:
    for each in fields(kind):
        if each.metadata:
            yield from [each.name] * (1 + each.metadata["bits"].pair)


def column(kind: type[d.Descriptor], name: str) -> int:
    """Where a field of a class stands; the second number of a pair one further."""
    return FIRST + list(_names(kind)).index(name)


COLUMNS = FIRST + max(len(list(_names(kind))) for kind in d.KINDS.values()) + 2
"""Columns of a table: two behind the fields are for the models."""


def table(program: Sequence[d.Descriptor]) -> IntArray:
    """int64 (descriptors, COLUMNS)."""
    rows = np.zeros((len(program), COLUMNS), dtype=np.int64)
    names = {kind: dict.fromkeys(_names(kind)) for kind in d.KINDS.values()}
    for row, each in zip(rows, program, strict=True):
        after = each.after
        values = [each.opcode, after.loads, after.computes, after.stores]
        for name in names[type(each)]:
            value = getattr(each, name)
            values.extend(value if isinstance(value, tuple) else (int(value),))
        row[: len(values)] = [value - ((value >> 63 == 1) << 64) for value in values]
    return rows
