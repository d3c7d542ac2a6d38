# SPDX-License-Identifier: Apache-2.0
"""Bit-exact model of a network that the PE array trains: what a training step leaves in memory, LSB for LSB.

Maps are int8 (channels, H, W, batch), see layers.py; scales and shifts are those of the configuration.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.lib.array_file import Arrays, Expected
from models.lib.fixed_point import Format, pieces
from models.pe_array.isa.shapes import Conv, Positions
from models.pe_array.isa.widths import MOMENTUM_BITS, SHIFT_MAX
from models.pe_array.network import kernels, layers
from models.pe_array.network.config import PeConfig
from models.pe_array.network.layer import CHANNELS_MAX, NO_GRADIENTS, Layer
from models.pe_array.network.layers import HALF_UP, NO_BIAS, Int8Array, Int32Array, UInt16Array
from models.pe_array.network.output_delta import output_delta8
from models.pe_array.network.pruning import kept_elements, rescaled
from models.pe_array.network.random_words import PERIOD, RandomWords
from models.pe_array.network.trace import Trace, extend, forward
from models.pe_array.network.weights import Weights

Int64Array = npt.NDArray[np.int64]
FORWARD, BACKWARD, UPDATE = range(3)


def initial_weights(config: PeConfig, index: int) -> Weights:
    """Dense weights of a layer: normal with deviation ``sqrt(2 / fan-in)`` times both init_scale; the rest is zero."""
    layer, conv = config.layers[index], config.layers[index].conv
    positions = Positions.all_of(conv)
    fan_in = conv.cols // conv.groups * conv.taps
    rng = np.random.default_rng([config.training.init_seed, index])
    deviation = config.training.init_scale * layer.init_scale * np.sqrt(2.0 / fan_in)
    masters, raw = np.empty((len(positions), *conv.kernel), np.int32), Format(config.widths.master, layer.master_frac)
    flat = masters.reshape(-1)
    for piece in pieces(flat.size):
        flat[piece] = raw.quantise(rng.standard_normal(flat[piece].size) * deviation)
    bias = no_biases(layer)
    return Weights(conv, positions, masters, np.zeros_like(masters), config.widths, bias, bias.copy())


def no_biases(layer: Layer) -> Int32Array:
    """Zeros int32 for all biases of a layer: none where it has no biases."""
    return np.zeros(layer.out_shape[0] if layer.bias else 0, dtype=np.int32)


def expected_elements(config: PeConfig, index: int) -> dict[str, Expected]:
    """What a file holds of a layer: arrays ``row``, ``col``, ``masters`` and, of biases, ``bias``, with its number."""
    conv, limit, count = config.layers[index].conv, 1 << (config.widths.master - 1), f"elements of layer {index}"
    biases = {f"bias_{index}": Expected(np.int32, (conv.rows,), -limit, limit - 1)} if config.layers[index].bias else {}
    return biases | {
        f"row_{index}": Expected(np.int32, (count,), 0, conv.rows - 1),
        f"col_{index}": Expected(np.int32, (count,), 0, conv.cols - 1),
        f"masters_{index}": Expected(np.int32, (count, *conv.kernel), -limit, limit - 1),
    }


def read_positions(arrays: Arrays, conv: Conv, index: int) -> Positions:
    """Positions of ``expected_elements``. Raises ValueError, with the arrays' names."""
    positions = Positions(arrays[f"row_{index}"], arrays[f"col_{index}"])
    try:
        positions.check(conv)
        if not len(positions):
            raise ValueError("there are no elements; pruning leaves at least one")
    except ValueError as error:
        raise ValueError(f"row_{index}, col_{index}: {error}") from None
    return positions


def check_update_shifts(config: PeConfig, rate_shift: int) -> None:
    """ValueError where the rate 2**-rate_shift is out of reach of an update's shift."""
    for i, layer in enumerate(config.layers):
        for what, shift in layer.update_shifts(rate_shift).items() if layer.has_weights else ():
            if not 0 <= shift <= SHIFT_MAX:
                raise ValueError(f"layer {i}: {what} = {shift} must be 0 … {SHIFT_MAX}")


