# SPDX-License-Identifier: Apache-2.0
"""What fits in a PE: words of its memories that a tile may take, elements that a command may have, sums of blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.pe_command import ELEMENTS_MAX, Op, PeShape
from models.pe_array.tiles.tiling import Room


def room_of(shape: PeShape, channels_in: int, channels_out: int) -> Room:
    """What a tile must fit in that has so many channels in X and in Y: halves of these memories, and all of T."""
    return Room(shape.x_depth // 2, shape.y_depth // 2, shape.t_depth * shape.lanes // 4, channels_in, channels_out)


def elements_per_command(op: Op, weights: int, grid: Grid) -> int:
    """Elements of so many weights for which halves of E and W have room, a whole number of beats of both.

    Beats of gradients may be wider than the words of W.

    Raises:
        ValueError: none.
    """
    shape, lanes = grid.shape, grid.shape.lanes
    beat = lanes if op == Op.MAC else grid.beat
    room = shape.e_depth // 2 * lanes // 2
    if op == Op.MAC:
        room = min(room, shape.w_depth // 2 * lanes // weights)
    step = 1
    while step * 2 % lanes or step * weights % beat:
        step *= 2
    room = min(room, ELEMENTS_MAX) // step * step
    if room < 1:
        raise ValueError(f"{step} elements of {weights} weights do not fit in halves of E and W")
    return room


def block_sums(mask: npt.ArrayLike, block_rows: int, block_cols: int) -> IntArray:
    """Elements of every block, int64 (block rows, block columns)."""
    counts = np.asarray(mask).astype(np.int64)
    for axis, size in enumerate((block_rows, block_cols)):
        counts = np.add.reduceat(counts, np.arange(0, counts.shape[axis], size), axis=axis)
    return counts
