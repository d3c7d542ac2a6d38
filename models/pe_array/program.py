# SPDX-License-Identifier: Apache-2.0
"""Layer programs: the operations with which a grid of PEs computes a layer's phase (docs/pe_array.md, section 7).

Work is cut into strips of the map, groups of output channels, and rounds. In a round every slot has at most one task: a
block of the CSB matrix, or a group of channels to pool. Slots take blocks of output channels in turn (WG: blocks of the
longer side of the matrix), so that what a slot computes is a run of channels that a drain can read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np

from models.fixed_point import IntArray
from models.pe_array.csb import Csb, beat_offsets
from models.pe_array.emitter import Channels, Emitter, Group, Round, Task
from models.pe_array.operations import Program
from models.pe_array.pe_model import ELEMENTS_MAX, Op
from models.pe_array.shapes import Conv, Pool
from models.pe_array.tiling import Grid, Layer, Room, Split, Strip, choose_split, strips_of

CHANNELS_MAX = 256
"""Channels that a coordinate can name."""

Groups = Callable[[Split, Strip], list[Group]]


def forward(conv: Conv, csb: Csb, height: int, width: int, grid: Grid, split: Split | None = None) -> Program:
    """FF: accumulators (rows, OH, OW) of a map (cols, height, width).

    Args:
        split: of the grid; by default the one with the fewest clocks of those that fit.

    Raises:
        ValueError: it does not fit, even with one pixel per PE: the blocks are too large for the memories.
    """
    layer = Layer(Op.MAC, conv, height, width)
    return _convolution(layer, csb, grid, split, conv.rows)


def input_gradient(conv: Conv, csb: Csb, height: int, width: int, grid: Grid, split: Split | None = None) -> Program:
    """NG: accumulators (cols, height, width) of the output's gradient (rows, OH, OW). See ``forward``."""
    layer = Layer(Op.MAC, conv, height, width, backward=True)
    return _convolution(layer, csb, grid, split, conv.cols)


def weight_gradient(conv: Conv, csb: Csb, height: int, width: int, grid: Grid, split: Split | None = None) -> Program:
    """WG: gradients (elements, KH*KW) of an input map (to X) and the output's gradient (to Y). See ``forward``."""
    layer = Layer(Op.GRAD, conv, height, width)
    blocks = _Blocks(csb, grid.shape.lanes)
    by_rows = blocks.rows > blocks.cols

    def groups(split: Split, strip: Strip) -> list[Group]:
        mine, other = (blocks.rows, blocks.cols) if by_rows else (blocks.cols, blocks.rows)
        rounds: list[Round] = []
        for first in range(0, mine, split.slots):
            for k in range(other):
                slots = range(first, min(first + split.slots, mine))
                tasks = [blocks.task(n, k) if by_rows else blocks.task(k, n) for n in slots]
                if any(task.count for task in tasks):
                    rounds.append(list(tasks))
        return [Group([], rounds)]

    size = (csb.shape.block_cols, csb.shape.block_rows)
    return _build(layer, grid, split, max(blocks.rows, blocks.cols), size, groups, 0, csb)


def max_pool(pool: Pool, channels: int, height: int, width: int, grid: Grid, split: Split | None = None) -> Program:
    """Max pooling of a map (channels, height, width): accumulators whose bytes 0 and 1 are maximum and index."""
    return _pooling(Layer(Op.MAX, pool, height, width), grid, split, channels)


def max_unpool(pool: Pool, channels: int, height: int, width: int, grid: Grid, split: Split | None = None) -> Program:
    """Backward pass of max pooling: the output's gradient (to X) and its indices (to Y), both (channels, OH, OW)."""
    return _pooling(Layer(Op.UNPOOL, pool, height, width, backward=True), grid, split, channels)


def average_pool(
    pool: Pool, channels: int, height: int, width: int, grid: Grid, multiplier: int = 1, backward: bool = False,
    split: Split | None = None,
) -> Program:  # fmt: skip
    """Sums of windows times ``multiplier`` (1 … 127) or, with ``backward``, of the windows of each pixel."""
    layer = Layer(Op.MAC, pool, height, width, backward, one_weight=True)
    return _pooling(layer, grid, split, channels, multiplier)