class PeNetwork:
    """A network with its weights; these change as it trains.

    Attributes:
        weights: state per layer, None where it has none.
        saturations: int64 (3, layers), values clipped since construction: on the way forward, logits included; on the
            way back, in the gradients by the layer's output (not counted for the last); masters and momenta in updates.
        pruned: whether ``prune`` has happened.
        random: words of stochastic rounding, None where all rounds half up. Their order must be set before the first
            step and after ``prune``, which forgets it.
    """

    def __init__(self, config: PeConfig) -> None:
        self.config = config
        self.weights = [
            initial_weights(config, i) if layer.has_weights else None for i, layer in enumerate(config.layers)
        ]
        self._elements = self._counts()
        self.saturations = np.zeros((3, len(config.layers)), dtype=np.int64)
        self.pruned = False
        self.random = RandomWords(config) if config.training.stochastic else None
        self._bits = config.widths.data
        self._unused = np.empty(CHANNELS_MAX, dtype=np.int8)  # MAC weights of biases

    def _counts(self) -> list[int]:
        """Elements of every layer."""
        return [len(weights.positions) if weights else 0 for weights in self.weights]

    def begin_with(self, weights: list[Weights | None]) -> None:
        """Weights with which the training begins, in place of random ones."""
        self.weights = weights
        self._elements = self._counts()

    def layer_weights(self, index: int) -> Weights:
        """Weights of a layer. TypeError where it has none."""
        weights = self.weights[index]
        if weights is None:
            raise TypeError(f"layer {index} is {self.config.layers[index].kind} and has no weights")
        return weights

    @property
    def density(self) -> float:
        """Share of all weights that are still there."""
        kept = sum(weights.masters.size for weights in self.weights if weights)
        return kept / sum(layer.weights for layer in self.config.layers if layer.has_weights)

    def prune(self) -> None:
        """Prune every layer to its density; in a training that rewinds, what is left gets its initial weights again.

        In one that rescales, the norm of each layer's weights stays as it is: it is what passes signals on.
        """
        training = self.config.training
        for index, (layer, weights) in enumerate(zip(self.config.layers, self.weights, strict=True)):
            if weights:
                whole = weights.masters
                weights.prune(layer.density)
                if training.rewind:
                    first = initial_weights(self.config, index)
                    whole = first.masters
                    weights.masters = weights.positions.gather(first.positions.scatter(whole, layer.conv)).astype("i4")
                    weights.momenta = np.zeros_like(weights.masters)
                    weights.bias, weights.bias_momenta = first.bias, first.bias_momenta
                if training.rescale:
                    weights.masters = rescaled(weights.masters, whole, self.config.widths.master)
                weights.refresh()
        self.pruned = True
        if self.random:
            self.random.order = None

    def state(self) -> Arrays:
        """All that the rest of a training depends on, and what was counted: arrays by name, for ``restore``."""
        arrays: Arrays = {"pruned": np.array(self.pruned), "saturations": self.saturations}
        if self.random:
            arrays["random_words"] = self.random.taken
        for i, weights in enumerate(self.weights):
            if weights:
                arrays |= {f"row_{i}": weights.positions.row, f"col_{i}": weights.positions.col}
                arrays |= {f"masters_{i}": weights.masters, f"momenta_{i}": weights.momenta}
                if self.config.layers[i].bias:
                    arrays |= {f"bias_{i}": weights.bias, f"bias_momenta_{i}": weights.bias_momenta}
        return arrays

    def expected(self) -> dict[str, Expected]:
        """What a ``state`` of this training can be, at any step."""
        momentum = 1 << (MOMENTUM_BITS - 1) if self.config.training.momentum_shift else 0
        found = {
            "pruned": Expected(np.bool_),
            "saturations": Expected(np.int64, self.saturations.shape, 0, np.iinfo(np.int64).max),
        }
        if self.random:
            found["random_words"] = Expected(np.int64, (2,), 0, PERIOD - 1)
        for i, layer in enumerate(self.config.layers):
            if layer.has_weights:
                found |= expected_elements(self.config, i)
                names = {"masters": "momenta"} | ({"bias": "bias_momenta"} if layer.bias else {})
                for masters, momenta in names.items():
                    found[f"{momenta}_{i}"] = replace(
                        found[f"{masters}_{i}"], low=-momentum, high=momentum - 1 if momentum else 0
                    )
        return found

    def restore(self, arrays: Arrays) -> None:
        """Go on from a ``state`` that is as ``expected``.

        Raises:
            ValueError: elements are at no positions of a training of this network; then nothing has changed.
        """
        pruned, restored = bool(arrays["pruned"]), []
        for i, (layer, count) in enumerate(zip(self.config.layers, self._elements, strict=True)):
            weights = None
            if layer.has_weights:
                positions = read_positions(arrays, layer.conv, i)
                left = min(count, kept_elements(layer.conv, layer.density)) if pruned else count
                if len(positions) != left:
                    state = "pruned" if pruned else "not pruned"
                    raise ValueError(f"row_{i} has {len(positions)} elements, must have {left}: the network is {state}")
                masters, momenta = arrays[f"masters_{i}"], arrays[f"momenta_{i}"]
                weights = Weights(layer.conv, positions, masters, momenta, self.config.widths)
                if layer.bias:
                    weights.bias, weights.bias_momenta = arrays[f"bias_{i}"], arrays[f"bias_momenta_{i}"]
            restored.append(weights)
        self.pruned, self.saturations, self.weights = pruned, arrays["saturations"], restored
        if self.random:
            self.random.taken, self.random.order = arrays["random_words"], None

    def forward(self, images: Int8Array) -> Trace:
        """Phase FF of images (channels, H, W, batch)."""
        trace = forward(self.config.layers, self.config.in_shape, self.weights, images)
        self.saturations[FORWARD] += trace.saturated
        return trace

    def forward_stage(self, trace: Trace, images: Int8Array, stage: range) -> None:
        """Phase FF of these layers, for images that have come as far as to them."""
        extend(trace, self.config.layers[: stage.stop], self.weights, images)
        self.saturations[FORWARD, stage.start : stage.stop] += trace.saturated[stage.start :]

    def backward(self, trace: Trace, labels: npt.ArrayLike) -> None:
        """Output delta, phases NG and WG of the batch: fills deltas and gradients of the trace."""
        self.output_delta(trace, labels)
        self.backward_stage(trace, range(len(self.config.layers)))
        if self.random:
            self.random.deltas_done()

    def output_delta(self, trace: Trace, labels: npt.ArrayLike) -> None:
        """Gradient by the logits: begins the way back."""
        count = len(self.config.layers)
        trace.deltas = [np.empty(0, dtype=np.int8)] * count
        trace.gradients = [NO_GRADIENTS] * count
        trace.bias_gradients = [NO_BIAS] * count
        softmax = self.config.training.softmax
        delta = output_delta8(trace.logits, labels, self.config.logit_frac, self._bits, softmax).astype(np.int8)
        trace.deltas[-1] = delta.reshape(trace.outputs[-1].shape)

    def backward_stage(self, trace: Trace, stage: range) -> None:
        """Phases NG and WG of these layers: the gradient by the output of the last one is there.

        That by the map that the first one reads is made, too, where a layer before them makes it.
        """
        for i in reversed(stage):
            layer = self.config.layers[i]
            trace.gradients[i] = layer.weight_gradient(trace.inputs[i], trace.deltas[i], self.weights[i])
            if layer.bias:
                trace.bias_gradients[i] = layers.bias_gradient(trace.deltas[i])
            if i > 0:
                self._delta(i - 1, trace)

    def _delta(self, i: int, trace: Trace) -> None:
        """Gradient by the output of layer i, with the derivative of a ReLU, from those of the layers behind.

        Every pass is rounded to the width of data once, with all that it begins with.
        """
        output = trace.outputs[i]
        for number, each in enumerate(self.config.passes(i)):
            if each.skip:
                acc: layers.Accumulators = trace.deltas[each.layer][each.channels(output)].astype(np.int32)
            else:
                acc = self._input_gradient(each.layer, trace)
            acc = acc.reshape(output.shape)
            if each.preset is not None:
                begin = trace.deltas[each.preset][each.preset_channels(output)].reshape(output.shape)
                acc = layers.add_residual(acc, begin, each.preset_shift)
            mask, high = (None, layers.NO_LIMIT) if each.relu is None else (output, self.config.layers[each.relu].high)
            random = self.random.of_delta(i, number) if self.random else HALF_UP
            result = layers.requantise(acc, each.shift, mask=mask, random=random, bits=self._bits, high=high)
            self.saturations[BACKWARD, i] += result.saturated
            trace.deltas[i] = result.values

    def _input_gradient(self, i: int, trace: Trace) -> layers.Accumulators:
        """Sums of NG."""
        return self.config.layers[i].input_gradient(trace.deltas[i], trace.indices[i], self.weights[i])

    def update(self, trace: Trace, rate_shift: int, stage: range | None = None) -> None:
        """Update all weights, or those of some layers, with the gradients of a trace, at the rate 2**-rate_shift.

        Raises:
            ValueError: the rate is out of reach of a layer's update shift, 0 … 31, or of the weight decay.
        """
        weight_decay = self.config.training.weight_decay(rate_shift)
        check_update_shifts(self.config, rate_shift)
        for i in stage or range(len(self.weights)):
            layer, weights = self.config.layers[i], self.weights[i]
            if weights:
                self.saturations[UPDATE, i] += self._updated(
                    trace.gradients[i].reshape(-1), weights.masters.reshape(-1), weights.momenta.reshape(-1),
                    weights.mac.reshape(-1), layer.update_shift(rate_shift), weight_decay,
                    self.random.of_update(i) if self.random else HALF_UP,
                )  # fmt: skip
                if layer.bias:
                    self.saturations[UPDATE, i] += self._updated(
                        trace.bias_gradients[i], weights.bias, weights.bias_momenta, self._unused[: len(weights.bias)],
                        layer.bias_update_shift(rate_shift), 0, self.random.of_biases(i) if self.random else HALF_UP,
                    )  # fmt: skip
        if self.random:
            self.random.updates_done()

    def _updated(
        self, gradients: Int32Array, masters: Int32Array, momenta: Int32Array, mac: Int8Array, shift: int,
        weight_decay: int, random: UInt16Array,
    ) -> int:  # fmt: skip
        """Update some masters, all arrays flat; how many masters and momenta were clipped."""
        training = self.config.training
        return int(
            kernels.update(
                gradients, masters, momenta, mac, shift, training.momentum_shift, training.nesterov, weight_decay,
                self.config.widths.master, self._bits, random,
            )
        )  # fmt: skip

    def train_step(self, images: Int8Array, labels: npt.ArrayLike, rate_shift: int) -> Trace:
        """One step on a batch: forward, backward, update."""
        trace = self.forward(images)
        self.backward(trace, labels)
        self.update(trace, rate_shift)
        return trace

    def classify(self, images: Int8Array) -> Int64Array:
        """Classes (batch,) of images: of equal logits, the first."""
        return np.asarray(self.forward(images).logits.argmax(axis=0), dtype=np.int64)
