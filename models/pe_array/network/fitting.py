# SPDX-License-Identifier: Apache-2.0
"""Whether the array can run a network: sizes of CSB blocks with which all phases fit in the PEs, memory, commands.

Nothing is planned for that. What decides is the smallest piece of work: one pixel per PE, one element per block.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.toml_section import ConfigError
from models.pe_array.isa.csb_order import BLOCK_MAX
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.pe_command import Op
from models.pe_array.isa.region import Region
from models.pe_array.isa.shapes import Conv, Pair
from models.pe_array.network.gradient_passes import label
from models.pe_array.network.layer import Layer
from models.pe_array.tiles.room import block_sums, elements_per_command, room_of
from models.pe_array.tiles.tiling import PhaseGeometry, Split, choose_split, strip_of, strips_of
from models.pe_array.tiles.ways import Blocks, clocks, ways_of

LANES_MIN = 8
"""Least B, and batch, of the whole engine."""


@dataclass(frozen=True)
class Limits:
    """Of a program that is made and simulated.

    Attributes:
        bytes: of memory.
        commands: as ``Piece.commands`` counts them.
        sums: accumulators must hold every sum that there may be.
    """

    bytes: int
    commands: int
    sums: bool = True


TRAINING = Limits(1 << 28, 1 << 17)
FROZEN = Limits(1 << 30, 1 << 21)
"""One run of a frozen network is what there is to do, and large pictures are what it is made for."""
CLOCKS = Limits(1 << 32, 1 << 24, sums=False)
"""What addresses and counts of a program can say: of one whose clocks alone are asked for, which no sum changes."""
BLOCK_SPLITS = 8
"""Splits that are compared for a size of blocks."""
COMMAND_CLOCKS = 16
"""About the clocks to fetch and load what a command works on."""
_WEIGHT_BYTES = 1 + 2 * 4
"""MAC weight, master and momentum: at least; there are gradients only where they wait for others, or for the update."""
_BIAS_BYTES = 2 * 4
"""Master and momentum."""


class MisfitError(ConfigError):
    """A layer does not fit in the PEs."""


def choose_block(layer: Layer, grid: Grid, training: bool = True, elements: int | None = None) -> Pair:
    """Rows and columns of a layer's blocks, with which all its phases fit.

    At most as many blocks per side as slots can be busy with: small maps have no other work for all PEs, large ones
    have tiles. Every block is streams of its own, and whole beats in memory: few elements make few blocks.
    Where that does not fit in the memories of the PEs, the longer side is halved.

    Args:
        elements: that the layer has; None: all that it could have.

    Raises:
        ValueError: not even blocks of one element fit.
    """
    if not training and layer.conv.groups == layer.conv.rows == layer.conv.cols:
        return _depthwise(layer.conv, layer.forward_phase(), grid)
    conv = layer.conv
    count = conv.rows * (conv.cols // conv.groups) if elements is None else elements
    return _block(conv, tuple(layer.phases(training)), grid, count)


@functools.lru_cache(maxsize=4096)
def _depthwise(conv: Conv, phase: PhaseGeometry, grid: Grid) -> Pair:
    """``choose_block`` for inference of a layer that works on every channel by itself: the size with the least clocks.

    With few channels a block has room for large tiles, but there are many blocks, each a command for every strip. A
    strip loads whole rows: narrow ones load them again and again.
    """
    best: tuple[int, int] | None = None
    for size in (1 << n for n in range(BLOCK_MAX.bit_length())):
        blocks = -(-conv.rows // size)
        room, per_command = room_of(grid.shape, size, size), elements_per_command(phase.op, conv.taps, grid)
        for split in choose_split(phase, grid.pes, blocks)[:BLOCK_SPLITS]:
            try:
                strips = strips_of(phase, split, room)
            except ValueError:
                continue
            turns, commands = -(-blocks // split.slots), -(-size // per_command)
            work = turns * sum(strip.entries for strip in strips) * min(size, conv.rows)
            loads = sum(strip.rows[0][1] for strip in strips) * phase.input_size[1] * conv.rows
            clocks = max(work, loads) + COMMAND_CLOCKS * blocks * commands * len(strips)
            if best is None or clocks < best[0]:
                best = clocks, min(size, conv.rows)
    if best is None:
        raise ValueError("a block of one element does not fit")
    return best[1], best[1]


def bias_block(layer: Layer, grid: Grid) -> int:
    """Biases of a block: whole beats of memory, so that nothing is between the blocks."""
    return min(grid.beat, layer.out_shape[0])


@functools.lru_cache(maxsize=4096)
def _block(conv: Conv, phases: tuple[PhaseGeometry, ...], grid: Grid, elements: int) -> Pair:
    """``choose_block`` for these phases, the first of them FF."""
    height, width = phases[0].size
    parts = max(2, grid.pes // (height * width), min(conv.groups, grid.pes))
    usual = _fitting(conv, phases, grid, (parts, parts))
    if conv.groups > 1 or grid.pes < 4:
        return usual
    sides = [sorted({min(-(-n // (1 << k)), BLOCK_MAX) for k in range(n.bit_length())}) for n in (conv.rows, conv.cols)]
    ways = [ways_of(phase, grid.pes) for phase in phases]

    def clocks_of(block: Pair) -> float:
        """About the clocks of all phases, each cut in the best way."""
        matrix = Blocks((conv.rows, conv.cols), block, elements, conv.taps)
        each = (clocks(phase, grid, cut, matrix, phase.backward) for phase, cut in zip(phases, ways, strict=True))
        return sum(float(found.min()) for found in each)

    return min([usual, *((rows, cols) for rows in sides[0] for cols in sides[1])], key=clocks_of)


def _fitting(conv: Conv, phases: tuple[PhaseGeometry, ...], grid: Grid, parts: Pair) -> Pair:
    """Blocks that fit; where there is room, so many of them down and across."""
    rows, cols = (-(-n // max(many, -(-n // BLOCK_MAX))) for n, many in zip((conv.rows, conv.cols), parts, strict=True))
    while True:
        try:
            for phase in phases:
                check_pixel(phase, grid, *(rows, cols) if phase.backward else (cols, rows))
        except ValueError as error:
            if rows == cols == 1:
                raise ValueError(f"a block of one element does not fit: {error}") from error
            rows, cols = (rows, -(-cols // 2)) if cols >= rows else (-(-rows // 2), cols)
        else:
            return rows, cols


def check_pixel(phase: PhaseGeometry, grid: Grid, channels_in: int, channels_out: int) -> None:
    """ValueError where a PE has no room for a single pixel of so many channels of X and of Y."""
    if isinstance(phase.window, Conv):
        elements_per_command(phase.op, phase.window.taps, grid)
    room = room_of(grid.shape, channels_in, channels_out)
    rows, cols = (phase.unlike(axis) for axis in (0, 1))
    try:
        for y in rows:
            for x in cols:
                strip_of(phase, Split(grid.pes, 1, 1), Region(y, x, 1, 1), room)
    except ValueError as error:
        raise ValueError(f"a single pixel per PE does not fit: {error}") from error


def least_bytes(layer: Layer, batch: int, training: bool = True) -> int:
    """Bytes that a dense training step, or inference, has of a layer's weights and maps, without what fills blocks."""
    if not training:
        weights = layer.weights + layer.weights // layer.window.taps * 2 if layer.has_weights else 0
        return math.prod(layer.out_shape) * batch + weights
    maps = math.prod(layer.out_shape) * (2 + layer.keeps_indices)  # values, gradients, indices
    weights = layer.weights * _WEIGHT_BYTES + layer.weights // layer.window.taps * 2 if layer.has_weights else 0
    biases = layer.out_shape[0] * _BIAS_BYTES if layer.bias else 0
    return maps * batch + weights + biases


