# SPDX-License-Identifier: Apache-2.0
"""Layer programs: with which operations PEs compute a layer's phase (docs/pe_array/layer_programs.md).

Work is cut into strips of the map, groups of output channels, and rounds. In a round every slot has at most one task: a
block of the CSB matrix, or a group of channels to pool. Slots take blocks of output channels in turn (WG: blocks of the
longer side of the matrix), so that what a slot computes is a run of channels that a drain can read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice, zip_longest

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.uncollected import uncollected
from models.pe_array.compiler.emitter import Channels, Emitter, Group, Round, Task
from models.pe_array.compiler.estimate import estimate
from models.pe_array.isa.csb import Csb, beat_offsets, to_image
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import Program
from models.pe_array.isa.pe_command import ELEMENTS_MAX, Op
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.tiles.room import room_of
from models.pe_array.tiles.tiling import PhaseGeometry, Split, Strip, choose_split, strips_of, strips_of_size
from models.pe_array.tiles.ways import UPDATE_BYTES, Blocks, ranked

CHANNELS_MAX = 256
"""Channels that a coordinate can name."""

SPLITS = 8
"""Splits of a pooling layer whose programs are made and compared."""
TRIED, DESCRIPTORS = 16, 50_000
"""Ways whose programs are made and compared, at most, and their descriptors after which there are no more."""
FINER = 3
"""Numbers of channels per group that are compared in pooling."""

Groups = Callable[[Split, Strip], list[Group]]


def forward(
    conv: Conv, csb: Csb, height: int, width: int, grid: Grid, split: Split | None = None, preset: int | None = None
) -> Program:  # fmt: skip
    """FF: accumulators (rows, OH, OW) of a map (cols, height, width).

    Args:
        split: of the grid; by default the one with the fewest clocks of those that fit.
        preset: the sums begin with a map of their size (to Y), shifted left by so many bits; None: with 0.

    Raises:
        ValueError: it does not fit, even with one pixel per PE: the blocks are too large for the memories.
    """
    return convolution(PhaseGeometry(Op.MAC, conv, height, width, preset=preset), csb, grid, split)


def input_gradient(
    conv: Conv, csb: Csb, height: int, width: int, grid: Grid, split: Split | None = None, preset: int | None = None
) -> Program:  # fmt: skip
    """NG: accumulators (cols, height, width) of the output's gradient (rows, OH, OW). See ``forward``."""
    return convolution(PhaseGeometry(Op.MAC, conv, height, width, backward=True, preset=preset), csb, grid, split)


def weight_gradient(conv: Conv, csb: Csb, height: int, width: int, grid: Grid, split: Split | None = None) -> Program:
    """WG: gradients (elements, KH*KW) of an input map (to X) and the output's gradient (to Y). See ``forward``."""
    return gradients(PhaseGeometry(Op.GRAD, conv, height, width), csb, grid, split)


def max_pool(pool: Pool, channels: int, height: int, width: int, grid: Grid, split: Split | None = None) -> Program:
    """Max pooling of a map (channels, height, width): accumulators whose bytes 0 and 1 are maximum and index."""
    return pooling(PhaseGeometry(Op.MAX, pool, height, width), grid, split, channels)


def max_unpool(pool: Pool, channels: int, height: int, width: int, grid: Grid, split: Split | None = None) -> Program:
    """Backward pass of max pooling: the output's gradient (to X) and its indices (to Y), both (channels, OH, OW)."""
    return pooling(PhaseGeometry(Op.UNPOOL, pool, height, width, backward=True), grid, split, channels)


def average_pool(
    pool: Pool, channels: int, height: int, width: int, grid: Grid, multiplier: int = 1, backward: bool = False,
    split: Split | None = None, preset: int | None = None,
) -> Program:  # fmt: skip
    """Sums of windows times ``multiplier`` (1 … 127) or, with ``backward``, of the windows of each pixel.

    ``preset`` as in ``forward``. A window of one pixel with it adds two maps.
    """
    layer = PhaseGeometry(Op.MAC, pool, height, width, backward, one_weight=True, preset=preset)
    return pooling(layer, grid, split, channels, (multiplier,))


def gradients(layer: PhaseGeometry, csb: Csb, grid: Grid, split: Split | None = None) -> Program:
    """Gradients at the elements of a matrix: WG. ValueError as in ``forward``."""
    blocks = _Blocks(csb, grid)

    def groups_by(by_rows: bool, together: bool = True) -> Groups:
        """Slots have blocks of rows of their own, or of columns; ``together``: and blocks of the other in common."""
        mine, other = (blocks.rows, blocks.cols) if by_rows else (blocks.cols, blocks.rows)

        def groups(split: Split, strip: Strip) -> list[Group]:
            rounds: list[Round] = []
            for first in range(0, mine, split.slots):
                slots = range(first, min(first + split.slots, mine))
                tasks = [[blocks.task(n, k) if by_rows else blocks.task(k, n) for k in range(other)] for n in slots]
                if together:
                    rounds += [list(each) for each in zip(*tasks, strict=True) if any(task.count for task in each)]
                else:
                    rounds += map(list, zip_longest(*([task for task in each if task.count] for each in tasks)))
            return [Group([], rounds)]

        return groups

    size = (csb.shape.block_cols, csb.shape.block_rows)
    longer = blocks.rows > blocks.cols
    ways = [groups_by(longer), groups_by(not longer)]
    grouped = isinstance(layer.window, Conv) and layer.window.groups > 1
    if grouped:  # most blocks are empty: slots that share a column hardly ever have work together
        ways.append(groups_by(longer, together=False))
    return _build(layer, grid, split, max(blocks.rows, blocks.cols), size, ways, 0, csb)


