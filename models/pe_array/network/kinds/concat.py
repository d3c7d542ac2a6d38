# SPDX-License-Identifier: Apache-2.0
"""Several maps of one size behind each other, channel after channel: they lie like that in memory, at no cost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from models.lib.toml_section import Section
from models.pe_array.isa.pe_command import Op
from models.pe_array.isa.shapes import Pool
from models.pe_array.network.float_layers import FloatArray, IntArray
from models.pe_array.network.kinds.channel_wise import ChannelWise
from models.pe_array.network.layer import FRAC_LIMIT, NO_FLOAT_INDICES, NO_INDICES, Activations, Layer, Place
from models.pe_array.network.layers import Accumulators, Int8Array, UInt8Array
from models.pe_array.network.weights import Weights
from models.pe_array.tiles.tiling import PhaseGeometry


@dataclass(frozen=True)
class Concat(ChannelWise):
    """Its input is what its sources are behind each other, and so is its output.

    Attributes:
        more: the sources behind the first one, ``reads``.
        counts: channels of every source.
    """

    kind = "concat"
    keeps_zero = True
    joins = True

    more: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()

    @classmethod
    def read(cls, table: Section, place: Place) -> Layer:
        """See ``Layer.read``. The maps have one size and one number of fraction bits."""
        delta_frac = table.integer("delta_frac", 0, FRAC_LIMIT, place.delta_frac)
        for each in place.more:
            if each.shape[1:] != place.shape[1:]:
                sizes = " and ".join(" x ".join(map(str, one.shape)) for one in (place, each))
                raise ValueError(f"maps of {sizes} must have one height and width")
            if each.frac != place.frac:
                raise ValueError(f"maps of {place.frac} and {each.frac} fraction bits must have the same number")
        counts = tuple(each.shape[0] for each in (place, *place.more))
        shape = (sum(counts), *place.shape[1:])
        return cls(
            Pool(), shape, shape, False, place.frac, place.frac, place.delta_frac, delta_frac, widths=place.widths,
            name=place.name, reads=place.reads, more=tuple(each.reads for each in place.more), counts=counts,
        )  # fmt: skip

    @property
    def sources(self) -> tuple[int, ...]:
        """All of them, in the order of their channels."""
        return (self.reads, *self.more)

    def places_of(self, source: int) -> tuple[int, ...]:
        """See ``Layer.places_of``."""
        firsts = accumulate(self.counts, initial=0)
        return tuple(first for each, first in zip(self.sources, firsts, strict=False) if each == source)

    @property
    def scale(self) -> int:
        """Nothing is multiplied."""
        return 0

    @property
    def multiplier(self) -> int:
        """Of a pass that copies a source which cannot be made where it belongs."""
        return 1

    def forward_phase(self) -> PhaseGeometry:
        """FF of such a copy."""
        return PhaseGeometry(Op.MAC, self.window, *self.in_shape[1:], one_weight=True)

    def backward_phase(self) -> PhaseGeometry:
        """NG: each source has its channels of the gradient."""
        return PhaseGeometry(Op.MAC, self.window, *self.in_shape[1:], backward=True, one_weight=True)

    def feedforward(self, x: Int8Array, weights: Weights | None, added: Int8Array | None) -> Activations:
        """See ``Layer.feedforward``."""
        return Activations(x, NO_INDICES, saturated=0)

    def input_gradient(self, d: Int8Array, indices: UInt8Array, weights: Weights | None) -> Accumulators:
        """See ``Layer.input_gradient``."""
        return d.astype("i4")

    def float_forward(self, x: FloatArray, w: FloatArray) -> tuple[FloatArray, IntArray]:
        """See ``Layer.float_forward``."""
        return x, NO_FLOAT_INDICES

    def float_input_gradient(self, d: FloatArray, indices: IntArray, w: FloatArray) -> FloatArray:
        """See ``Layer.float_input_gradient``."""
        return d
