# SPDX-License-Identifier: Apache-2.0
"""Commands of the engines to the grid: packed vectors on the ports map_cmd and drain_cmd, one field behind the other.

Their fields are those of a descriptor. `make generate` writes where they lie into rtl/pe_array/descriptors.vh.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from models.pe_array.isa.bits import Bits
from models.pe_array.isa.descriptors import Descriptor, Drain, Map, layout


@dataclass(frozen=True)
class CommandLayout:
    """Where the fields of a command lie.

    Attributes:
        name: of its port; in capitals before the names of the macros.
        kind: the descriptor whose fields it has.
        order: names of the fields, from the lowest bit on.
        narrow: bits of fields that have fewer than in the descriptor: the grid knows no more slots and words of Y.
    """

    name: str
    kind: type[Descriptor]
    order: tuple[str, ...]
    narrow: Mapping[str, int]

    @property
    def fields(self) -> dict[str, Bits]:
        """Name and bits of the fields, from the lowest bit on."""
        bits = {name: each for name, each, _ in layout(self.kind.opcode)}
        return dict(self._placed(bits))

    def _placed(self, bits: Mapping[str, Bits]) -> Iterator[tuple[str, Bits]]:
        low = 0
        for name in self.order:
            width = self.narrow.get(name, bits[name].width)
            yield name, Bits(low, width, doc=bits[name].doc)
            low += width

    @property
    def width(self) -> int:
        """Bits of the command."""
        return sum(bits.width for bits in self.fields.values())

    def pack(self, values: Mapping[str, int]) -> int:
        """The command with these values in its fields; bits that a field does not have are lost."""
        return sum((int(values[name]) & (1 << bits.width) - 1) << bits.low for name, bits in self.fields.items())

    def unpack(self, command: int) -> dict[str, int]:
        """The values of the fields of a command."""
        return {name: command >> bits.low & (1 << bits.width) - 1 for name, bits in self.fields.items()}


MAP_COMMAND = CommandLayout(
    "map_cmd", Map, ("shift", "base", "slot", "all", "y", "width", "rows", "row", "channels"), {"slot": 6}
)
"""Load of a map: rtl/pe_array/load/map_raster.v."""
DRAIN_COMMAND = CommandLayout(
    "drain_cmd", Drain,
    ("slots", "channels", "channels_last", "height", "width", "tile_height", "tile_width", "sy_log2", "sx_log2",
     "ybase", "ystride", "windows"),
    {"ybase": 10, "ystride": 10},
)  # fmt: skip
"""Drain of a region: rtl/pe_array/store/tile_drain.v."""
COMMANDS = (MAP_COMMAND, DRAIN_COMMAND)
