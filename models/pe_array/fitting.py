# SPDX-License-Identifier: Apache-2.0
"""Whether the array can run a network: sizes of CSB blocks with which all phases fit in the PEs, memory, commands.

Nothing is planned for that. What decides is the smallest piece of work: one pixel per PE, one element per block.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from models.pe_array.csb_order import BLOCK_MAX
from models.pe_array.emitter import elements_per_command
from models.pe_array.geometry import Region
from models.pe_array.layers import ACC_BITS
from models.pe_array.pe_model import Op, PeShape
from models.pe_array.program import room_of
from models.pe_array.shapes import Conv, Pair
from models.pe_array.tiling import Grid, Split, strip_of
from models.pe_array.tiling import Layer as Phase

if TYPE_CHECKING:
    from models.pe_array.config import Layer, PeConfig

LANES_MIN = 8
"""Least B, and batch, of the whole engine."""


def grid_of(config: PeConfig) -> Grid:
    """The array that a configuration names; memories of the PEs have their default depths."""
    return Grid(config.pes, PeShape(config.training.batch, ACC_BITS))


def choose_block(layer: Layer, grid: Grid) -> Pair:
    """Rows and columns of a layer's blocks, with which all its phases fit.

    As many blocks per side as slots can be busy with: small maps have no other work for all PEs, large ones have tiles.
    Where that does not fit in the memories of the PEs, the longer side is halved.

    Raises:
        ValueError: not even blocks of one element fit.
    """
    return _block(layer.conv, layer.in_shape[1:], not layer.reads_image, grid)


@functools.lru_cache(maxsize=4096)
def _block(conv: Conv, size: Pair, backward: bool, grid: Grid) -> Pair:
    """``choose_block``; ``backward``: there is a gradient by the map that the layer reads."""
    height, width = conv.out_size(*size)
    parts = max(2, grid.pes // (height * width), min(conv.groups, grid.pes))
    rows, cols = (-(-n // max(parts, -(-n // BLOCK_MAX))) for n in (conv.rows, conv.cols))
    while True:
        try:
            for phase in conv_phases(conv, size, backward):
                check_pixel(phase, grid, *(rows, cols) if phase.backward else (cols, rows))
        except ValueError as error:
            if rows == cols == 1:
                raise ValueError(f"a block of one element does not fit: {error}") from error
            rows, cols = (rows, -(-cols // 2)) if cols >= rows else (-(-rows // 2), cols)
        else:
            return rows, cols


def conv_phases(conv: Conv, size: Pair, backward: bool) -> list[Phase]:
    """FF, WG and, with ``backward``, NG of a layer with weights that reads a map of that size."""
    phases = [Phase(Op.MAC, conv, *size), Phase(Op.GRAD, conv, *size)]
    return [*phases, Phase(Op.MAC, conv, *size, backward=True)] if backward else phases


def check_pixel(phase: Phase, grid: Grid, channels_in: int, channels_out: int) -> None:
    """ValueError where a PE has no room for a single pixel of so many channels of X and of Y."""
    if isinstance(phase.window, Conv):
        elements_per_command(phase.op, phase.window.taps, grid.shape)
    room = room_of(grid.shape, channels_in, channels_out)
    rows, cols = (phase.unlike(axis) for axis in (0, 1))
    try:
        for y in rows:
            for x in cols:
                strip_of(phase, Split(grid.pes, 1, 1), Region(y, x, 1, 1), room)
    except ValueError as error:
        raise ValueError(f"a single pixel per PE does not fit: {error}") from error
