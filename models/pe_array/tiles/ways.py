# SPDX-License-Identifier: Apache-2.0
"""Ways to cut a phase of a layer with weights into slots, tiles and strips, and about the clocks of each.

A way is a split of the PEs and the size of a strip. What a way costs follows from sums along the two axes of the map,
so that all ways of a phase are weighed at once, for any size of blocks, before a program of one of them is made. The
sizes of blocks are chosen with it (``network.fitting``), and the ways whose programs are worth making
(``compiler.program``).
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.pe_command import TAPS_MAX, Op
from models.pe_array.isa.shapes import Pair
from models.pe_array.isa.widths import POOL_BEATS
from models.pe_array.tiles.tiling import PhaseGeometry, Split, line_sizes

Floats = npt.NDArray[np.float64]

STREAMS = 8
"""Clocks to fetch and load two short streams, measured. A wide port brings them in less, but what a stream takes beside
its beats is most of it: blocks that are chosen for two words per clock made the largest dense layer of VGG16 slower."""
WINDOWS, ANSWER = 5, 60
"""Clocks of a PE's windows; clocks from an operation of memory to its first beat, or to its answer."""
COLLECT, BEGIN = 12, 20
"""Clocks of a slot of a collect beside those of its gradients; clocks between two collects."""
UPDATE_BYTES = 8
"""That an update of its own reads for a weight: master and gradient."""
UNEVEN = 0.65
"""Elements that the fullest slot of a round has beyond the mean, for every doubling of the slots: measured behind the
balance, which leaves as much in small blocks as in large ones. Very small ones have no more than chance gives them, and
dense ones nothing."""
COMMAND = 10
"""Clocks of a command beside those of its entries."""
CHANNEL, RUN = 24, 8
"""About the clocks that it takes more to load a channel by itself, with those of its descriptor and of the engines that
wait, and clocks of a row of it, at least."""
WIDTHS, LIKE = 8, 3
"""Widths of strips that are weighed; strips of a split that are ranked, so that those ranked are not all alike."""
LEAST_SHARE = 0.1
"""What the shorter of work and loads adds to the longer one: they are not even from strip to strip."""


@dataclass(frozen=True)
class Axis:
    """Along an axis, strips of so many lines, each shared by so many tiles.

    Attributes:
        strips: how many.
        tile: lines of a tile.
        entries, longest: taps of the fullest tile, summed over all strips; of the fullest strip.
        window: most lines that a tile sees of the map in X.
        lines: of the map in X that strips load, all together.
    """

    strips: int
    tile: int
    entries: int
    longest: int
    window: int
    lines: int


