# SPDX-License-Identifier: Apache-2.0
"""Float twin of a network of the PE array: same layers, initial weights, order and rates, no rounding anywhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.pe_array.network import float_layers
from models.pe_array.network.config import PeConfig
from models.pe_array.network.float_layers import FloatArray, IntArray
from models.pe_array.network.layer import IMAGE, NO_FLOAT_GRADIENTS, Layer
from models.pe_array.network.network import PeNetwork


class FloatNetwork:
    """Twin of a network, dense, with that network's masters at the time of construction.

    Attributes:
        weights: (rows, cols, KH, KW) per layer, empty where it has none.
        biases: (rows,) per layer, empty where it has none.
        momenta, bias_momenta: as weights and biases; None in a training without momentum.
        maps, deltas: outputs of every layer, and gradients by them, of the batch of the last ``gradients``.
    """

    def __init__(self, network: PeNetwork, dtype: npt.DTypeLike = np.float64) -> None:
        """``dtype``: of all that it computes. float32 is twice as fast and enough for a training."""
        self.config: PeConfig = network.config
        self.dtype = np.dtype(dtype)
        self.weights: list[FloatArray] = []
        self.biases: list[FloatArray] = []
        for layer, state in zip(self.config.layers, network.weights, strict=True):
            real, bias = np.empty(0, self.dtype), np.empty(0, self.dtype)
            if state:
                dense = state.positions.scatter(state.masters / 2.0**layer.master_frac, state.conv)
                real = dense.astype(self.dtype)
                bias = (state.bias / 2.0**layer.bias_frac).astype(self.dtype)
            self.weights.append(real)
            self.biases.append(bias)
        self.maps: list[FloatArray] = []
        self.deltas: list[FloatArray] = []
        decay = self.config.training.momentum_shift
        self.momenta = [np.zeros_like(w) if decay else None for w in self.weights]
        self.bias_momenta = [np.zeros_like(b) if decay else None for b in self.biases]

    def forward(self, images: FloatArray) -> tuple[list[FloatArray], list[IntArray]]:
        """(outputs of all layers, their indices) of images (channels, H, W, batch)."""
        images = images.astype(self.dtype)
        maps: list[FloatArray] = []
        indices: list[IntArray] = []
        for i in range(len(self.config.layers)):
            sums, index = self.sums(i, maps, images)
            maps.append(self.output(i, sums))
            indices.append(index)
        return maps, indices

    def sums(self, i: int, maps: list[FloatArray], images: FloatArray) -> tuple[FloatArray, IntArray]:
        """(what layer i makes, before its ReLU; indices), of the images and the outputs of the layers before it."""
        layer = self.config.layers[i]
        x, index = layer.float_forward(self.read(i, maps, images), self.weights[i])
        if layer.bias:
            x = x + self.biases[i][:, None, None, None]
        if layer.add is not None:
            x = x + self._map(maps, images, layer.add).reshape(x.shape)
        return x, index

    def output(self, i: int, sums: FloatArray) -> FloatArray:
        """The output of layer i."""
        layer = self.config.layers[i]
        return float_layers.relu(sums, self._high(layer)) if layer.relu else sums

    def read(self, i: int, maps: list[FloatArray], images: FloatArray) -> FloatArray:
        """The map that layer i reads."""
        layer = self.config.layers[i]
        sources = [self._map(maps, images, source) for source in layer.sources]
        return np.concatenate(sources).reshape(*layer.in_shape, -1)

    @staticmethod
    def _high(layer: Layer) -> float:
        """Limit of a layer's outputs."""
        return layer.clip / 2.0**layer.out_frac if layer.clip else np.inf

    @staticmethod
    def _map(maps: list[FloatArray], images: FloatArray, index: int) -> FloatArray:
        return images if index == IMAGE else maps[index]

    def gradients(self, images: FloatArray, labels: IntArray) -> tuple[list[FloatArray], list[FloatArray], int]:
        """(gradients of the summed cross-entropy by every layer's weights; by its biases; number of correct answers).

        Gradients are empty where a layer has no weights, or no biases.
        """
        images = images.astype(self.dtype)
        maps, indices = self.forward(images)
        logits = maps[-1].reshape(self.config.classes, -1)
        deltas = [np.zeros_like(each) for each in maps]  # by the outputs: what the layers behind have added so far
        delta = float_layers.output_delta(logits, labels, self.config.training.softmax)
        deltas[-1] += delta.reshape(maps[-1].shape)
        found: list[FloatArray] = []
        biases: list[FloatArray] = []
        for i in reversed(range(len(self.config.layers))):
            layer, d = self.config.layers[i], deltas[i]
            if layer.relu:
                d = deltas[i] = float_layers.relu_backward(d, maps[i], self._high(layer))
            if layer.add is not None and layer.add != IMAGE:
                deltas[layer.add] += d.reshape(deltas[layer.add].shape)
            x = self.read(i, maps, images)
            found.append(layer.float_weight_gradient(x, d))
            biases.append(float_layers.bias_gradient(d) if layer.bias else NO_FLOAT_GRADIENTS)
            for source in {*layer.sources} - {IMAGE}:
                for first in layer.places_of(source):
                    deltas[source] += d[first : first + len(deltas[source])]
            if layer.joins or layer.reads == IMAGE:
                continue
            d = layer.float_input_gradient(d, indices[i], self.weights[i])
            deltas[layer.reads] += d.reshape(deltas[layer.reads].shape)
        self.maps, self.deltas = maps, deltas
        return found[::-1], biases[::-1], int((logits.argmax(axis=0) == labels).sum())

    def train_step(self, images: FloatArray, labels: IntArray, rate_shift: int) -> int:
        """One step on a batch; the number of correct answers before it."""
        found, biases, correct = self.gradients(images, labels)
        training = self.config.training
        decay, weight_decay = training.momentum_shift, training.weight_decay(rate_shift)
        for i, layer in enumerate(self.config.layers):
            rate = 2.0 ** -(rate_shift + layer.rate_shift)
            for w, v, gradient, shrink in (
                (self.weights[i], self.momenta[i], found[i], weight_decay),
                (self.biases[i], self.bias_momenta[i], biases[i], 0),
            ):
                float_layers.update(w, v, gradient, rate, decay, nesterov=training.nesterov, weight_decay=shrink)
        return correct

    def classify(self, images: FloatArray) -> npt.NDArray[np.int64]:
        """Classes (batch,) of images."""
        logits = self.forward(images)[0][-1]
        return np.asarray(logits.reshape(logits.shape[0], -1).argmax(axis=0), dtype=np.int64)
