# SPDX-License-Identifier: Apache-2.0
"""Split of a layer's phase over the grid: tiles of equal size, and strips where a map does not fit in one pass.

A drain reads tiles of equal size, the last ones ragged, in rasters of that size. Tap lists of ``geometry`` are made for
a tile's own raster; here they are changed to the common one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from models.pe_array.isa.pe_command import LAST_BIT, TAPS_MAX, YOFF_BITS, YOFF_LOW, Op, Tap, pack_taps
from models.pe_array.isa.region import Region
from models.pe_array.isa.shapes import Pair, Pool, SlidingWindow
from models.pe_array.isa.widths import POOL_BEATS
from models.pe_array.tiles import geometry
from models.pe_array.tiles.geometry import TilePlan

EMPTY = Region(0, 0, 0, 0)


@dataclass(frozen=True)
class Split:
    """Slots by tiles: PE ``(slot*sy + row of tiles)*sx + column of tiles``.

    Raises:
        ValueError: a number is not a power of two.
    """

    slots: int
    sy: int
    sx: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("slots", "sy", "sx"):
            value = getattr(self, name)
            if value < 1 or value & (value - 1):
                raise ValueError(f"{name} = {value} must be a power of two")

    @property
    def tiles(self) -> int:
        """PEs of a slot, S."""
        return self.sy * self.sx

    def mask(self, slot: int) -> int:
        """PEs of a slot, one bit each."""
        return ((1 << self.tiles) - 1) << slot * self.tiles

    @classmethod
    def all_of(cls, pes: int) -> Iterator[Split]:
        """Every split of so many PEs."""
        powers = [1 << n for n in range(pes.bit_length())]
        for sy in powers:
            for sx in powers:
                if sy * sx <= pes:
                    yield cls(pes // (sy * sx), sy, sx)


@dataclass(frozen=True)
class PhaseGeometry:
    """Geometry of a phase: which plan a tile gets, and how large the map is that tiles are cut from.

    Attributes:
        op: MAC, GRAD, MAX or UNPOOL.
        window: kernel or pooling window.
        height, width: of the layer's input map.
        backward: tiles are those of the input map (NG, UNPOOL, average pooling backward).
        one_weight: average pooling.
        preset: MAC: the accumulators begin with a map of their size, shifted left by so many bits; None: with 0. A load
            puts the words of a tile behind each other: all tiles must be full ones.
        windows: what is made is pooled as it is drained: tiles consist of windows of 2 x 2 pixels.
        spread: what is made is spread to a map of twice the sides as it is drained.
    """

    op: Op
    window: SlidingWindow
    height: int
    width: int
    backward: bool = False
    one_weight: bool = False
    preset: int | None = None
    windows: bool = False
    spread: bool = False

    @property
    def size(self) -> Pair:
        """(height, width) of the map that tiles are cut from."""
        return (self.height, self.width) if self.backward else self.window.out_size(self.height, self.width)

    @property
    def input_size(self) -> Pair:
        """(height, width) of the map that X holds windows of."""
        return self.window.out_size(self.height, self.width) if self.backward else (self.height, self.width)

    @property
    def operands(self) -> bool:
        """Whether a map is loaded to Y."""
        return self.op in (Op.GRAD, Op.UNPOOL) or self.preset is not None

    @property
    def operand_size(self) -> Pair:
        """(height, width) of the map that is loaded to Y: the layer's output, MAC: what tiles are cut from."""
        return self.size if self.op == Op.MAC else self._outputs

    @property
    def _outputs(self) -> Pair:
        return self.window.out_size(self.height, self.width)

    @functools.lru_cache(maxsize=65536)  # noqa: B019 - a layer is a few numbers
    def plan(self, tile: Region) -> TilePlan:
        """Plan of a tile, see ``geometry``. ValueError where it does not fit in a command."""
        if isinstance(self.window, Pool) and any(self.window.pad):
            return _plan(self, tile)  # a smaller map could have windows of nothing but padding
        # the same tile of the smallest map on which it sees as much: tiles away from the borders share one plan
        (y, height), (x, width) = (self._nearest(axis, tile) for axis in (0, 1))
        made = _plan(replace(self, height=height, width=width), Region(y, x, tile.height, tile.width))
        window = self._moved(made.window, tile.y - y, tile.x - x)
        return replace(made, tile=tile, window=window, operand=window if self.op == Op.UNPOOL else tile)

    def unlike(self, axis: int) -> list[int]:
        """Lines of the map along an axis, one of each kind: a pixel on any other line has the plan of one on these."""
        lines = range(self.size[axis])
        if isinstance(self.window, Pool) and any(self.window.pad):
            return list(lines)
        return list({self._nearest(axis, Region(n, n, 1, 1)): n for n in lines}.values())

    @functools.lru_cache(maxsize=65536)  # noqa: B019 - a layer is a few numbers
    def taps(self, axis: int, first: int, lines: int) -> int:
        """Pairs of a line of a tile and a tap on the map, along an axis: of both axes multiplied, entries of a tile."""
        kernel = self.window
        stride, before, tap = kernel.stride[axis], kernel.pad[axis], np.arange(kernel.kernel[axis])
        line = np.arange(first, first + lines)[:, np.newaxis]
        if not self.backward:
            seen = line * stride - before + tap * kernel.dilation[axis]
            return int(((seen >= 0) & (seen < (self.height, self.width)[axis])).sum())
        touched, rest = np.divmod(line + before - tap * kernel.dilation[axis], stride)
        return int(((rest == 0) & (touched >= 0) & (touched < self._outputs[axis])).sum())

    def _nearest(self, axis: int, tile: Region) -> Pair:
        """First line of a tile, and lines of the input map, as near to the borders as nothing of its plan changes."""
        kernel, first, lines = self.window, (tile.y, tile.x)[axis], (tile.height, tile.width)[axis]
        stride, before, after = kernel.stride[axis], kernel.pad[axis], kernel.pad[axis + 2]
        span, size = kernel.dilation[axis] * (kernel.kernel[axis] - 1) + 1, (self.height, self.width)[axis]
        if self.backward:
            moved = min(max(0, first - max(0, span - 1 - before)) // stride, self._outputs[axis] - 1)
            first -= moved * stride
            last = (first + lines - 1 + before) // stride
            needed = max(first + lines, last * stride - before - after + span)
        else:
            moved = min(max(0, first - -(-before // stride)), (size - 1) // stride)
            first -= moved
            needed = max(1, (first + lines - 1) * stride - before + span)
        return first, min(size - moved * stride, needed)

    def _moved(self, window: Region, down: int, right: int) -> Region:
        """The window of a tile that is moved: of the input (FF, WG) or of the output's gradient."""
        if not window.pixels:
            return window
        high, wide = self.window.stride
        if self.backward:
            return replace(window, y=window.y + down // high, x=window.x + right // wide)
        return replace(window, y=window.y + down * high, x=window.x + right * wide)


@functools.lru_cache(maxsize=4096)
def _plan(layer: PhaseGeometry, tile: Region) -> TilePlan:
    kernel, height, width = layer.window, layer.height, layer.width
    if layer.op == Op.MAC:
        make = geometry.input_gradient if layer.backward else geometry.forward
        return make(kernel, height, width, tile, layer.one_weight)
    if layer.op == Op.GRAD:
        return geometry.weight_gradient(kernel, height, width, tile)
    return (geometry.max_unpool if layer.op == Op.UNPOOL else geometry.max_pool)(kernel, height, width, tile)


@dataclass(frozen=True)
class Strip:
    """A part of the map that is worked on in one go.

    Attributes:
        region: of the map that tiles are cut from.
        tile_height, tile_width: of a full tile.
        plans: of every tile; None where the raster of tiles leaves nothing.
    """

    region: Region
    tile_height: int
    tile_width: int
    plans: tuple[TilePlan | None, ...]

    @property
    def raster(self) -> int:
        """Words of a full tile."""
        return self.tile_height * self.tile_width

    @functools.cached_property
    def entries(self) -> int:
        """Entries of the longest tap list: clocks of an element."""
        return max(len(plan.entries) for plan in self.plans if plan is not None)

    @functools.cached_property
    def busy(self) -> int:
        """Tiles that have a plan, one bit each."""
        return sum(1 << n for n, plan in enumerate(self.plans) if plan is not None)

    @functools.cached_property
    def rows(self) -> tuple[Pair, Pair]:
        """First row, and number of rows, of what the tiles need of the maps in X and in Y; no rows where nothing."""
        plans = [plan for plan in self.plans if plan is not None]
        return _hull([plan.window for plan in plans], 0), _hull([plan.operand for plan in plans], 0)

    @functools.cached_property
    def columns(self) -> tuple[Pair, Pair]:
        """The same of the columns."""
        plans = [plan for plan in self.plans if plan is not None]
        return _hull([plan.window for plan in plans], 1), _hull([plan.operand for plan in plans], 1)


@dataclass(frozen=True)
class Room:
    """What a tile must fit in: words of X and Y, entries of T, and the channels that X and Y hold of it."""

    x: int
    y: int
    entries: int
    channels_in: int
    channels_out: int


def strip_of(layer: PhaseGeometry, split: Split, region: Region, room: Room) -> Strip:
    """The tiles of a region. ValueError where one does not fit."""
    high, wide = -(-region.height // split.sy), -(-region.width // split.sx)
    if layer.op in (Op.MAC, Op.MAX) and high * wide * room.channels_out > room.y:
        raise ValueError(f"{room.channels_out} channels of {high} x {wide} accumulators do not fit in {room.y} words")
    if layer.windows and any(n % 2 for n in (region.y, region.x, region.height, region.width, *({high, wide} - {1}))):
        raise ValueError(f"tiles of {high} x {wide} pixels cut windows of 2 x 2")
    if layer.spread and region.width > POOL_BEATS:
        raise ValueError(f"a row of {region.width} pixels cannot be spread, only {POOL_BEATS}")
    plans: list[TilePlan | None] = []
    for n in range(split.tiles):
        y, x = n // split.sx * high, n % split.sx * wide
        tile = Region(
            region.y + y, region.x + x, min(high, region.height - y), min(wide, region.width - x)
        )  # fmt: skip
        if min(tile.height, tile.width) < 1:
            plans.append(_nothing(layer, region) if layer.op == Op.GRAD else None)
            continue
        if layer.preset is not None and (tile.height, tile.width) != (high, wide):
            size = f"{region.height} x {region.width}"
            raise ValueError(f"not all tiles of a region of {size} are {high} x {wide}: accumulators cannot be preset")
        taps = layer.taps(0, tile.y, tile.height) * layer.taps(1, tile.x, tile.width)
        if taps > min(room.entries, TAPS_MAX):  # known without the plan, which takes long where it is large
            raise ValueError(f"{taps} tap entries, there are {min(room.entries, TAPS_MAX)}")
        plan = in_raster(layer.plan(tile), high, wide)
        _fits(plan, high * wide, room)
        plans.append(plan)
    return Strip(region, high, wide, tuple(plans))


def strips_of(layer: PhaseGeometry, split: Split, room: Room) -> list[Strip]:
    """The fewest strips of a map for which all tiles fit.

    Raises:
        ValueError: not even single pixels do.
    """
    height, width = layer.size
    choices = [(rows, cols) for rows in line_sizes(height) for cols in line_sizes(width)]
    choices.sort(key=lambda size: (-(-height // size[0]) * -(-width // size[1]), -size[1]))
    for size in choices:
        try:
            return strips_of_size(layer, split, size, room)
        except ValueError as error:
            why = error
    raise ValueError(f"a single pixel per PE does not fit: {why}")


def strips_of_size(layer: PhaseGeometry, split: Split, size: Pair, room: Room) -> list[Strip]:
    """A map cut into strips of so many rows and columns. ValueError where a tile does not fit."""
    (height, width), (rows, cols) = layer.size, size
    return [
        strip_of(layer, split, Region(y, x, min(rows, height - y), min(cols, width - x)), room)
        for y in range(0, height, rows)
        for x in range(0, width, cols)
    ]


def choose_split(layer: PhaseGeometry, pes: int, parts: int) -> list[Split]:
    """Splits of a phase, the one with the fewest pixels of the busiest PE first; of these the one with most slots.

    Others that are as good follow in turn from both ends, most slots and fewest, so that the first few are unlike.
    Loads, drains, ragged lists and uneven blocks are not in this; ``program`` estimates them for what this puts first.

    Args:
        parts: blocks, or groups of channels, that slots can work on at the same time.
    """
    height, width = layer.size

    def cost(split: Split) -> tuple[int, int, int]:
        high, wide = -(-height // split.sy), -(-width // split.sx)
        return -(-parts // split.slots) * high * wide, -split.slots, high + wide

    ordered: list[Split] = []
    for _, same in groupby(sorted(Split.all_of(pes), key=cost), key=lambda split: cost(split)[0]):
        equals = list(same)
        ordered += [equals[n // 2 if n % 2 == 0 else -(n // 2) - 1] for n in range(len(equals))]
    return ordered


def in_raster(plan: TilePlan, high: int, wide: int) -> TilePlan:
    """A plan whose results are in a raster of ``high`` x ``wide`` words, which the tile fills in part or all."""
    tile = plan.tile
    if plan.op == Op.GRAD or (tile.height, tile.width) == (high, wide):
        return plan
    if plan.op != Op.UNPOOL:
        yoff = plan.entries >> YOFF_LOW & ((1 << YOFF_BITS) - 1)
        moved = yoff // tile.width * wide + yoff % tile.width
        entries = plan.entries - (yoff << YOFF_LOW) + (moved << YOFF_LOW)
        full = Region(tile.y, tile.x, high, wide)
        return replace(plan, entries=entries.astype(np.uint32), operand=full)
    ends = np.flatnonzero(plan.entries >> LAST_BIT & 1) + 1
    lists = np.split(plan.entries, ends[:-1])
    nothing = pack_taps([Tap(last=True, null=True)])
    placed = [
        lists[y * tile.width + x] if y < tile.height and x < tile.width else nothing
        for y in range(high)
        for x in range(wide)
    ]
    return replace(plan, entries=np.concatenate(placed), results=high * wide)


def _hull(regions: Sequence[Region], axis: int) -> Pair:
    """First line along an axis of regions that have pixels, and the number of lines to the last one."""
    spans = [((each.y, each.height), (each.x, each.width))[axis] for each in regions if each.pixels]
    first = min((first for first, _ in spans), default=0)
    return first, max((start + count for start, count in spans), default=0) - first


def _nothing(layer: PhaseGeometry, region: Region) -> TilePlan:
    """WG of a tile without pixels: a gradient of 0 for every weight, so that the sum over the slot is complete."""
    taps = pack_taps([Tap(last=True, null=True)] * layer.window.taps)
    return TilePlan(Op.GRAD, False, 0, EMPTY, EMPTY, Region(region.y, region.x, 0, 0), taps, layer.window.taps)


def _fits(plan: TilePlan, raster: int, room: Room) -> None:
    in_y = {Op.MAC: raster, Op.MAX: raster, Op.GRAD: plan.ystride, Op.UNPOOL: plan.ystride + raster}[plan.op]
    for what, need, limit in (
        ("words of X", room.channels_in * plan.xstride, room.x),
        ("words of Y", room.channels_out * in_y, room.y),
        ("tap entries", len(plan.entries), min(room.entries, TAPS_MAX)),
    ):
        if need > limit:
            raise ValueError(f"{need} {what}, there are {limit}")


def line_sizes(lines: int) -> list[int]:
    """The sizes of pieces into which so many lines can be cut, largest first."""
    return sorted({-(-lines // pieces) for pieces in range(1, lines + 1)}, reverse=True)
