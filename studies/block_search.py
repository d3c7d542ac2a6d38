# SPDX-License-Identifier: Apache-2.0
"""Sizes of CSB blocks by trying: from a first size by halves and doubles to one with the least sum of the phases."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from models.pe_array.compiler.random_matrices import coded
from models.pe_array.isa.csb_order import BLOCK_MAX
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.shapes import Pair
from studies.layer_phases import about, phase_program
from studies.networks import WeightLayer
from studies.published import Phase

NEVER = 1 << 62
"""Clocks of blocks that do not fit."""

MOVES = ((1, -1), (-1, 1), (1, 0), (0, 1), (-1, 0), (0, -1))
"""Steps that are tried, in powers of two: rows, columns."""


def phase_clocks(
    layer: WeightLayer, mask: npt.NDArray[np.bool_], block: Pair, grid: Grid, phases: tuple[Phase, ...]
) -> int:
    """Estimated clocks of some phases together; ``NEVER`` where one of them does not fit."""
    csb = coded(layer.conv, mask, block)
    try:
        return sum(about(phase_program(layer, csb, phase, grid), grid) for phase in phases)
    except ValueError:
        return NEVER


def best_block(
    layer: WeightLayer, mask: npt.NDArray[np.bool_], grid: Grid, phases: tuple[Phase, ...], first: Pair, steps: int = 4
) -> Pair:  # fmt: skip
    """Rows and columns of the blocks with which the phases take the fewest estimated clocks of those that are tried.

    Args:
        layer: shape.
        mask: bool (rows, cols), the elements that are stored.
        grid: of PEs.
        phases: whose sum is made small.
        first: where to begin; halved while it does not fit.
        steps: most changes of the size.

    Raises:
        ValueError: not even blocks of one element fit.
    """
    sides = layer.conv.rows, layer.conv.cols

    @functools.cache
    def clocks(block: Pair) -> int:
        return phase_clocks(layer, mask, block, grid, phases)

    rows, cols = (min(size, side) for size, side in zip(first, sides, strict=True))
    while clocks((rows, cols)) == NEVER:
        if rows == cols == 1:
            raise ValueError(f"layer {layer.name}: a block of one element does not fit")
        rows, cols = halved((rows, cols))
    best = rows, cols
    for _ in range(steps):
        near = [_moved(best, move, sides) for move in MOVES]
        found = next((block for block in near if clocks(block) < clocks(best)), best)
        if found == best:
            break
        best = found
    return best


def halved(block: Pair) -> Pair:
    """The block with its longer side halved."""
    rows, cols = block
    return (rows, -(-cols // 2)) if cols >= rows else (-(-rows // 2), cols)


def _moved(block: Pair, move: Pair, sides: Pair) -> Pair:
    """A block with its sides doubled or halved, inside the matrix and what a coordinate can name."""
    rows, cols = (
        min(max(1, size << step if step > 0 else -(-size >> -step)), side, BLOCK_MAX)
        for size, step, side in zip(block, move, sides, strict=True)
    )
    return rows, cols
