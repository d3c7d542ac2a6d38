# SPDX-License-Identifier: Apache-2.0
"""Weights of a trained network taken away without training it again, by a threshold per layer or filter.

Three ways to choose thresholds that know nothing of the network (Ashouri, Abdelrahman, Dos Remedios 2018):

- ``flat:x``: every layer loses the share x of its weights.
- ``triangular:x,y``: the first layer loses x, the last one y, those between what lies on the line between them: later
  layers are larger and take more.
- ``relative:x``: every filter, all weights of an output channel, loses those below x times its largest one.

What is taken away is a *unit*. The array leaves out whole kernels of convolutions and single weights of dense layers:
only a kernel that is zero from corner to corner saves clocks. So the unit is a kernel (a window of one input and one
output channel, judged by its root mean square), which in dense layers and convolutions of 1 x 1 is a single weight.
With ``:weights`` behind the levels the unit is always a single weight, as published; then clocks are saved only where
all weights of a kernel happen to go.

*Sparsity* is the share of all weights of convolutions and dense layers that is zero afterwards, biases not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from models.pe_array.frontend.clean import Cleaned
from models.pe_array.frontend.graph import UnsupportedModel
from models.pe_array.network.frozen.network import FrozenNetwork

FloatArray = npt.NDArray[np.float32]

LEVELS = {"flat": 1, "triangular": 2, "relative": 1}
"""Ways to choose thresholds, and how many numbers each takes."""
KERNELS, WEIGHTS = "kernels", "weights"


@dataclass(frozen=True)
class Sparsification:
    """What SPARSIFY says.

    Attributes:
        method: a key of ``LEVELS``.
        levels: 0 … 1, as many as that says.
        unit: ``KERNELS`` or ``WEIGHTS``.
    """

    method: str
    levels: tuple[float, ...]
    unit: str = KERNELS

    @classmethod
    def parse(cls, text: str) -> Sparsification:
        """From ``flat:0.5``, ``triangular:0.2,0.8`` or ``relative:0.1``, with ``:weights`` behind it or not.

        Raises:
            UnsupportedModel: it is none of these.
        """
        method, _, rest = text.partition(":")
        numbers, _, unit = rest.partition(":")
        try:
            levels = tuple(float(each) for each in numbers.split(","))
        except ValueError:
            levels = ()
        good = len(levels) == LEVELS.get(method) and all(0.0 <= each <= 1.0 for each in levels)
        if not good or unit not in ("", KERNELS, WEIGHTS):
            raise UnsupportedModel(
                f"SPARSIFY={text} must be flat:x, triangular:x,y or relative:x with levels 0 … 1; :{WEIGHTS} behind it "
                "takes single weights in place of kernels"
            )
        return cls(method, levels, unit or KERNELS)

    def __str__(self) -> str:
        shown = f"{self.method}:{','.join(f'{each:g}' for each in self.levels)}"
        return shown if self.unit == KERNELS else f"{shown}:{self.unit}"


@dataclass(frozen=True)
class Sparsity:
    """What a layer lost.

    Attributes:
        layer: its name.
        weights, zeros: of the layer, and those that are zero now.
        kernels, zero_kernels: units that the array can leave out, and those that are zero now.
    """

    layer: str
    weights: int
    zeros: int
    kernels: int
    zero_kernels: int


def sparsity(layers: list[Sparsity]) -> float:
    """Share of all weights that is zero."""
    return sum(each.zeros for each in layers) / max(1, sum(each.weights for each in layers))


def sparsity_of(network: FrozenNetwork) -> list[Sparsity]:
    """What is zero in a network of integers; weights beyond a byte, of which there are two parts, count once."""
    found = []
    for index, layer in enumerate(network.config.layers):
        if layer.has_weights:
            weights = network.layer_weights(index)
            keys = weights.positions.row.astype(np.int64) * layer.conv.cols + weights.positions.col
            places, which = np.unique(keys, return_inverse=True)
            values = np.zeros((len(places), layer.conv.taps), dtype=np.int64)
            np.add.at(values, which, weights.mac.reshape(len(weights.mac), layer.conv.taps).astype(np.int64))
            used, kernels = int(np.count_nonzero(values)), layer.weights // layer.conv.taps
            gone = kernels - int(values.any(axis=1).sum())
            found.append(Sparsity(layer.name, layer.weights, layer.weights - used, kernels, gone))
    return found


def sparsify(cleaned: Cleaned, how: Sparsification | None) -> tuple[Cleaned, list[Sparsity]]:
    """A copy with fewer weights, and what each layer lost; without ``how`` nothing but the zeros that it had.

    Raises:
        UnsupportedModel: it is quantised already, and something is to be taken away.
    """
    if how is not None and cleaned.quantised:
        raise UnsupportedModel("SPARSIFY takes weights from a float model; this one is quantised: give the float one")
    model = onnx.ModelProto()
    model.CopyFrom(cleaned.model)
    layers = _layers(model.graph)
    found = []
    for place, (name, tensor, rows) in enumerate(layers):
        weights = np.array(numpy_helper.to_array(tensor))
        if how is not None:
            by_filter = np.moveaxis(weights, rows, 0)  # a view
            keep = _kept(by_filter, how, place / max(1, len(layers) - 1))
            by_filter *= keep
            tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
        kernels = np.moveaxis(weights, rows, 0)
        kernels = kernels.reshape(*kernels.shape[:2], -1)
        zero = int((~kernels.any(axis=2)).sum())
        found.append(Sparsity(name, weights.size, int((weights == 0).sum()), kernels.shape[0] * kernels.shape[1], zero))
    return Cleaned(model, cleaned.quantised, cleaned.notes), found


def _layers(graph: onnx.GraphProto) -> list[tuple[str, onnx.TensorProto, int]]:
    """Name, weights, and the axis of the output channels of every convolution and dense layer, each tensor once."""
    constants = {each.name: each for each in graph.initializer}
    found: dict[str, tuple[str, onnx.TensorProto, int]] = {}
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] not in constants:
            continue
        turned = any(each.name == "transB" and each.i for each in node.attribute)
        rows = 0 if node.op_type == "Conv" or turned else 1
        found.setdefault(node.input[1], (node.name, constants[node.input[1]], rows))
    return list(found.values())


def _kept(weights: FloatArray, how: Sparsification, place: float) -> npt.NDArray[np.bool_]:
    """Which weights (rows, columns, …) stay, in a shape that goes with them; ``place``: 0 first layer … 1 last one."""
    size = np.abs(weights)
    if how.unit == KERNELS and weights.ndim > 2:
        axes = tuple(range(2, weights.ndim))
        size = np.sqrt((weights.astype(np.float64) ** 2).mean(axis=axes, keepdims=True)).astype(np.float32)
    if how.method == "relative":
        largest = size.reshape(len(size), -1).max(axis=1).reshape(-1, *[1] * (size.ndim - 1))
        return np.asarray(size >= how.levels[0] * largest)
    level = how.levels[0] + (how.levels[-1] - how.levels[0]) * place
    keep = np.ones(size.size, dtype=np.bool_)
    keep[np.argsort(size, axis=None, kind="stable")[: int(level * size.size)]] = False
    return keep.reshape(size.shape)
