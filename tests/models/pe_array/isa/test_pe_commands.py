# SPDX-License-Identifier: Apache-2.0
"""Packed commands: fields one behind the other, without a gap, and back again."""

from __future__ import annotations

import random

import pytest

from models.pe_array.isa.commands import COMMANDS, DRAIN_COMMAND, MAP_COMMAND, CommandLayout


@pytest.mark.parametrize("layout", COMMANDS, ids=lambda layout: layout.name)
def test_fields_fill_the_command(layout: CommandLayout) -> None:
    places = [bits for _, bits in layout.fields.items()]
    assert [bits.low for bits in places] == [sum(bits.width for bits in places[:n]) for n in range(len(places))]
    assert sum(bits.width for bits in places) == layout.width
    word = random.Random(1).getrandbits(layout.width)
    assert layout.pack(layout.unpack(word)) == word


def test_a_field_that_is_too_wide_loses_its_upper_bits() -> None:
    fields = dict.fromkeys(DRAIN_COMMAND.order, 0) | {"ybase": 0xFFF}
    assert DRAIN_COMMAND.unpack(DRAIN_COMMAND.pack(fields)) == fields | {"ybase": 0x3FF}
    assert MAP_COMMAND.pack(dict.fromkeys(MAP_COMMAND.order, -1)) == (1 << MAP_COMMAND.width) - 1
