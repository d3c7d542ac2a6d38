# SPDX-License-Identifier: Apache-2.0
"""A map as it is, with other scales, or with a second map added: what is left of a network that somebody else trained.

It has no name in configurations: a network that the array trains adds maps to the sums of layers with weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.lib.toml_section import Section
from models.pe_array.isa.pe_command import Op
from models.pe_array.network.averages import MULTIPLIER_MAX
from models.pe_array.network.float_layers import FloatArray, IntArray
from models.pe_array.network.kinds.channel_wise import ChannelWise
from models.pe_array.network.layer import NO_FLOAT_INDICES, Activations, Layer, Place
from models.pe_array.network.layers import Accumulators, Int8Array, UInt8Array
from models.pe_array.network.weights import Weights
from models.pe_array.tiles.tiling import PhaseGeometry


@dataclass(frozen=True)
class Identity(ChannelWise):
    """Every pixel times ``factor``, 1 … 127: a scale of 2 and more needs it, because multipliers end there."""

    kind = "identity"
    may_add = True

    factor: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.factor <= MULTIPLIER_MAX:
            raise ValueError(f"factor = {self.factor} must be 1 … {MULTIPLIER_MAX}")

    @classmethod
    def read(cls, table: Section, place: Place) -> Layer:
        """ValueError: configurations do not have it."""
        raise ValueError("is of frozen networks alone")

    @property
    def multiplier(self) -> int:
        """The factor."""
        return self.factor

    @property
    def scale(self) -> int:
        """The factor adds no fraction bits."""
        return 0

    def forward_phase(self) -> PhaseGeometry:
        """FF."""
        return PhaseGeometry(Op.MAC, self.window, *self.in_shape[1:], one_weight=True, preset=self.preset)

    def backward_phase(self) -> PhaseGeometry:
        """NG."""
        return PhaseGeometry(Op.MAC, self.window, *self.in_shape[1:], backward=True, one_weight=True)

    def feedforward(self, x: Int8Array, weights: Weights | None, added: Int8Array | None) -> Activations:
        """See ``Layer.feedforward``."""
        return self.rounded(x.astype(np.int32) * np.int32(self.factor), added)

    def input_gradient(self, d: Int8Array, indices: UInt8Array, weights: Weights | None) -> Accumulators:
        """See ``Layer.input_gradient``."""
        return d.astype(np.int32) * np.int32(self.factor)

    def float_forward(self, x: FloatArray, w: FloatArray) -> tuple[FloatArray, IntArray]:
        """See ``Layer.float_forward``."""
        return self.factor * x, NO_FLOAT_INDICES

    def float_input_gradient(self, d: FloatArray, indices: IntArray, w: FloatArray) -> FloatArray:
        """See ``Layer.float_input_gradient``."""
        return self.factor * d
