# SPDX-License-Identifier: Apache-2.0
"""Phases of layers at the published size, for tables of clocks: programs, random weights, what they move."""

from __future__ import annotations

import numpy as np

from models.pe_array.compiler import program
from models.pe_array.isa import assumed
from models.pe_array.isa.csb import Csb
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.pe_command import PeShape
from studies import networks, published
from studies.phase_clocks import PhaseProgram
from studies.published import Phase

GRID = Grid(published.PES, PeShape(published.LANES))
"""32 PEs of 32 MACs; memories at their default depths, 26 BRAM36 per PE."""

PORT = published.LANES * assumed.CLOCK_MHZ * 1e6 / 1e9
"""GB/s of our read port at the assumed clock; that of system B's memory is 38.4 in all."""

UPDATE_READ = 8
"""Beats that UPDATE reads for a beat of MAC weights: masters and gradients."""


def phase_program(layer: networks.WeightLayer, csb: Csb, phase: Phase, grid: Grid = GRID) -> PhaseProgram:
    """A layer's phase."""
    conv = layer.conv
    geometry = conv, csb, layer.height, layer.width, grid
    source, result = (conv.cols, layer.height, layer.width), (conv.rows, *layer.out_size)
    if phase == "FF":
        return PhaseProgram(program.forward(*geometry), source, csb=csb)
    if phase == "NG":
        return PhaseProgram(program.input_gradient(*geometry), result, csb=csb, masked=True)
    return PhaseProgram(program.weight_gradient(*geometry), source, result, csb)


def pool_programs(pooling: networks.Pooling, grid: Grid = GRID) -> tuple[PhaseProgram, PhaseProgram]:
    """Both ways through a pooling layer; maxima are stored with their indices."""
    pool, source = pooling.pool, (pooling.channels, pooling.size, pooling.size)
    result = (pooling.channels, *pool.out_size(pooling.size, pooling.size))
    if pooling.average:
        forward, back = (program.average_pool(pool, *source, grid, backward=way) for way in (False, True))
        return PhaseProgram(forward, source), PhaseProgram(back, result)
    forward, back = program.max_pool(pool, *source, grid), program.max_unpool(pool, *source, grid)
    return PhaseProgram(forward, source, outputs=2), PhaseProgram(back, result, result)


def weight_beats(csb: Csb) -> int:
    """Beats of MAC weights, blocks filled up to whole beats."""
    counts = np.diff(csb.pointers) * csb.shape.weights
    return int((-(-counts // published.LANES)).sum())
