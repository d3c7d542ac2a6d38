# SPDX-License-Identifier: Apache-2.0
"""Float64 twin of a network of the PE array: same layers, initial weights, order and rates, no rounding anywhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.pe_array import float_layers
from models.pe_array.config import PeConfig
from models.pe_array.float_layers import FloatArray, IntArray
from models.pe_array.layers import MAC_WEIGHT_SHIFT
from models.pe_array.network import PeNetwork
from models.pe_array.shapes import Pool


class FloatNetwork:
    """Twin of a network, dense, with that network's masters at the time of construction.

    Attributes:
        weights: float64 (rows, cols, KH, KW) per layer, empty for pooling.
        momenta: as weights; None in a training without momentum.
    """

    def __init__(self, network: PeNetwork) -> None:
        self.config: PeConfig = network.config
        self.weights: list[FloatArray] = []
        for layer, state in zip(self.config.layers, network.weights, strict=True):
            if state is None:
                self.weights.append(np.empty(0))
            else:
                real = state.masters / 2.0 ** (layer.weight_frac + MAC_WEIGHT_SHIFT)
                self.weights.append(state.positions.scatter(real, state.conv).astype(np.float64))
        decay = self.config.training.momentum_shift
        self.momenta = [np.zeros_like(w) if decay else None for w in self.weights]

    def forward(self, images: FloatArray) -> tuple[list[FloatArray], list[IntArray]]:
        """(inputs of all layers and the output of the last, indices of maxima) of images (channels, H, W, batch)."""
        maps: list[FloatArray] = [images]
        indices: list[IntArray] = []
        for layer, w in zip(self.config.layers, self.weights, strict=True):
            x: FloatArray = maps[-1].reshape(*layer.in_shape, -1)
            maps[-1] = x
            index = np.empty(0, dtype=np.int64)
            if not isinstance(layer.window, Pool):
                x = float_layers.conv_forward(layer.window, x, w)
            elif layer.kind == "max_pool":
                x, index = float_layers.max_pool(layer.window, x)
            else:
                x = float_layers.average_pool(layer.window, x)
            maps.append(float_layers.relu(x) if layer.relu else x)
            indices.append(index)
        return maps, indices

    def gradients(self, images: FloatArray, labels: IntArray) -> tuple[list[FloatArray], int]:
        """(gradients of the summed cross-entropy by all weights, empty for pooling; number of correct answers)."""
        maps, indices = self.forward(images)
        logits = maps[-1].reshape(self.config.classes, -1)
        d = float_layers.output_delta(logits, labels)
        found: list[FloatArray] = []
        for i in reversed(range(len(self.config.layers))):
            layer, x = self.config.layers[i], maps[i]
            d = d.reshape(*layer.out_shape, -1)
            if layer.relu:
                d = float_layers.relu_backward(d, maps[i + 1].reshape(d.shape))
            size = layer.in_shape[1], layer.in_shape[2]
            gradient = np.empty(0)
            if not isinstance(layer.window, Pool):
                gradient = float_layers.conv_weight_gradient(layer.window, x, d)
                d = float_layers.conv_input_gradient(layer.window, d, self.weights[i], *size) if i > 0 else d
            elif layer.kind == "max_pool":
                d = float_layers.max_pool_backward(layer.window, d, indices[i], *size)
            else:
                d = float_layers.average_pool_backward(layer.window, d, *size)
            found.append(gradient)
        return found[::-1], int((logits.argmax(axis=0) == labels).sum())

    def train_step(self, images: FloatArray, labels: IntArray, rate_shift: int) -> int:
        """One step on a batch; the number of correct answers before it."""
        found, correct = self.gradients(images, labels)
        for w, v, gradient in zip(self.weights, self.momenta, found, strict=True):
            float_layers.update(w, v, gradient, 2.0**-rate_shift, self.config.training.momentum_shift)
        return correct

    def classify(self, images: FloatArray) -> npt.NDArray[np.int64]:
        """Classes (batch,) of images."""
        logits = self.forward(images)[0][-1]
        return np.asarray(logits.reshape(logits.shape[0], -1).argmax(axis=0), dtype=np.int64)
