# SPDX-License-Identifier: Apache-2.0
"""Frozen networks: which are too large for a program, how depth-wise layers are cut, and what has no training."""

from __future__ import annotations

import numpy as np
import pytest

from models.lib.toml_section import ConfigError
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.network import fitting
from models.pe_array.network.frozen.builder import FrozenBuilder
from models.pe_array.network.frozen.random_networks import random_network
from models.pe_array.network.layer import IMAGE
from models.pe_array.network.scaling import Addend, Scaling

ONE = Scaling.of(1 / 64)
GRID = Grid(32, PeShape(8))


def convolution(
    made: FrozenBuilder, reads: int, rows: int, kernel: int, stride: int = 1, depthwise: bool = False
) -> int:  # fmt: skip
    """A convolution without weights: what it may take does not depend on them."""
    cols = made.shape(reads)[0]
    conv = Conv.make(rows, cols, kernel, stride, kernel // 2, 1, cols if depthwise else 1)
    return made.convolution(reads, conv, np.zeros((rows, cols // conv.groups, kernel, kernel)), ONE)


def resnet34() -> FrozenBuilder:
    """Shapes of ResNet-34 for pictures of 224 x 224."""
    made = FrozenBuilder("resnet34", (3, 224, 224), 8)
    x = made.max_pool(convolution(made, IMAGE, 64, 7, 2), Pool.make(3, 2, 1))
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            rows, stride = 64 << stage, 2 if stage and not block else 1
            y = convolution(made, convolution(made, x, rows, 3, stride), rows, 3)
            if stride == 2:
                x = convolution(made, x, rows, 1, 2)
            x = made.identity(y, Scaling.of(1.0, addend=Addend(1 << 23)), x)
    made.dense(made.average_pool(x, Pool.make(7), ONE), np.zeros((1000, 512)), ONE)
    return made


def mobilenet() -> FrozenBuilder:
    """Shapes of MobileNetV1 for pictures of 224 x 224."""
    made = FrozenBuilder("mobilenet", (3, 224, 224), 8)
    x = convolution(made, IMAGE, 32, 3, 2)
    first, last = ((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)), ((2, 1024), (1, 1024))
    for stride, rows in (*first, *[(1, 512)] * 5, *last):
        x = convolution(made, convolution(made, x, made.shape(x)[0], 3, stride, depthwise=True), rows, 1)
    made.dense(made.average_pool(x, Pool.make(7), ONE), np.zeros((1000, 1024)), ONE)
    return made


@pytest.mark.parametrize("make", [resnet34, mobilenet])
def test_networks_for_large_pictures_fit(make: object) -> None:
    fitting.check(make().layers, GRID, training=False)  # type: ignore[operator]


def test_too_many_commands_are_refused_before_they_are_planned() -> None:
    made = FrozenBuilder("large", (256, 224, 224), 8)
    convolution(made, IMAGE, 512, 1)
    network = made.network(1)
    with pytest.raises(ConfigError, match="commands, which must be at most 2,097,152 to be planned"):
        StepProgram(network, network.config.grid, training=False)


def test_too_much_memory_is_refused() -> None:
    made = FrozenBuilder("large", (4096, 180, 224), 8)
    made.identity(IMAGE, ONE)
    with pytest.raises(ConfigError, match="which must be at most 1,073,741,824 to be simulated"):
        fitting.check(made.layers, GRID, training=False)


@pytest.mark.parametrize(("channels", "side", "block"), [(32, 112, 8), (256, 28, 8), (1024, 7, 16), (6, 40, 6)])
def test_depthwise_layers_have_blocks_for_large_tiles_and_few_commands(channels: int, side: int, block: int) -> None:
    made = FrozenBuilder("depthwise", (channels, side, side), 8)
    convolution(made, IMAGE, channels, 3, depthwise=True)
    assert fitting.choose_block(made.layers[0], GRID, training=False) == (block, block)


def test_a_frozen_network_has_no_training() -> None:
    network = random_network(0)
    with pytest.raises(ValueError, match="random is frozen: its program has no training"):
        StepProgram(network, network.config.grid)
