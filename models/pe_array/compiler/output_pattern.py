# SPDX-License-Identifier: Apache-2.0
"""Where maps lie in memory, and the runs of beats in which drains write them."""

from __future__ import annotations

from dataclasses import dataclass

from models.pe_array.compiler.folding import RUN_BEATS, fold
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.operations import DrainMap, Program
from models.pe_array.isa.shapes import Pads, Pair
from models.pe_array.isa.widths import POOL_BEATS
from models.pe_array.network.requantise import AccumulatorField

OUTPUT_RUNS = 1 << 12


@dataclass(frozen=True)
class MapAt:
    """A feature map in memory.

    Attributes:
        address: of the first byte of its first channel, halo included.
        channels, height, width: of the map, in pixel words.
        halo: rows and columns of memory around it, in every channel: top, left, bottom, right.
    """

    address: int
    channels: int
    height: int
    width: int
    halo: Pads = (0, 0, 0, 0)

    @property
    def pitch(self) -> int:
        """Words from row to row."""
        return self.width + self.halo[1] + self.halo[3]

    @property
    def plane(self) -> int:
        """Words from channel to channel."""
        return (self.height + self.halo[0] + self.halo[2]) * self.pitch

    def word(self, channel: int, y: int, x: int) -> int:
        """Place of a pixel, in words from the address on."""
        return channel * self.plane + (y + self.halo[0]) * self.pitch + x + self.halo[1]


@dataclass(frozen=True)
class OutputAt:
    """What becomes of the accumulators of a drain.

    Attributes:
        map: where the words go; of the size of the program's ``out``.
        shift, stochastic, relu: settings of requantise.
        field: SUM; VALUE and INDEX of max pooling.
        mask: address, as that of ``map``, of a map of the same size and halo that masks them, or is added, or None.
        use_mask: it masks them.
        scales: what the drain scales with, but for the address of the records.
        records: address of those of the channels of the map, or None where there are none.
        places: address of a map of places, of the size of the pooled map, that drains leave beside it or spread by.
        limited: places count what reaches the scales' ``high`` as stopped.
    """

    map: MapAt
    shift: int = 0
    field: AccumulatorField = AccumulatorField.SUM
    stochastic: bool = False
    relu: bool = False
    mask: int | None = None
    use_mask: bool = True
    scales: d.Scales | None = None
    records: int | None = None
    places: int | None = None
    limited: bool = False


def made_size(program: Program) -> tuple[int, int, int]:
    """(channels, height, width) of the map that a program's drains write."""
    channels, height, width = program.out
    drains = [each for each in program.stores() if isinstance(each, DrainMap)]
    if any(each.spread for each in drains):
        return channels, 2 * height, 2 * width
    return (channels, height // 2, width // 2) if any(each.command.windows for each in drains) else program.out


def drain_pattern(
    drain: DrainMap, output: OutputAt, out: tuple[int, int, int], lanes: int
) -> tuple[tuple[int, list[Pair]], int, int]:
    """Runs of a drain, its first byte in the output's map, and the address of its mask.

    Args:
        out: (channels, height, width) of the accumulators' map.

    Raises:
        ValueError: there is no map of places, or a region needs more runs than a descriptor has.
    """
    command, map_at, limits = drain.command, output.map, [OUTPUT_RUNS, OUTPUT_RUNS]
    if drain.spread:  # in rows of the pooled map
        small, places = MapAt(0, *out), output.places
        if places is None:
            raise ValueError("places need those of the largest pixels")
        levels = [(command.height, small.pitch), (command.maps, small.plane)]
        first = map_at.word(drain.channel, 2 * drain.y, 2 * drain.x) * lanes
        mask = places + small.word(drain.channel, drain.y, drain.x) * lanes
        return fold(command.width, levels, limits, rows=True), first, mask
    sides = 1 + command.windows
    levels = [(command.height // sides, map_at.pitch), (command.maps, map_at.plane)]
    first = map_at.word(drain.channel, drain.y // sides, drain.x // sides) * lanes
    most = RUN_BEATS if output.places is None else POOL_BEATS
    return fold(command.width // sides, levels, limits, most), first, (output.places or output.mask or 0) + first