def pieces(layer: Layer, grid: Grid, training: bool = True) -> list[Piece]:
    """Of all phases of a layer, or of FF alone. ValueError where one does not fit."""
    phases = layer.phases(training)
    if layer.has_weights:
        conv, block = layer.conv, choose_block(layer, grid, training)
        elements = block_sums(conv.allowed(), *block) if conv.groups > 1 else _dense(conv, block)
        made = []
        for phase in phases:
            ways = elements.shape[phase.backward] if phase.op == Op.MAC else max(elements.shape)
            held = block if phase.backward else (block[1], block[0])
            made.append(Piece(phase, elements, ways, *held, elements_per_command(phase.op, conv.taps, grid)))
        if layer.bias and training:
            made.append(_biases(layer, grid))
        return made
    for phase in phases:
        check_pixel(phase, grid, 1, 1)
    channels = np.array([layer.in_shape[0]])
    return [Piece(phase, channels, layer.in_shape[0], 1, 1, grid.pes) for phase in phases]


def _biases(layer: Layer, grid: Grid) -> Piece:
    """WG of the biases. ValueError where it does not fit."""
    phase, size = layer.bias_phase(), bias_block(layer, grid)
    check_pixel(phase, grid, 1, size)
    elements = _dense(layer.bias_conv, (size, 1))
    return Piece(phase, elements, len(elements), 1, size, elements_per_command(phase.op, 1, grid))