class _Blocks:
    """The blocks of a matrix as tasks. ``rows`` and ``cols`` count blocks."""

    def __init__(self, csb: Csb, lanes: int) -> None:
        self._csb = csb
        self.rows, self.cols = csb.shape.grid
        self._beats: list[IntArray] = [beat_offsets(csb.pointers, n, lanes) for n in (2, csb.shape.weights)]

    def task(self, i: int, j: int, backward: bool = False) -> Task:
        """Block (i, j); X holds the channels of its columns, Y those of its rows (NG: exchanged)."""
        shape = self._csb.shape
        number, extent = i * self.cols + j, shape.extent(i, j)
        rows, cols = Channels(i * shape.block_rows, extent[0]), Channels(j * shape.block_cols, extent[1])
        source, result = (rows, cols) if backward else (cols, rows)
        where = self._csb.elements(number)
        first = (int(self._beats[0][number]), int(self._beats[1][number]))
        return Task(source, result, where.start, where.stop - where.start, first)


def _convolution(layer: Layer, csb: Csb, grid: Grid, split: Split | None, channels: int) -> Program:
    blocks = _Blocks(csb, grid.shape.lanes)
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

    return _build(layer, grid, split, outs, size[::-1] if layer.backward else size, groups, channels, csb)


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


def _pooling(layer: Layer, grid: Grid, split: Split | None, channels: int, multiplier: int = 0) -> Program:
    shape, lanes = grid.shape, grid.shape.lanes
    splits = [split] if split is not None else choose_split(layer, grid.pes, channels)
    elements = min(CHANNELS_MAX, ELEMENTS_MAX, shape.e_depth * lanes // 2)

    def build(split: Split, count: int) -> tuple[list[Strip], bool] | None:
        try:
            return _strips(layer, grid, split, count, count)
        except ValueError:
            return None

    for each in splits:
        count = min(elements, -(-channels // each.slots))
        while (found := build(each, count)) is None or (len(found[0]) > 1 and count > 1):
            if count == 1:
                break
            count = -(-count // 2)
        if found is not None:
            break
    else:
        _strips(layer, grid, splits[-1], 1, 1)  # says why
    assert found is not None
    strips, whole = found
    emitter = Emitter(layer, grid, each, whole, None)
    emitter.constants(np.arange(count, dtype=np.uint16) * 257, multiplier)
    for strip in strips:
        groups = []
        for first in range(0, channels, each.slots * count):
            stop = min(first + each.slots * count, channels)
            parts = [Channels(n, min(count, stop - n)) for n in range(first, stop, count)]
            groups.append(Group(parts, [[Task(part, part, 0, part.count) for part in parts]]))
        emitter.strip(strip, groups)
    return emitter.program(channels)


def _build(
    layer: Layer, grid: Grid, split: Split | None, parts: int, size: tuple[int, int], groups: Groups, channels: int,
    csb: Csb,
) -> Program:  # fmt: skip
    """The program of the first split that fits; ``size``: channels of a block in X and in Y."""
    splits: Sequence[Split] = [split] if split is not None else choose_split(layer, grid.pes, parts)
    for n, each in enumerate(splits):
        try:
            strips, whole = _strips(layer, grid, each, *size)
        except ValueError:
            if n == len(splits) - 1:
                raise
            continue
        break
    emitter = Emitter(layer, grid, each, whole, csb)
    for strip in strips:
        emitter.strip(strip, groups(each, strip))
    return emitter.program(channels)


def _strips(layer: Layer, grid: Grid, split: Split, channels_in: int, channels_out: int) -> tuple[list[Strip], bool]:
    """Strips, and whether T is used as a whole (one strip) or in halves."""
    if split.slots * split.tiles != grid.pes:
        raise ValueError(f"{split} is not a split of {grid.pes} PEs")
    shape = grid.shape
    entries = shape.t_depth * shape.lanes // 4

    def strips(entries: int) -> list[Strip]:
        return strips_of(layer, split, Room(shape.x_depth // 2, shape.y_depth // 2, entries, channels_in, channels_out))

    made = strips(entries)
    return (made, True) if len(made) == 1 else (strips(entries // 2), False)
