# SPDX-License-Identifier: Apache-2.0
"""Average pooling: sums of windows times 8-bit numbers, which with a shift are near 1 / pixels of a window."""

from __future__ import annotations

from dataclasses import dataclass

from models.lib.toml_section import Section
from models.pe_array.isa.pe_command import Op
from models.pe_array.isa.shapes import KERNEL_MAX, Pads, Pool, WholeMap
from models.pe_array.network import averages, float_layers, layers
from models.pe_array.network.float_layers import FloatArray, IntArray
from models.pe_array.network.kinds.channel_wise import ChannelWise
from models.pe_array.network.layer import FRAC_LIMIT, NO_FLOAT_INDICES, Activations, Layer, Place
from models.pe_array.network.layers import Accumulators, Int8Array, UInt8Array
from models.pe_array.network.weights import Weights
from models.pe_array.tiles.tiling import PhaseGeometry

PIXELS_MAX = (1 << 17) - 1
"""Of a map that is averaged as a whole: products of 8-bit numbers whose sum fits in 32 bits."""


@dataclass(frozen=True)
class AveragePool(ChannelWise):
    """A convolution of every channel by itself, whose weights are ``multipliers``.

    All taps have the same one, or, where padding does not count, those of a window have the same one.
    """

    kind = "average_pool"

    @classmethod
    def read(cls, table: Section, place: Place) -> Layer:
        """See ``Layer.read``."""
        out_frac = table.integer("out_frac", 0, FRAC_LIMIT, place.frac)
        delta_frac = table.integer("delta_frac", 0, FRAC_LIMIT, place.delta_frac)
        window = cls.make_window(table, place)
        if window.uneven:
            averages.check(window, *place.shape[1:], 1 << averages.base(window, *place.shape[1:])[1])
        out_shape = (place.shape[0], *window.out_size(*place.shape[1:]))
        return AveragePool.placed(window, place, out_shape, out_frac, delta_frac)

    @classmethod
    def make_window(cls, table: Section, place: Place) -> Pool:
        """The window on the map that it reads. ConfigError or ValueError."""
        return cls.read_window(table, place, averages=True)

    @property
    def multiplier(self) -> int:
        """1 … 127, of a window that lies on the map. Scales of a frozen layer have all of the average."""
        return 1 if self.scaling is not None else layers.average_scale(self.window.taps)[0]

    @property
    def multipliers(self) -> tuple[int, ...]:
        """One, or the table of ``averages``."""
        if not self.window.uneven:
            return (self.multiplier,)
        total, shift = averages.base(self.window, *self.in_shape[1:])
        return averages.table(self.window, 1 << shift if self.scaling is None else total)

    @property
    def scale(self) -> int:
        """Those of the multipliers."""
        if self.window.uneven:
            return averages.base(self.window, *self.in_shape[1:])[1]
        return layers.average_scale(self.window.taps)[1]

    @property
    def padding(self) -> Pads:
        """That which counts."""
        return self.window.pad if self.window.counted is None else self.window.counted

    @property
    def parts(self) -> int:
        """Of a map that is averaged as a whole and is too large for a window of the hardware."""
        return averages.parts(*self.in_shape[1:])[0] if isinstance(self.window, WholeMap) else 1

    @property
    def seen_shape(self) -> tuple[int, int, int]:
        """With parts as channels."""
        if self.parts == 1:
            return super().seen_shape
        return (self.in_shape[0] * self.parts, *averages.parts(*self.in_shape[1:])[1])

    def forward_phase(self) -> PhaseGeometry:
        """FF."""
        return self._phase(backward=False)

    def backward_phase(self) -> PhaseGeometry:
        """NG."""
        return self._phase(backward=True)

    def _phase(self, backward: bool) -> PhaseGeometry:
        size = self.seen_shape[1:]
        window = self.inner_window if self.parts == 1 else WholeMap(size, size)
        return PhaseGeometry(Op.MAC, window, *size, backward=backward, one_weight=True)

    def feedforward(self, x: Int8Array, weights: Weights | None, added: Int8Array | None) -> Activations:
        """See ``Layer.feedforward``."""
        window = self.inner_window
        assert isinstance(window, Pool)
        return self.rounded(averages.average(window, self.bordered(x), self.multipliers), added)

    def input_gradient(self, d: Int8Array, indices: UInt8Array, weights: Weights | None) -> Accumulators:
        """See ``Layer.input_gradient``."""
        if self.window.uneven or isinstance(self.window, WholeMap):
            return averages.average_backward(self.window, d, *self.in_shape[1:], self.multipliers)
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
        """The whole map."""
        return whole_window(*place.shape[1:])


def whole_window(height: int, width: int) -> Pool:
    """The window of an average over a whole map."""
    size = (height, width)
    if height * width > PIXELS_MAX:
        raise ValueError(f"a map of {height} x {width} has more than {PIXELS_MAX} pixels, whose sum may not fit")
    return Pool.make(size) if max(size) <= KERNEL_MAX else WholeMap(size, size)
