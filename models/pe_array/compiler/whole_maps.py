# SPDX-License-Identifier: Apache-2.0
"""Averages of whole maps that no window of a PE can hold: a channel is several smaller ones behind each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.pe_array.compiler.emitter import Channels, Emitter, Group, Round, Task
from models.pe_array.compiler.estimate import estimate
from models.pe_array.compiler.program import CHANNELS_MAX, SPLITS, fewest_strips
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import Program
from models.pe_array.isa.pe_command import ELEMENTS_MAX
from models.pe_array.tiles.tiling import PhaseGeometry, Split, Strip, choose_split


def whole_map(
    layer: PhaseGeometry, grid: Grid, split: Split | None, channels: int, parts: int, multipliers: Sequence[int]
) -> Program:  # fmt: skip
    """Sums of so many parts per channel or, backwards, what a channel has, for each of its parts.

    Args:
        layer: of a part, whose window is all of it.
        split: of the grid; by default the one with the fewest clocks of those that fit.
        channels: of the map that is averaged.
        parts: of a channel.
        multipliers: the weight.

    Raises:
        ValueError: it does not fit.
    """
    best: tuple[int, Program] | None = None
    why = ValueError("no split")
    most = min(CHANNELS_MAX, ELEMENTS_MAX, grid.shape.e_depth * grid.shape.lanes // 2)
    for each in [split] if split is not None else choose_split(layer, grid.pes, channels)[:SPLITS]:
        for count in (n for n in range(min(parts, most), 0, -1) if parts % n == 0):
            size = (1, count) if layer.backward else (count, 1)
            try:
                strips, whole = fewest_strips(layer, grid, each, *size)
            except ValueError as error:
                why = error
                continue
            if len(strips) > 1 and count > 1:
                continue
            made = _made(layer, grid, each, strips, whole, channels, parts, count, multipliers)
            clocks = estimate(made, grid)
            if best is None or clocks < best[0]:
                best = clocks, made
            break
    if best is None:
        raise why
    return best[1]


def _made(
    layer: PhaseGeometry, grid: Grid, split: Split, strips: list[Strip], whole: bool, channels: int, parts: int,
    count: int, multipliers: Sequence[int],
) -> Program:  # fmt: skip
    """The program with ``count`` parts of a channel at a time."""
    emitter = Emitter(layer, grid, split, whole, None)
    emitter.constants(np.arange(count, dtype=np.uint16) * np.uint16(256 if layer.backward else 1), multipliers)
    for strip in strips:
        groups = []
        if layer.backward:
            firsts = range(0, channels * parts, count)
            for n in range(0, len(firsts), split.slots):
                tasks = [
                    Task(Channels(first // parts, 1), Channels(first, count), 0, count)
                    for first in firsts[n : n + split.slots]
                ]
                groups.append(Group([task.result for task in tasks], [list(tasks)]))
        else:
            for n in range(0, channels, split.slots):
                mine = range(n, min(n + split.slots, channels))
                rounds: list[Round] = [
                    [Task(Channels(c * parts + k, count), Channels(c, 1), 0, count) for c in mine]
                    for k in range(0, parts, count)
                ]
                groups.append(Group([Channels(c, 1) for c in mine], rounds))
        emitter.strip(strip, groups)
    return emitter.program(channels * parts if layer.backward else channels)