def _dense(conv: Conv, block: Pair) -> IntArray:
    """Elements of the blocks of a matrix without gaps."""
    rows, cols = (
        np.diff([*range(0, total, size), total]) for total, size in zip((conv.rows, conv.cols), block, strict=True)
    )  # fmt: skip
    return np.outer(rows, cols)


@dataclass(frozen=True)
class Piece:
    """A phase of a layer, and what its commands work on at once.

    Attributes:
        elements: of every block, or channels of every group that is pooled; int64 of any shape.
        parts: blocks, or groups of channels, that slots can work on at the same time.
        channels_in, channels_out: that a PE holds of a pixel, in X and in Y.
        per_command: elements that a command can have.
    """

    phase: PhaseGeometry
    elements: IntArray
    parts: int
    channels_in: int
    channels_out: int
    per_command: int

    def commands(self, grid: Grid) -> int:
        """Loads of coordinates that the first split takes; the one that is chosen may take other numbers of strips."""
        room = room_of(grid.shape, self.channels_in, self.channels_out)
        for split in choose_split(self.phase, grid.pes, self.parts):
            try:
                strips = len(strips_of(self.phase, split, room))
            except ValueError:
                continue
            return strips * int((-(-self.elements // self.per_command)).sum())
        raise ValueError("a single pixel per PE does not fit")


def check(layers: Sequence[Layer], grid: Grid, training: bool = True, limits: Limits | None = None) -> None:
    """Refuse layers that an array cannot run, or that its simulation could not hold.

    Args:
        training: they are trained; otherwise frozen.
        limits: others than those of a simulation.

    Raises:
        MisfitError: a layer does not fit in the PEs.
        ConfigError: the network is larger than the ``Limits``.
    """
    batch, limits = grid.shape.lanes, limits or (TRAINING if training else FROZEN)
    sizes = [least_bytes(layer, batch, training) for layer in layers]
    if sum(sizes) > limits.bytes:
        raise ConfigError(
            f"{_largest(layers, sizes)}: weights and maps of a batch of {batch} take {sum(sizes):,} bytes of memory, "
            f"which must be at most {limits.bytes:,} to be simulated: fewer outputs, or a smaller batch"
        )
    commands = []
    for index, layer in enumerate(layers):
        try:
            commands.append(_commands(layer, grid, training))
        except ValueError as error:
            raise MisfitError(f"{label(layers, index)}: {error}") from None
        if sum(commands) > limits.commands:
            break
    if sum(commands) > limits.commands:
        raise ConfigError(
            f"{_largest(layers, commands)}: a step takes at least {sum(commands):,} commands, which must be at most "
            f"{limits.commands:,} to be planned: fewer outputs, smaller maps or a smaller dilation"
        )


def misfits(layers: Sequence[Layer], grid: Grid) -> list[tuple[int, str]]:
    """(number, reason) of all layers of a frozen network that do not fit in the PEs."""
    found = []
    for index, layer in enumerate(layers):
        try:
            _commands(layer, grid, training=False)
        except ValueError as error:
            found.append((index, str(error)))
    return found


def _commands(layer: Layer, grid: Grid, training: bool) -> int:
    """Of all phases of a layer, see ``Piece.commands``. ValueError where one does not fit in the PEs."""
    try:
        return sum(piece.commands(grid) for piece in pieces(layer, grid, training))
    except ValueError as error:
        sides = (layer.window.kernel, layer.window.dilation)
        kernel, dilation = (rows if rows == cols else [rows, cols] for rows, cols in sides)
        raise ValueError(
            f"kernel = {kernel} with dilation = {dilation} on a map of {layer.in_shape[1]} x {layer.in_shape[2]} does "
            f"not fit in the array's PEs: {error}"
        ) from None


def _largest(layers: Sequence[Layer], shares: list[int]) -> str:
    """The layer with the largest share, for messages."""
    index = int(np.argmax(shares))
    outputs = f".outputs = {layers[index].out_shape[0]}" if layers[index].has_weights else ""
    return f"{label(layers, index)}{outputs}"
