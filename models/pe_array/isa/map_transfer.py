# SPDX-License-Identifier: Apache-2.0
"""Feature maps into and out of the PE grid (docs/pe_array/map_load.md, drain.md): what goes where.

Straight from the definitions, with divisions; the clocks are in ``clocks.load.map_load`` and ``clocks.tile_drain``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.isa.region import Region

CHANNELS_MAX = 4096
"""Channels of a map load."""
COUNT_MAX = (1 << 12) - 1
"""Largest number of rows, columns, and channels per slot of a drain; rows and columns are 0 … COUNT_MAX-1."""
ADDRESSES = 1 << 12
"""Load addresses are modulo this."""

Write = tuple[int, int]
"""Address and number of the beat that is written there."""


@dataclass(frozen=True)
class PeWindows:
    """What one PE takes of maps loaded to X and to Y, and its slot."""

    x: Region
    y: Region
    slot: int


@dataclass(frozen=True)
class LoadCommand:
    """A map load: channels of a region that has full rows, as its beats come from memory.

    Attributes:
        channels: 1 … CHANNELS_MAX.
        row, rows, width: first row and number of rows in the map, number of columns.
        base: first address in the memory of every PE, modulo ADDRESSES.
        to_y: to Y instead of X.
        slot: the only slot that takes the map; None: all do.
        shift: left shift of a byte that goes to Y, 0 … 15.
    """

    channels: int
    row: int
    rows: int
    width: int
    base: int = 0
    to_y: bool = False
    slot: int | None = None
    shift: int = 0

    @property
    def beats(self) -> int:
        """Pixel words of the command."""
        return self.channels * self.rows * self.width

    def legal(self, pes: int) -> bool:
        """Whether the hardware with so many PEs takes the command; otherwise it reports an error and no beat moves."""
        return (
            1 <= self.channels <= CHANNELS_MAX
            and min(self.rows, self.width) >= 1
            and self.row + self.rows <= COUNT_MAX
            and (self.slot is None or self.slot < pes)
        )

    def positions(self) -> list[tuple[int, int]]:
        """(row, column) in the map of every beat."""
        rows = range(self.row, self.row + self.rows)
        return [(y, x) for _, y, x in product(range(self.channels), rows, range(self.width))]


def load_writes(command: LoadCommand, windows: Sequence[PeWindows]) -> list[list[Write]]:
    """Per PE: what is written, in order.

    Raises:
        ValueError: the command is illegal for so many PEs.
    """
    if not command.legal(len(windows)):
        raise ValueError(f"{command} is illegal for {len(windows)} PEs")
    positions = command.positions()
    writes: list[list[Write]] = []
    for pe in windows:
        region = pe.y if command.to_y else pe.x
        taken = [n for n, (y, x) in enumerate(positions) if inside(region, y, x)]
        if command.slot is not None and command.slot != pe.slot:
            taken = []
        writes.append([((command.base + n) % ADDRESSES, beat) for n, beat in enumerate(taken)])
    return writes


def inside(region: Region, y: int, x: int) -> bool:
    """Whether a pixel belongs to a region."""
    return region.y <= y < region.y + region.height and region.x <= x < region.x + region.width


@dataclass(frozen=True)
class DrainCommand:
    """A region of the accumulators, in map order; fields as in the contract.

    Attributes:
        slots: slots that are read, from slot 0 on.
        channels, channels_last: channels of a slot, and of the last of these slots.
        height, width: rows and columns of the region.
        tile_height, tile_width: of a tile.
        sy_log2, sx_log2: tiles per column and per row.
        ybase, ystride: first word of Y, words per channel.
    """

    slots: int
    channels: int
    channels_last: int
    height: int
    width: int
    tile_height: int
    tile_width: int
    sy_log2: int = 0
    sx_log2: int = 0
    ybase: int = 0
    ystride: int = 0
    windows: bool = False

    @property
    def tiles(self) -> int:
        """PEs of a slot."""
        return 1 << (self.sy_log2 + self.sx_log2)

    @property
    def _tile(self) -> list[int]:
        """Sides of a tile that windows must fit in: where one is 1, windows lie in two tiles."""
        return [side for side in (self.tile_height, self.tile_width) if side != 1]

    @property
    def maps(self) -> int:
        """Channels of all slots."""
        return (self.slots - 1) * self.channels + self.channels_last

    @property
    def words(self) -> int:
        """Words that a legal command delivers."""
        return self.maps * self.height * self.width

    def legal(self, pes: int) -> bool:
        """Whether the hardware with so many PEs takes the command; otherwise it reports an error and reads nothing."""
        counts = (
            self.slots, self.channels, self.channels_last, self.height, self.width, self.tile_height, self.tile_width,
        )  # fmt: skip
        return (
            min(counts) >= 1
            and self.slots * self.tiles <= pes
            and self.tile_height << self.sy_log2 >= self.height
            and self.tile_width << self.sx_log2 >= self.width
            and not (self.windows and any(side % 2 for side in (self.height, self.width, *self._tile)))
        )


def drain_reads(command: DrainCommand, pes: int, y_depth: int) -> tuple[IntArray, IntArray]:
    """(PEs, addresses) of the reads, in order, int64.

    Raises:
        ValueError: the command is illegal for so many PEs.
    """
    if not command.legal(pes):
        raise ValueError(f"{command} is illegal for {pes} PEs")
    y, x = np.indices((command.height, command.width))
    if command.windows:
        y, x = (axis.reshape(command.height // 2, 2, -1, 2).swapaxes(1, 2) for axis in (y, x))
    y, x = y.reshape(-1), x.reshape(-1)
    tile = (y // command.tile_height << command.sx_log2) + x // command.tile_width
    pixel = y % command.tile_height * command.tile_width + x % command.tile_width
    units: list[IntArray] = []
    addresses: list[IntArray] = []
    for slot in range(command.slots):
        for c in range(command.channels if slot < command.slots - 1 else command.channels_last):
            units.append(slot * command.tiles + tile)
            addresses.append((command.ybase + c * command.ystride + pixel) % y_depth)
    return np.concatenate(units), np.concatenate(addresses)
