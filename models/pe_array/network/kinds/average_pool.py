# SPDX-License-Identifier: Apache-2.0
"""Average pooling: sums of windows times one 8-bit number, which with a shift is near 1 / pixels of a window."""

from __future__ import annotations

from dataclasses import dataclass

from models.lib.toml_section import Section
from models.pe_array.isa.pe_command import Op
from models.pe_array.isa.shapes import Pool
from models.pe_array.network import float_layers, layers
from models.pe_array.network.float_layers import FloatArray, IntArray
from models.pe_array.network.kinds.channel_wise import ChannelWise
from models.pe_array.network.layer import FRAC_LIMIT, NO_FLOAT_INDICES, Activations, Layer, Place
from models.pe_array.network.layers import Accumulators, Int8Array, UInt8Array
from models.pe_array.network.weights import Weights
from models.pe_array.tiles.tiling import PhaseGeometry


@dataclass(frozen=True)
class AveragePool(ChannelWise):
    """A convolution of every channel by itself, all of whose weights are ``multiplier``."""

    kind = "average_pool"

    @classmethod
    def read(cls, table: Section, place: Place) -> Layer:
        """See ``Layer.read``."""
        out_frac = table.integer("out_frac", 0, FRAC_LIMIT, place.frac)
        delta_frac = table.integer("delta_frac", 0, FRAC_LIMIT, place.delta_frac)
        window = cls.make_window(table, place)
        out_shape = (place.shape[0], *window.out_size(*place.shape[1:]))
        return AveragePool.placed(window, place, out_shape, out_frac, delta_frac)

    @classmethod
    def make_window(cls, table: Section, place: Place) -> Pool:
        """The window on the map that it reads. ConfigError or ValueError."""
        return cls.read_window(table)

    @property
    def multiplier(self) -> int:
        """1 … 127. Scales of a frozen layer have all of the average."""
        return 1 if self.scaling is not None else layers.average_scale(self.window.taps)[0]

    @property
    def scale(self) -> int:
        """Those of the multiplier."""
        return layers.average_scale(self.window.taps)[1]

    def forward_phase(self) -> PhaseGeometry:
        """FF."""
        return PhaseGeometry(Op.MAC, self.inner_window, *self.inner_size, one_weight=True)

    def backward_phase(self) -> PhaseGeometry:
        """NG."""
        return PhaseGeometry(Op.MAC, self.window, *self.in_shape[1:], backward=True, one_weight=True)

    def feedforward(self, x: Int8Array, weights: Weights | None, added: Int8Array | None) -> Activations:
        """See ``Layer.feedforward``."""
        window = self.inner_window
        assert isinstance(window, Pool)
        return self.rounded(layers.average_pool(window, self.bordered(x), self.multiplier), added)

    def input_gradient(self, d: Int8Array, indices: UInt8Array, weights: Weights | None) -> Accumulators:
        """See ``Layer.input_gradient``."""
        return layers.average_pool_backward(self.window, d, *self.in_shape[1:], self.multiplier)

    def float_forward(self, x: FloatArray, w: FloatArray) -> tuple[FloatArray, IntArray]:
        """See ``Layer.float_forward``."""
        return float_layers.average_pool(self.window, x), NO_FLOAT_INDICES

    def float_input_gradient(self, d: FloatArray, indices: IntArray, w: FloatArray) -> FloatArray:
        """See ``Layer.float_input_gradient``."""
        return float_layers.average_pool_backward(self.window, d, *self.in_shape[1:])


@dataclass(frozen=True)
class GlobalAveragePool(AveragePool):
    """A name of configurations for the average pool whose window is the whole map, which is all that is left of it."""

    kind = "global_average_pool"

    @classmethod
    def make_window(cls, table: Section, place: Place) -> Pool:
        """The whole map. ValueError where it is larger than a window can be."""
        return Pool.make(place.shape[1:])
