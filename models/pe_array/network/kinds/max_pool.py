# SPDX-License-Identifier: Apache-2.0
"""Max pooling: the largest value of every window; the way back goes to where it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.lib.toml_section import Section
from models.pe_array.isa.pe_command import Op
from models.pe_array.network import float_layers, layers
from models.pe_array.network.float_layers import FloatArray, IntArray
from models.pe_array.network.kinds.channel_wise import ChannelWise
from models.pe_array.network.layer import Activations, Layer, Place
from models.pe_array.network.layers import Accumulators, Int8Array, UInt8Array
from models.pe_array.network.requantise import AccumulatorField
from models.pe_array.network.weights import Weights
from models.pe_array.tiles.tiling import PhaseGeometry


@dataclass(frozen=True)
class MaxPool(ChannelWise):
    """Values as they come in, with the index of the first maximum of every window. Nothing is rounded.

    Of the scales of a frozen one its limits count, nothing else.
    """

    kind = "max_pool"
    drains = (AccumulatorField.VALUE, AccumulatorField.INDEX)
    pads_value = False
    keeps_zero = True

    @classmethod
    def read(cls, table: Section, place: Place) -> Layer:
        """See ``Layer.read``."""
        window = cls.read_window(table, place)
        out_shape = (place.shape[0], *window.out_size(*place.shape[1:]))
        return cls.placed(window, place, out_shape, place.frac, place.delta_frac)

    @property
    def scale(self) -> int:
        """None: there are no products."""
        return 0

    def forward_phase(self) -> PhaseGeometry:
        """FF."""
        return PhaseGeometry(Op.MAX, self.window, *self.in_shape[1:])

    def backward_phase(self) -> PhaseGeometry:
        """NG."""
        return PhaseGeometry(Op.UNPOOL, self.window, *self.in_shape[1:], backward=True)

    def feedforward(self, x: Int8Array, weights: Weights | None, added: Int8Array | None) -> Activations:
        """See ``Layer.feedforward``."""
        values, indices = layers.max_pool(self.window, x)
        if self.scaling is not None:
            values = np.clip(values, self.scaling.low, self.scaling.high)
        return Activations(values, indices, saturated=0)

    def input_gradient(self, d: Int8Array, indices: UInt8Array, weights: Weights | None) -> Accumulators:
        """See ``Layer.input_gradient``."""
        return layers.max_pool_backward(self.window, d, indices, *self.in_shape[1:])

    def float_forward(self, x: FloatArray, w: FloatArray) -> tuple[FloatArray, IntArray]:
        """See ``Layer.float_forward``."""
        return float_layers.max_pool(self.window, x)

    def float_input_gradient(self, d: FloatArray, indices: IntArray, w: FloatArray) -> FloatArray:
        """See ``Layer.float_input_gradient``."""
        return float_layers.max_pool_backward(self.window, d, indices, *self.in_shape[1:])
