# SPDX-License-Identifier: Apache-2.0
"""Phases of layers at the published size, for tables of clocks: programs, random weights, what they move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.pe_array.compiler import program
from models.pe_array.compiler.estimate import estimate
from models.pe_array.isa import assumed
from models.pe_array.isa.csb import Csb
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import CollectGradients, DrainMap, LoadMap, LoadStream, SetWindows
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.shapes import Conv
from studies import networks, published
from studies.phase_clocks import PhaseProgram
from studies.published import Phase

GRID = Grid(published.PES, PeShape(published.LANES))
"""32 PEs of 32 MACs; memories at their default depths, 26 BRAM36 per PE."""

PORT = published.LANES * assumed.CLOCK_MHZ * 1e6 / 1e9
"""GB/s of our read port at the assumed clock; that of system B's memory is 38.4 in all."""

UPDATE_READ, UPDATE_WRITTEN = 8, 5
"""Beats that UPDATE reads and writes for a beat of MAC weights: masters and gradients; masters and weights."""


@dataclass(frozen=True)
class Traffic:
    """Beats that a phase reads, descriptors among them, and writes."""

    read: int
    written: int


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


def traffic(made: PhaseProgram, grid: Grid = GRID) -> Traffic:
    """What a phase moves, without playing it."""
    read = written = 0
    for operation in () if made.program is None else made.program.operations:
        read += grid.pes if isinstance(operation, SetWindows) else 1
        if isinstance(operation, LoadStream):
            read += operation.beats
        elif isinstance(operation, LoadMap):
            read += operation.command.beats
        elif isinstance(operation, DrainMap):
            written += made.outputs * operation.command.words
            read += made.outputs * operation.command.words * made.masked
        elif isinstance(operation, CollectGradients):
            beats = sum(-(-count * operation.results * 4 // grid.shape.lanes) for _, count in operation.slots)
            written += beats
            read += beats * operation.add + len(operation.slots)
    return Traffic(read, written)


def about(made: PhaseProgram, grid: Grid = GRID) -> int:
    """Estimated clocks."""
    return 0 if made.program is None else estimate(made.program, grid, made.masked, made.outputs)


def random_mask(conv: Conv, density: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Kernels at random places; bool (rows, cols). At least one."""
    mask = conv.allowed() & (rng.random((conv.rows, conv.cols)) < density)
    mask[0, 0] = mask[0, 0] or not mask.any()
    return mask


def weight_beats(csb: Csb) -> int:
    """Beats of MAC weights, blocks filled up to whole beats."""
    counts = np.diff(csb.pointers) * csb.shape.weights
    return int((-(-counts // published.LANES)).sum())
