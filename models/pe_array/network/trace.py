# SPDX-License-Identifier: Apache-2.0
"""Maps of a batch on its way through the layers of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.lib.toml_section import ConfigError
from models.pe_array.network.layer import IMAGE, Layer, Shape
from models.pe_array.network.layers import Int8Array, Int32Array, UInt8Array
from models.pe_array.network.weights import Weights


@dataclass
class Trace:
    """Maps of one batch.

    Attributes:
        inputs: input of every layer.
        outputs: output of every layer, after requantising and ReLU.
        indices: of every layer that keeps them; empty for other layers.
        deltas: gradient by every layer's output, after its ReLU's derivative; filled by the way back.
        gradients: of every layer's weights (n, KH, KW), empty where it has none; filled by the way back.
        saturated: values that every layer clipped.
        bias_gradients: of every layer's biases (rows,), empty where it has none; filled by the way back.
    """

    inputs: list[Int8Array]
    outputs: list[Int8Array]
    indices: list[UInt8Array]
    deltas: list[Int8Array]
    gradients: list[Int32Array]
    saturated: list[int] = field(default_factory=list)
    bias_gradients: list[Int32Array] = field(default_factory=list)

    @property
    def logits(self) -> Int8Array:
        """The last map, flattened: (classes, batch)."""
        return self.outputs[-1].reshape(-1, self.outputs[-1].shape[-1])


def forward(layers: Sequence[Layer], in_shape: Shape, weights: Sequence[Weights | None], images: Int8Array) -> Trace:
    """Phase FF, bit-exact, of images (channels, H, W, batch). ValueError where they have another shape."""
    if images.ndim != 4 or images.shape[:3] != in_shape:
        raise ValueError(f"images {images.shape} must be (channels, H, W, batch) = {in_shape} + (batch,)")
    trace = Trace([], [], [], [], [])
    extend(trace, layers, weights, images)
    return trace


def extend(trace: Trace, layers: Sequence[Layer], weights: Sequence[Weights | None], images: Int8Array) -> None:
    """Phase FF of the layers behind those that a trace has, up to the last one that is given.

    Args:
        layers, weights: of the network, from its first layer on.
        images: (channels, H, W, batch).
    """

    def output(index: int) -> Int8Array:
        return images if index == IMAGE else trace.outputs[index]

    begin = len(trace.outputs)
    for layer, own in zip(layers[begin:], weights[begin : len(layers)], strict=True):
        sources = [output(index) for index in layer.sources]
        x = (sources[0] if len(sources) == 1 else np.concatenate(sources)).reshape(*layer.in_shape, -1)
        made = layer.feedforward(x, own, None if layer.add is None else output(layer.add))
        trace.inputs.append(x)
        trace.outputs.append(made.values)
        trace.indices.append(made.indices)
        trace.saturated.append(made.saturated)


def summed(traces: Sequence[Trace]) -> Trace:
    """The first of several traces, with the sums of the gradients of all: what an update of several arrays has.

    Raises:
        ConfigError: one does not fit in the 32 bits to which arrays add.
    """
    if len(traces) == 1:
        return traces[0]

    def sums(what: str, lists: Sequence[list[Int32Array]]) -> list[Int32Array]:
        added = [np.stack(each).sum(axis=0, dtype=np.int64) for each in zip(*lists, strict=True)]
        for index, each in enumerate(added):
            if not np.array_equal(each.astype(np.int32), each):
                raise ConfigError(
                    f"parallel.arrays = {len(traces)}: sums of {what} of layers[{index}] do not fit in 32 bits; those "
                    f"of fewer arrays are smaller, and those of a layer with a smaller delta_frac"
                )
        return [each.astype(np.int32) for each in added]

    return replace(
        traces[0], gradients=sums("gradients", [each.gradients for each in traces]),
        bias_gradients=sums("gradients of biases", [each.bias_gradients for each in traces]),
    )  # fmt: skip
