# SPDX-License-Identifier: Apache-2.0
"""Phases of a network's training step in the order in which the PE array works on them, and the order of its channels.

Tensors have names: ``image``, ``labels``; ``output3``, ``index3``, ``delta3`` are those of layer 3, the delta being the
gradient by its output; ``pointers3``, ``coordinates3``, ``values3``, ``masters3``, ``momenta3``, ``gradients3`` are its
matrix. A fully connected layer reads the output of the one before as it is in memory: flattening costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.fixed_point import IntArray
from models.pe_array import balance, program
from models.pe_array.config import Layer, PeConfig
from models.pe_array.csb import Csb
from models.pe_array.layer_matrix import LayerMatrix
from models.pe_array.network import PeNetwork
from models.pe_array.operations import Program
from models.pe_array.requantise import Field
from models.pe_array.shapes import Pair, Pool
from models.pe_array.tiling import Grid


@dataclass(frozen=True)
class MapOutput:
    """What becomes of the accumulators that a phase drains.

    Attributes:
        tensor: the map in memory.
        shift, field, relu: settings of the requantising.
        mask: map of activations where the derivative of a ReLU comes in, or None.
    """

    tensor: str
    shift: int
    field: Field = Field.SUM
    relu: bool = False
    mask: str | None = None


@dataclass(frozen=True)
class Phase:
    """One phase of a layer.

    Attributes:
        name: such as ``ff3``, ``ng3``, ``wg3``.
        layer: its number.
        x, operand: the maps that X has windows of, and that are loaded to Y.
        outputs: maps that are drained, all of the same accumulators; none in WG.
    """

    name: str
    layer: int
    program: Program
    x: str
    operand: str | None = None
    outputs: tuple[MapOutput, ...] = ()

    @property
    def gradients(self) -> bool:
        """Whether gradients are collected: WG."""
        return not self.outputs


def source(index: int) -> str:
    """Name of the map that a layer reads."""
    return f"output{index - 1}" if index else "image"


def forward(config: PeConfig, index: int, matrix: LayerMatrix | None, grid: Grid, training: bool) -> Phase:
    """FF of a layer; ``training``: with the indices of maxima."""
    layer, name = config.layers[index], f"output{index}"
    channels, size = layer.in_shape[0], layer.in_shape[1:]
    outputs = [MapOutput(name, layer.forward_shift, relu=layer.relu)]
    if isinstance(layer.window, Pool) and layer.kind == "max_pool":
        made = program.max_pool(layer.window, channels, *size, grid)
        outputs = [MapOutput(name, 0, Field.VALUE)]
        if training:
            outputs.append(MapOutput(f"index{index}", 0, Field.INDEX))
    elif isinstance(layer.window, Pool):
        made = program.average_pool(layer.window, channels, *size, grid, layer.multiplier)
    else:
        made = program.forward(layer.window, _csb(matrix), *size, grid)
    return Phase(f"ff{index}", index, made, source(index), None, tuple(outputs))


def input_gradient(config: PeConfig, index: int, matrix: LayerMatrix | None, grid: Grid) -> Phase:
    """NG of a layer, or the way back through pooling: the delta of the layer before, which must be there."""
    layer, before = config.layers[index], config.layers[index - 1]
    channels, size, operand = layer.in_shape[0], layer.in_shape[1:], None
    if isinstance(layer.window, Pool) and layer.kind == "max_pool":
        made = program.max_unpool(layer.window, channels, *size, grid)
        operand = f"index{index}"
    elif isinstance(layer.window, Pool):
        made = program.average_pool(layer.window, channels, *size, grid, layer.multiplier, backward=True)
    else:
        made = program.input_gradient(layer.window, _csb(matrix), *size, grid)
    mask = f"output{index - 1}" if before.relu else None
    output = MapOutput(f"delta{index - 1}", layer.backward_shift, mask=mask)
    return Phase(f"ng{index}", index, made, f"delta{index}", operand, (output,))


def weight_gradient(config: PeConfig, index: int, matrix: LayerMatrix | None, grid: Grid) -> Phase:
    """WG of a layer with weights."""
    layer = config.layers[index]
    made = program.weight_gradient(layer.conv, _csb(matrix), *layer.in_shape[1:], grid)
    return Phase(f"wg{index}", index, made, source(index), f"delta{index}")


def backward(config: PeConfig, matrices: Mapping[int, LayerMatrix], grid: Grid) -> Iterator[Phase]:
    """From the last layer to the first: NG, for the way back, then WG, whose update runs beside what follows."""
    for index in reversed(range(len(config.layers))):
        if index:
            yield input_gradient(config, index, matrices.get(index), grid)
        if index in matrices:
            yield weight_gradient(config, index, matrices[index], grid)


def channel_orders(network: PeNetwork, blocks: Mapping[int, Pair], balanced: bool) -> list[IntArray]:
    """The channel in every place of memory, of the maps that the layers read, and last of the network's output.

    Args:
        blocks: rows and columns of the blocks of every layer with weights.
        balanced: put channels in an order in which slots have nearly the same work (``balance``); otherwise they stay
            where they are. Images and logits always do.
    """
    layers = network.config.layers
    names, tensor = ["image"], "image"
    for index, layer in enumerate(layers):
        tensor = f"output{index}" if layer.has_weights else tensor  # pooling keeps its channels
        names.append(tensor)
    orders = {name: np.arange(channels) for name, channels in zip(names, _channels(layers), strict=True)}
    if balanced:
        ends = {names[index + 1]: block[0] for index, block in blocks.items()}
        parts = [
            balance.Layer(
                network.layer_weights(index).positions.mask(layers[index].conv), names[index], names[index + 1],
                _pixels(layers, index), ng=int(index > 0),
            )
            for index in blocks
        ]  # fmt: skip
        fixed = (names[0], names[-1])
        orders |= balance.orders_of_tensors(parts, ends | {"image": layers[0].in_shape[0]}, fixed)
    return [orders[name] for name in names]


def matrix_of(network: PeNetwork, index: int, block: Pair, orders: list[IntArray], lanes: int) -> LayerMatrix:
    """Weights of a layer as in memory."""
    pixels = _pixels(network.config.layers, index)
    cols = (orders[index][:, None] * pixels + np.arange(pixels)).reshape(-1)
    return LayerMatrix.make(network.layer_weights(index), block, lanes, orders[index + 1], cols)


def _csb(matrix: LayerMatrix | None) -> Csb:
    assert matrix is not None
    return matrix.csb


def _channels(layers: tuple[Layer, ...]) -> list[int]:
    return [layers[0].in_shape[0], *(layer.out_shape[0] for layer in layers)]


def _pixels(layers: tuple[Layer, ...], index: int) -> int:
    """Columns of a layer's matrix per channel of the map that it reads: above 1 where that is flattened."""
    return layers[index].in_shape[0] // _channels(layers)[index]
