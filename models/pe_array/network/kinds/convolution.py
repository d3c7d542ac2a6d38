# SPDX-License-Identifier: Apache-2.0
"""Layers with weights: a convolution, and a fully connected layer, which is one of 1 x 1 on a map of one pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from models.lib.fixed_point import round_shift
from models.lib.toml_section import ConfigError, Section
from models.pe_array.isa.pe_command import Op
from models.pe_array.isa.shapes import KERNEL_MAX, Conv
from models.pe_array.isa.widths import BIAS_SHIFT_MAX
from models.pe_array.network import float_layers, layers
from models.pe_array.network.float_layers import FloatArray, IntArray
from models.pe_array.network.kinds.window_keys import OF_WINDOWS, padding, pair
from models.pe_array.network.layer import (
    CHANNELS_MAX,
    FRAC_LIMIT,
    NO_FLOAT_INDICES,
    SIZE_MAX,
    Activations,
    Layer,
    Place,
)  # fmt: skip
from models.pe_array.network.layers import UNBIASED, Accumulators, Int8Array, Int32Array, UInt8Array
from models.pe_array.network.weights import Weights
from models.pe_array.tiles.tiling import PhaseGeometry

LOGIT_FRAC_MAX = 7
BIAS_FRAC = 16
BIAS_RANGE_LOG2 = 3
"""Of the biases' masters, where a configuration does not say."""


@dataclass(frozen=True)
class Convolution(Layer):
    """Sums of products with the kernels of a CSB matrix."""

    kind = "conv"
    has_weights = True
    may_add = True

    window: Conv

    @classmethod
    def read(cls, table: Section, place: Place) -> Layer:
        """See ``Layer.read``."""
        kernel, stride = pair(table, "kernel", 1, KERNEL_MAX), pair(table, "stride", 1, SIZE_MAX, 1)
        pad, dilation = padding(table), pair(table, "dilation", 1, SIZE_MAX, 1)
        groups, outputs = table.integer("groups", 1, CHANNELS_MAX, 1), cls._outputs(table)
        return cls._read(table, place, Conv.make(outputs, place.shape[0], kernel, stride, pad, dilation, groups))

    @staticmethod
    def _outputs(table: Section) -> int:
        return table.integer("outputs", 1, CHANNELS_MAX)

    @classmethod
    def _read(cls, table: Section, place: Place, conv: Conv) -> Layer:
        weight_frac = table.integer("weight_frac", 0, FRAC_LIMIT)
        density = table.real("density", 1e-6, 1.0, 1.0)
        rate_shift = table.integer("rate_shift", 0, 15, 0)
        init_scale = table.real("init_scale", 0.0, 16.0, 1.0)
        out_frac = table.integer("out_frac", 0, LOGIT_FRAC_MAX if place.last else FRAC_LIMIT)
        delta_frac = place.widths.data - 1 if place.last else table.integer("delta_frac", 0, FRAC_LIMIT)
        out_shape = (conv.rows, *conv.out_size(*place.shape[1:]))
        relu = table.flag("relu", not place.last)
        bias, clip = table.flag("bias", False), 0
        if table.given("clip"):
            clip = cls._clip(table, relu, out_frac, place.widths.data)
        return cls(
            conv, place.shape, out_shape, relu, place.frac, out_frac, place.delta_frac, delta_frac, weight_frac,
            place.widths, density, init_scale, rate_shift, place.name, place.reads, bias=bias, clip=clip,
            bias_frac=cls._bias_frac(table, place, weight_frac) if bias else 0,
        )  # fmt: skip

    @staticmethod
    def _clip(table: Section, relu: bool, out_frac: int, bits: int) -> int:
        """Most of the outputs, raw: at most what their bits hold."""
        clip = table.real("clip", 2.0**-FRAC_LIMIT, float(1 << bits))
        if not relu:
            raise ConfigError(f"{table.key('clip')} = {clip} needs {table.key('relu')} = true")
        raw = min(int(clip * 2.0**out_frac + 0.5), (1 << (bits - 1)) - 1)
        if raw < 1:
            raise ConfigError(f"{table.key('clip')} = {clip} must be at least {2.0**-out_frac}, an output of 1")
        return raw

    @staticmethod
    def _bias_frac(table: Section, place: Place, weight_frac: int) -> int:
        """Fraction bits of the biases: 16, or what is next to it that the hardware and a range of 8 allow."""
        sums = place.frac + weight_frac
        usual = max(sums, min(BIAS_FRAC, place.widths.master - 1 - BIAS_RANGE_LOG2, sums + BIAS_SHIFT_MAX))
        return table.integer("bias_frac", sums, sums + BIAS_SHIFT_MAX, usual)

    @property
    def scale(self) -> int:
        """Those of the weights."""
        return self.weight_frac

    @property
    def backward_terms(self) -> int:
        """Of the output channels that share a group, and the taps of a kernel."""
        return self.window.rows // self.window.groups * self.window.taps

    def forward_phase(self) -> PhaseGeometry:
        """FF."""
        return PhaseGeometry(Op.MAC, self.inner_window, *self.inner_size, preset=self.preset)

    def backward_phase(self) -> PhaseGeometry:
        """NG."""
        return PhaseGeometry(Op.MAC, self.window, *self.in_shape[1:], backward=True)

    def feedforward(self, x: Int8Array, weights: Weights | None, added: Int8Array | None) -> Activations:
        """See ``Layer.feedforward``."""
        assert weights is not None
        window = self.inner_window
        assert isinstance(window, Conv)
        acc = layers.conv_forward(window, self.bordered(x), weights.positions, weights.mac)
        biases = round_shift(weights.bias, self.bias_shift) if self.bias else UNBIASED
        return self.rounded(acc, added, biases)

    def input_gradient(self, d: Int8Array, indices: UInt8Array, weights: Weights | None) -> Accumulators:
        """See ``Layer.input_gradient``."""
        assert weights is not None
        return layers.conv_input_gradient(self.window, d, weights.positions, weights.mac, *self.in_shape[1:])

    def weight_gradient(self, x: Int8Array, d: Int8Array, weights: Weights | None) -> Int32Array:
        """See ``Layer.weight_gradient``."""
        assert weights is not None
        return layers.conv_weight_gradient(self.window, x, d, weights.positions)

    def float_forward(self, x: FloatArray, w: FloatArray) -> tuple[FloatArray, IntArray]:
        """See ``Layer.float_forward``."""
        return float_layers.conv_forward(self.window, x, w), NO_FLOAT_INDICES

    def float_input_gradient(self, d: FloatArray, indices: IntArray, w: FloatArray) -> FloatArray:
        """See ``Layer.float_input_gradient``."""
        return float_layers.conv_input_gradient(self.window, d, w, *self.in_shape[1:])

    def float_weight_gradient(self, x: FloatArray, d: FloatArray) -> FloatArray:
        """See ``Layer.float_weight_gradient``."""
        return float_layers.conv_weight_gradient(self.window, x, d)


@dataclass(frozen=True)
class Dense(Convolution):
    """Fully connected: reads its input as one pixel of all its values."""

    kind = "dense"

    @classmethod
    def read(cls, table: Section, place: Place) -> Layer:
        """See ``Layer.read``."""
        for key in (*OF_WINDOWS, "groups"):
            if table.given(key):
                raise ConfigError(f"{table.key(key)}: a dense layer reads its input as one pixel and has no {key}")
        values = math.prod(place.shape)
        return cls._read(table, replace(place, shape=(values, 1, 1)), Conv(rows=cls._outputs(table), cols=values))