class _Blocks:
    """The blocks of a matrix as tasks. ``rows`` and ``cols`` count blocks."""

    def __init__(self, csb: Csb, grid: Grid) -> None:
        self._csb, lanes = csb, grid.shape.lanes
        self._tasks: dict[tuple[int, int, bool], Task] = {}
        self._channels: dict[tuple[int, int], Channels] = {}  # what is the same is one object: soon compared
        self.rows, self.cols = csb.shape.grid
        self._beats: list[IntArray] = [  # of B bytes, which streams have
            beat_offsets(csb.pointers, 2, lanes), grid.wide * beat_offsets(csb.pointers, csb.shape.weights, grid.beat)
        ]  # fmt: skip

    def task(self, i: int, j: int, backward: bool = False) -> Task:
        """Block (i, j); X holds the channels of its columns, Y those of its rows (NG: exchanged)."""
        if (i, j, backward) not in self._tasks:  # every strip, split and order of a program asks for it
            self._tasks[i, j, backward] = self._task(i, j, backward)
        return self._tasks[i, j, backward]

    def _task(self, i: int, j: int, backward: bool) -> Task:
        shape = self._csb.shape
        number, extent = i * self.cols + j, shape.extent(i, j)
        rows, cols = (
            self._channels.setdefault(each, Channels(*each))
            for each in ((i * shape.block_rows, extent[0]), (j * shape.block_cols, extent[1]))
        )
        source, result = (rows, cols) if backward else (cols, rows)
        where = self._csb.elements(number)
        first = (int(self._beats[0][number]), int(self._beats[1][number]))
        return Task(source, result, where.start, where.stop - where.start, first)


def convolution(
    layer: PhaseGeometry, csb: Csb, grid: Grid, split: Split | None = None
) -> Program:  # fmt: skip
    """Sums of products with the elements of a matrix, which has a row for every output: FF, NG. Errors: ``forward``."""
    blocks = _Blocks(csb, grid)
    size = (csb.shape.block_cols, csb.shape.block_rows)
    outs, ins = (blocks.cols, blocks.rows) if layer.backward else (blocks.rows, blocks.cols)

    def groups(split: Split, strip: Strip) -> list[Group]:
        made = []
        for first in range(0, outs, split.slots):
            slots = [
                [blocks.task(k, n, True) if layer.backward else blocks.task(n, k) for k in range(ins)]
                for n in range(first, min(first + split.slots, outs))
            ]
            rounds = _rounds(slots, strip.entries, strip.region.height * layer.input_size[1])
            made.append(Group([tasks[0].result for tasks in slots], rounds))
        return made

    channels = csb.shape.cols if layer.backward else csb.shape.rows
    return _build(layer, grid, split, outs, size[::-1] if layer.backward else size, [groups], channels, csb)


def _rounds(slots: list[list[Task]], entries: int, words: int) -> list[Round]:
    """Rounds in which all slots share the channels of X, or each slot has its own; what takes less time.

    Args:
        slots: the tasks of every slot, with the same channels of X at the same place.
        entries: clocks of an element.
        words: about the clocks to load a channel.
    """
    together: list[Round] = [list(tasks) for tasks in zip(*slots, strict=True) if any(task.count for task in tasks)]
    lists = [[task for task in tasks if task.count] for tasks in slots]
    alone: list[Round] = [list(tasks) for tasks in zip_longest(*lists)]

    def cost(rounds: list[Round], loads: int) -> int:
        work = sum(max(task.count for task in tasks if task is not None) for tasks in rounds)
        return max(work * entries, loads * slots[0][0].source.count * words)

    # alone wins where it is faster; at the same time, fewer loads
    return alone if cost(alone, sum(map(len, lists))) < cost(together, len(together)) else together


