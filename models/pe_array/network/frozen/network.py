# SPDX-License-Identifier: Apache-2.0
"""A network that is not trained: layers with their scales, and weights.

Bit-exact, like ``PeNetwork`` without a way back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.pe_array.isa import assumed
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.parameters import default
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.widths import STANDARD, Widths
from models.pe_array.network.layer import IMAGE, Layer, Shape
from models.pe_array.network.layers import ACC_BITS, Int8Array
from models.pe_array.network.trace import Trace, forward
from models.pe_array.network.weights import Weights


@dataclass(frozen=True)
class FrozenConfig:
    """A network without a training.

    Attributes:
        name: of results.
        in_shape: (channels, H, W) of the images.
        layers: in order; the last one makes the outputs.
        batch: images at a time, and MACs of a PE: 8, 16, 32 or 64.
        zero: zero point of the images.
        pes: PEs of the array.
        widths: of data and masters, parameters of that array.
        clock_mhz: for which times are reported.
    """

    name: str
    in_shape: Shape
    layers: tuple[Layer, ...]
    batch: int
    zero: int = 0
    pes: int = 8
    widths: Widths = STANDARD
    clock_mhz: float = assumed.CLOCK_MHZ

    @property
    def classes(self) -> int:
        """Channels of the last layer."""
        return self.layers[-1].out_shape[0]

    @property
    def logit_frac(self) -> int:
        """Parameter f of the output delta, which is not made: the array's own."""
        return default("FRAC")

    def zero_of(self, index: int) -> int:
        """Zero point of the map of a layer, or of the images: pooling and concatenation keep that of what they read."""
        while index != IMAGE and self.layers[index].keeps_zero:
            index = self.layers[index].reads
        if index == IMAGE:
            return self.zero
        scaling = self.layers[index].scaling
        if scaling is None:
            return 0
        return scaling.zero if scaling.zero_out is None else scaling.zero_out

    @property
    def grid(self) -> Grid:
        """The array; memories of the PEs have their default depths."""
        return Grid(self.pes, PeShape(self.batch, ACC_BITS))


class FrozenNetwork:
    """A network with its weights, which never change.

    Args:
        config: its layers.
        weights: of every layer that has some, None for the others.

    Attributes:
        config, weights: as given.
        saturations: int64 (layers,), values clipped since construction.

    Raises:
        ValueError: a layer has no weights and should, or the other way around; its sums may not fit in accumulators; or
            zero points of a map and of what reads, adds or joins it differ.
    """

    def __init__(self, config: FrozenConfig, weights: list[Weights | None]) -> None:
        for index, (layer, own) in enumerate(zip(config.layers, weights, strict=True)):
            if layer.has_weights != (own is not None):
                must = "must" if layer.has_weights else "must not"
                raise ValueError(f"layer {index} of kind {layer.kind} {must} have weights")
            if own is not None:
                self._check_sums(config, index, own)
            self._check_zeros(config, index)
        self.config, self.weights = config, weights
        self.saturations = np.zeros(len(weights), dtype=np.int64)

    @staticmethod
    def _check_sums(config: FrozenConfig, index: int, own: Weights) -> None:
        layer, limit = config.layers[index], 1 << ACC_BITS - 1
        of_elements = np.abs(own.mac.astype(np.int64)).sum(axis=(1, 2))
        added = 0 if layer.preset is None else 1 << layer.preset
        most = (int(np.bincount(own.positions.row, of_elements, 1).max()) + added) << config.widths.data - 1
        if most >= limit:
            raise ValueError(
                f"layer {index} ({layer.name}) has sums of up to {most:,}, which must be less than {limit:,} to fit in "
                f"accumulators of {ACC_BITS} bits: smaller weights, or fewer of them"
            )

    @staticmethod
    def _check_zeros(config: FrozenConfig, index: int) -> None:
        layer, scaling = config.layers[index], config.layers[index].scaling
        zero_in = 0 if scaling is None else scaling.zero_in
        if layer.keeps_zero:
            zero_in = config.zero_of(layer.reads)
        expected = [(source, zero_in) for source in layer.sources]
        if layer.add is not None:
            expected.append((layer.add, 0 if scaling is None or scaling.addend is None else scaling.addend.zero))
        for source, zero in expected:
            if config.zero_of(source) != zero:
                raise ValueError(
                    f"layer {index} ({layer.name}) expects a zero point of {zero} in the map of layer {source}, "
                    f"which has {config.zero_of(source)}"
                )

    def layer_weights(self, index: int) -> Weights:
        """Weights of a layer. TypeError where it has none."""
        weights = self.weights[index]
        if weights is None:
            raise TypeError(f"layer {index} is {self.config.layers[index].kind} and has no weights")
        return weights

    def forward(self, images: Int8Array) -> Trace:
        """Phase FF of images int8 (channels, H, W, batch); ValueError where they have another shape."""
        trace = forward(self.config.layers, self.config.in_shape, self.weights, images)
        self.saturations += trace.saturated
        return trace

    def classify(self, images: Int8Array) -> npt.NDArray[np.int64]:
        """Classes (batch,) of images: of equal outputs, the first."""
        return np.asarray(self.forward(images).logits.argmax(axis=0), dtype=np.int64)
