# SPDX-License-Identifier: Apache-2.0
"""Programs as the tables that clock models read: every bit of every field."""

from __future__ import annotations

from models.pe_array.clocks.table import LOADS, OPCODE, column, table
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.operations import After


def test_masks_of_64_pes_keep_all_bits() -> None:
    """Those with and without the highest bit in one program: as floating point they would lose the low ones."""
    masks = [1, 1 << 63 | 1, (1 << 64) - 1, (1 << 53) + 1]
    rows = table([d.Stream(0, 64, 1, 0, pes) for pes in masks] + [d.Set(1, 5, pes) for pes in masks])
    streams, sets = rows[:4, column(d.Stream, "pes")], rows[4:, column(d.Set, "pes")]
    assert [value % (1 << 64) for value in streams.tolist()] == masks
    assert [value % (1 << 64) for value in sets.tolist()] == masks


def test_fields_stand_in_their_columns() -> None:
    window = d.Window(3, 2, (1, 5), (0, 4), (2, 6), (7, 9), after=After(loads=4))
    rows = table([d.Stream(1, 96, 7, 3, 5), window])
    assert rows[0, [OPCODE, column(d.Stream, "address"), column(d.Stream, "beats")]].tolist() == [0x12, 96, 7]
    at = column(d.Window, "x_columns")
    assert rows[1, [OPCODE, LOADS, at, at + 1]].tolist() == [d.Window.opcode, 4, *window.x_columns]