def pooling(
    layer: PhaseGeometry, grid: Grid, split: Split | None, channels: int, multipliers: Sequence[int] = (0,)
) -> Program:  # fmt: skip
    """What works on each of so many channels by itself. ``multipliers``: MAC's weights. Errors: ``forward``."""
    shape, lanes = grid.shape, grid.shape.lanes
    splits = [split] if split is not None else choose_split(layer, grid.pes, channels)[:SPLITS]
    elements = min(CHANNELS_MAX, ELEMENTS_MAX, shape.e_depth * lanes // 2)

    best: tuple[int, Program] | None = None
    why = ValueError("no split")
    for each in splits:
        count = min(elements, -(-channels // each.slots))
        finer = 0  # how often the channels of a group have been halved since a strip was the whole map
        while count and finer < FINER:
            try:
                strips, whole = fewest_strips(layer, grid, each, count, count)
            except ValueError as error:
                why = error
            else:
                finer += len(strips) == 1
                if len(strips) == 1 or count == 1:
                    made = _pooled(layer, grid, each, strips, whole, channels, count, multipliers)
                    clocks = estimate(made, grid)
                    if best is None or clocks < best[0]:
                        best = clocks, made
            count = 0 if count == 1 else -(-count // 2)
    if best is None:
        raise why
    return best[1]


def _pooled(
    layer: PhaseGeometry, grid: Grid, split: Split, strips: list[Strip], whole: bool, channels: int, count: int,
    multipliers: Sequence[int],
) -> Program:  # fmt: skip
    """The program of a pooling layer with ``count`` channels per slot and group."""
    emitter = Emitter(layer, grid, split, whole, None)
    emitter.constants(np.arange(count, dtype=np.uint16) * 257, multipliers)
    for strip in strips:
        groups = []
        for first in range(0, channels, split.slots * count):
            stop = min(first + split.slots * count, channels)
            parts = [Channels(n, min(count, stop - n)) for n in range(first, stop, count)]
            groups.append(Group(parts, [[Task(part, part, 0, part.count) for part in parts]]))
        emitter.strip(strip, groups)
    return emitter.program(channels)


@uncollected()
def _build(
    layer: PhaseGeometry, grid: Grid, split: Split | None, parts: int, size: tuple[int, int],
    variants: Sequence[Groups], channels: int, csb: Csb,
) -> Program:  # fmt: skip
    """The program with the least estimate of those that fit.

    Args:
        layer, grid: the phase, and on what.
        split: the only one to try; by default all of the grid.
        parts: blocks that slots can work on at the same time.
        size: channels of a block in X and in Y.
        variants: ways to give slots their work.
        channels: of the map that is drained.
        csb: the weights.
    """
    image = to_image(csb, grid.shape.lanes, grid.wide)
    best: tuple[int, Program] | None = None
    count = 0
    for each, strips, whole in islice(_cuts(layer, grid, split, parts, size, csb), TRIED):
        if count > DESCRIPTORS:
            break
        # what a slot that does an equal part takes at least
        least = len(csb.coordinates) * sum(strip.entries for strip in strips) // min(each.slots, parts)
        if best is not None and least >= best[0]:
            continue
        for groups in variants:
            emitter = Emitter(layer, grid, each, whole, csb)
            for strip in strips:
                emitter.strip(strip, groups(each, strip))
            made = emitter.program(channels, image)
            descriptors = len(made.operations) + grid.pes * len(strips)  # every PE has a window of its own
            count += descriptors
            more = descriptors  # which the port fetches too
            if len(strips) > 1:  # gradients of several strips have an update of their own
                more += math.prod(made.gradients) * UPDATE_BYTES // grid.beat
            clocks = more + estimate(made, grid, None if best is None else best[0] - more)
            if best is None or clocks < best[0]:
                best = clocks, made
    assert best is not None
    return best[1]


def _cuts(
    layer: PhaseGeometry, grid: Grid, split: Split | None, parts: int, size: tuple[int, int], csb: Csb
) -> Iterator[tuple[Split, list[Strip], bool]]:  # fmt: skip
    """Splits with their strips, and whether T is used as a whole: those with the fewest clocks (``ways``) first.

    Where none of these fits, the first one that does. Raises ValueError where there is no such split.
    """
    room, shape = room_of(grid.shape, *size), csb.shape
    full = int((np.diff(csb.pointers) > 0).sum())
    matrix = Blocks(
        (shape.rows, shape.cols), (shape.block_rows, shape.block_cols), len(csb.coordinates), shape.weights, full
    )  # fmt: skip
    none = True
    for each, region in ranked(layer, grid, matrix, split):
        with suppress(ValueError):  # tiles that are not full ones, for a map that sums begin with
            strips = strips_of_size(layer, each, region, room)
            none = False
            yield each, strips, len(strips) == 1 or 2 * max(strip.entries for strip in strips) > room.entries
    why = ValueError("no split")
    for each in (choose_split(layer, grid.pes, parts) if split is None else [split]) if none else ():
        try:
            strips, whole = fewest_strips(layer, grid, each, *size)
        except ValueError as error:
            why = error
        else:
            yield each, strips, whole
            return
    if none:
        raise why


def fewest_strips(
    layer: PhaseGeometry, grid: Grid, split: Split, channels_in: int, channels_out: int
) -> tuple[list[Strip], bool]:  # fmt: skip
    """The fewest strips, and whether T is used as a whole or in halves.

    Raises:
        ValueError: none fits, or it is not a split of the grid.
    """
    if split.slots * split.tiles != grid.pes:
        raise ValueError(f"{split} is not a split of {grid.pes} PEs")
    room = room_of(grid.shape, channels_in, channels_out)
    strips = strips_of(layer, split, room)
    if len(strips) > 1:
        with suppress(ValueError):
            return strips_of(layer, split, replace(room, entries=room.entries // 2)), False
    return strips, True