@dataclass(frozen=True)
class Ways:
    """All ways of a phase, an array of each of the following with one number per way.

    Attributes:
        sy, sx: tiles of a slot, down and across.
        rows, cols: of a strip.
        high, wide: of a tile.
        strips: how many.
        entries, longest: of the fullest tile, summed over the strips; of the fullest strip.
        window: words of a channel that a tile sees in X.
        x, y: words of a channel that all strips load, of the map in X and of the one in Y.
    """

    sy: IntArray
    sx: IntArray
    rows: IntArray
    cols: IntArray
    high: IntArray
    wide: IntArray
    strips: IntArray
    entries: IntArray
    longest: IntArray
    window: IntArray
    x: IntArray
    y: IntArray

    def split(self, way: int, pes: int) -> Split:
        """The split of a way."""
        sy, sx = int(self.sy[way]), int(self.sx[way])
        return Split(pes // (sy * sx), sy, sx)


@dataclass(frozen=True)
class Blocks:
    """A matrix, as far as clocks depend on it.

    Attributes:
        shape: rows and columns of it.
        size: rows and columns of a block.
        elements: that are stored; taps: weights of each.
        full: blocks that have any; None: all.
    """

    shape: Pair
    size: Pair
    elements: int
    taps: int
    full: int | None = None

    @property
    def grid(self) -> Pair:
        """Blocks down and across."""
        rows, cols = (-(-n // each) for n, each in zip(self.shape, self.size, strict=True))
        return rows, cols


def part_clocks(rows: int, columns: int) -> int:
    """About the clocks to load some columns of rows of a channel, by itself."""
    return CHANNEL + rows * max(RUN, columns)


def worth_parts(rows: int, columns: int, width: int) -> bool:
    """Whether it takes less time to load some columns of rows, channel by channel, than rows of that width."""
    return part_clocks(rows, columns) < rows * width


@functools.lru_cache(maxsize=65536)
def along(phase: PhaseGeometry, axis: int, lines: int, tiles: int) -> Axis:
    """Strips of so many lines of the map that tiles are cut from, each shared by so many tiles."""
    size, source = phase.size[axis], phase.input_size[axis]
    firsts = np.arange(0, size, lines)
    counts = np.minimum(lines, size - firsts)
    tile = -(-counts // tiles)  # of every strip: the last one may be smaller
    added = np.concatenate([[0], np.cumsum(_taps(phase, axis))])
    begins = np.minimum(np.arange(tiles) * tile[:, np.newaxis], counts[:, np.newaxis]) + firsts[:, np.newaxis]
    ends = np.minimum(begins + tile[:, np.newaxis], (firsts + counts)[:, np.newaxis])
    longest = (added[ends] - added[begins]).max(axis=1)
    low, high = _seen(phase, axis, begins, ends)
    window = int(np.where(ends > begins, np.clip(high, 0, source) - np.clip(low, 0, source), 0).max())
    low, high = _seen(phase, axis, firsts, firsts + counts)
    loaded = np.clip(high, 0, source) - np.clip(low, 0, source)
    return Axis(len(firsts), int(tile[0]), int(longest.sum()), int(longest.max()), window, int(loaded.sum()))


@functools.lru_cache(maxsize=1024)
def _taps(phase: PhaseGeometry, axis: int) -> IntArray:
    """Entries along an axis for every line: taps that see the map."""
    return np.array([phase.taps(axis, line, 1) for line in range(phase.size[axis])])


def _seen(phase: PhaseGeometry, axis: int, first: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
    """First and last + 1 line of the map in X that lines see, where it has them."""
    window = phase.window
    stride, pad = window.stride[axis], window.pad[axis]
    span = window.dilation[axis] * (window.kernel[axis] - 1) + 1
    if phase.backward:
        return -((span - 1 - pad - first) // stride), (end - 1 + pad) // stride + 1
    return first * stride - pad, (end - 1) * stride - pad + span


@functools.lru_cache(maxsize=1024)
def ways_of(phase: PhaseGeometry, pes: int) -> Ways:
    """The ways of a phase on so many PEs."""
    powers = [1 << n for n in range(pes.bit_length())]
    high, wide = ([n for n in line_sizes(lines) if not (phase.windows and (n | lines) % 2)] for lines in phase.size)
    if phase.spread:
        wide = [n for n in wide if n <= POOL_BEATS]
    wide = wide[:WIDTHS]
    down = [(sy, rows, along(phase, 0, rows, sy)) for sy in powers for rows in high]
    across = [(sx, cols, along(phase, 1, cols, sx)) for sx in powers for cols in wide]
    made = []
    for sy, rows, y in down:
        for sx, cols, x in across:
            if sy * sx > pes or (phase.windows and (y.tile % 2 * (y.tile > 1) or x.tile % 2 * (x.tile > 1))):
                continue
            loaded = [
                min(
                    lines * width * x.strips,
                    CHANNEL * y.strips * x.strips + lines * max(columns, RUN * x.strips),
                )
                for lines, columns, width in (
                    (y.lines, x.lines, phase.input_size[1]), (phase.size[0], phase.size[1], phase.size[1])
                )
            ]  # fmt: skip
            made.append((
                sy, sx, rows, cols, y.tile, x.tile, y.strips * x.strips, y.entries * x.entries,
                y.longest * x.longest, y.window * x.window, *loaded,
            ))  # fmt: skip
    return Ways(*np.array(made, dtype=np.int64).reshape(-1, len(fields(Ways))).T)


def clocks(phase: PhaseGeometry, grid: Grid, ways: Ways, blocks: Blocks, masked: bool = False) -> Floats:
    """About the clocks of every way, infinite where it does not fit in the PEs.

    Args:
        masked: what is drained needs a map beside.
    """
    shape, lanes = grid.shape, grid.shape.lanes
    (outs, ins), (r, c) = blocks.grid, (min(a, b) for a, b in zip(blocks.size, blocks.shape, strict=True))
    channels_out, channels_in = blocks.shape
    if phase.backward:
        outs, ins, r, c, channels_out, channels_in = ins, outs, c, r, channels_in, channels_out
    full = outs * ins if blocks.full is None else blocks.full
    share = full / (outs * ins)
    count = blocks.elements / max(1, full)
    area = ways.high * ways.wide
    fits = (area * r <= shape.y_depth // 2) & (ways.window * c <= shape.x_depth // 2)
    fits &= ways.longest <= min(shape.t_depth * lanes // 4, TAPS_MAX)
    slots = grid.pes // (ways.sy * ways.sx)
    swap = 2 * ways.longest > shape.t_depth * lanes // 4  # lists fill T: strips wait for each other
    startup = ways.strips * (WINDOWS * grid.pes + ANSWER + (ANSWER + ways.longest * 4 // lanes) * swap)
    filled = blocks.elements / max(1, full * r * c)  # share of the elements that there could be
    uneven = UNEVEN * min(1, np.sqrt(count) / 2) * np.sqrt(max(0, 1 - filled))
    fetched = 2 if phase.op == Op.MAC else 1
    stream = -(-count * 2 // lanes) + (-(-count * blocks.taps // lanes) if phase.op == Op.MAC else 0)
    streams = ways.strips * full * max(STREAMS * fetched / 2, fetched + stream)

    def brought(words: IntArray, of_pe: IntArray) -> IntArray | Floats:
        """Clocks for words of a channel: a PE takes one in a clock."""
        return words if grid.wide == 1 else np.maximum(words / grid.wide, ways.strips * of_pe)

    x, y = brought(ways.x, ways.window), brought(ways.y, area)

    def fullest(used: IntArray) -> Floats:
        most: Floats = count + uneven * np.log2(used)
        return most

    def longer(work: Floats, port: Floats) -> Floats:
        both: Floats = np.maximum(work, port) + LEAST_SHARE * np.minimum(work, port)
        return both

    if phase.op == Op.MAC:
        used = np.minimum(slots, outs)
        groups = -(-outs // slots)
        sets = np.minimum(used, 1 + 2 * np.sqrt(count))
        clear = groups * r * area * ways.strips
        together = groups * ins * (fullest(used) * ways.entries + COMMAND * ways.strips)
        alone = groups * -(-full // outs) * (fullest(used) * ways.entries + COMMAND * ways.strips)
        loads = channels_in * x * (groups if ins > 2 else 1)
        beside = streams + ways.strips * (groups * ins * (1 + sets)) + startup
        drained = channels_out * phase.size[0] * phase.size[1] * (4 if phase.spread else 1)
        stored = drained + ways.strips * groups * ANSWER
        beside = beside + (channels_out * phase.size[0] * phase.size[1] / grid.wide if masked else 0)
        found = longer(np.maximum(together + clear, stored), loads + beside)
        if share < 1:
            found = np.minimum(found, longer(np.maximum(alone + clear, stored), full * c * x + beside))
        ends = c * x // ways.strips + used * r * area * (ways.sy * ways.sx)
        return np.where(fits, found + ends, np.inf).astype(np.float64)
    best = np.full(len(area), np.inf)
    gradients = count * blocks.taps * 4 / grid.beat
    add = ways.strips > 1
    collected = ways.strips * full * (COLLECT + gradients) + ANSWER * add * ways.strips * full / np.maximum(1, slots)
    moved = full * gradients * np.where(add, ways.strips - 1, 1)  # old gradients; or masters
    for mine, other, mine_words, other_words, held in (
        (outs, ins, channels_out * y, channels_in * x, ins <= 2),
        (ins, outs, channels_in * x, channels_out * y, outs <= 2),
    ):
        turns, used = -(-mine // slots), np.minimum(slots, mine)
        rounds = turns * other * share if share < 1 else turns * other
        work = rounds * (fullest(used) * ways.entries + COMMAND * ways.strips)
        stores = collected + ways.strips * rounds * BEGIN
        loads = mine_words + other_words * (1 if held else turns)
        port = loads + streams + ways.strips * rounds * 3 + startup + moved
        best = np.minimum(best, longer(np.maximum(work, stores), port))
    update = add * full * count * blocks.taps * UPDATE_BYTES / grid.beat
    found = best + (c * x + r * y) // ways.strips + update
    return np.where(fits, found, np.inf).astype(np.float64)


def ranked(phase: PhaseGeometry, grid: Grid, blocks: Blocks, split: Split | None = None) -> list[tuple[Split, Pair]]:
    """Splits, and rows and columns of a strip, that fit in the PEs, by their clocks, the fewest first.

    Args:
        split: the only one.
    """
    ways = ways_of(phase, grid.pes)
    found = clocks(phase, grid, ways, blocks, masked=phase.backward)
    if split is not None:
        same = (ways.sy == split.sy) & (ways.sx == split.sx) & (split.slots * split.tiles == grid.pes)
        found = np.where(same, found, np.inf)
    chosen: list[tuple[Split, Pair]] = []
    known: set[tuple[float, Pair, int]] = set()  # ways that are the same in all of that are mirror images
    of_split: Counter[Split] = Counter()
    for way in np.lexsort((ways.entries, found))[: int(np.isfinite(found).sum())].tolist():
        cut = ways.split(way, grid.pes)
        key = float(found[way]), (min(cut.sy, cut.sx), max(cut.sy, cut.sx)), int(ways.entries[way])
        if key not in known and of_split[cut] < LIKE:
            known.add(key)
            of_split[cut] += 1
            chosen.append((cut, (int(ways.rows[way]), int(ways.cols[way]))))
    return chosen
