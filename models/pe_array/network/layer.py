# SPDX-License-Identifier: Apache-2.0
"""A layer of a network that the PE array trains: its place in the network, its scales, and what every kind must answer.

A kind of layer is a class below ``Layer``, in ``kinds``. Whoever works with a network asks the layer, never its kind:
docs/adding_a_layer.md shows what a new one needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from models.lib.toml_section import Section
from models.pe_array.isa.pe_command import Op
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.isa.widths import STANDARD, Widths
from models.pe_array.network import layers
from models.pe_array.network.float_layers import FloatArray, IntArray
from models.pe_array.network.layers import (
    NO_LIMIT,
    UNBIASED,
    Accumulators,
    Int8Array,
    Int32Array,
    Int64Array,
    UInt8Array,
)
from models.pe_array.network.requantise import AccumulatorField
from models.pe_array.network.scaling import Scaling
from models.pe_array.network.seen_map import SeenMap
from models.pe_array.network.weights import Weights
from models.pe_array.tiles.tiling import PhaseGeometry

IMAGE = -1
"""In place of a layer's number: the network's input."""
Shape = tuple[int, int, int]

FRAC_LIMIT = 24
"""Most fraction bits of anything but logits."""
SIZE_MAX = 1024
CHANNELS_MAX = 4096
"""Runs that a descriptor can name: a drain of more channels of a part of a map does not fit in one."""

NO_INDICES: UInt8Array = np.empty(0, dtype=np.uint8)
NO_GRADIENTS: Int32Array = np.empty(0, dtype=np.int32)
NO_FLOAT_INDICES: IntArray = np.empty(0, dtype=np.int64)
NO_FLOAT_GRADIENTS: FloatArray = np.empty(0)
"""Of layers that have none."""


@dataclass(frozen=True)
class Place:
    """Where a layer is in its network: what is known of it without its own keys.

    Attributes:
        name: by which other layers name its output.
        reads: the layer, always an earlier one, whose output it reads, or ``IMAGE``.
        shape: of that map, (channels, H, W).
        frac, delta_frac: fraction bits of that map, and of the gradient by it.
        last: it is the last layer, whose outputs are the logits.
        widths: of data and masters.
        more: places by the other maps of a layer that joins some.
    """

    name: str
    reads: int
    shape: Shape
    frac: int
    delta_frac: int
    last: bool
    widths: Widths
    more: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Activations:
    """What FF leaves of a layer.

    Attributes:
        values: its output, int8 (channels, OH, OW, batch).
        indices: uint8 of that shape where it keeps indices; else empty.
        saturated: values that were clipped.
    """

    values: Int8Array
    indices: UInt8Array
    saturated: int


@dataclass(frozen=True)
class Layer(SeenMap, ABC):
    """One layer with its place in the network, which trains it or has it *frozen*, with scales of its own.

    Maps are (channels, H, W, batch), ``d`` the gradient by the layer's output, ``weights`` None where it has none.

    Attributes:
        kind: its name in configurations.
        has_weights: it multiplies with a matrix in memory, which the training updates.
        may_add: another map may be added to its sums (key ``add``).
        keeps_zero: its output has the zero point of the map that it reads.
        joins: its output is the maps that it reads, behind each other.
        drains: fields of the accumulators of FF that are drained: the output first, then, in training, its indices.
        window: what it slides over its input; a convolution where it has weights.
        in_shape, out_shape: (channels, H, W); a dense layer's input is flattened.
        relu: activation after requantising.
        in_frac, out_frac: fraction bits of the activations that come in and go out.
        in_delta_frac, delta_frac: fraction bits of the gradients by those.
        weight_frac: fraction bits of the MAC weights.
        widths: of data and masters.
        density: share of the kernels (dense: of the weights) that pruning leaves.
        init_scale: factor of the initial weights' deviation; 0 lets a residual block begin as what it adds.
        rate_shift: what is added to the training's, for layers whose gradients are sums over many pixels.
        name: by which other layers name its output.
        reads: the layer, always an earlier one, whose output it reads, or ``IMAGE``.
        add: the layer, or ``IMAGE``, whose output is added to the sums before they are requantised; None: none.
        add_frac: fraction bits of that.
        bias: a number per output channel, trained too, is added to the sums before they are requantised.
        bias_frac: fraction bits of the masters of the biases; 0 where there are none.
        clip: most of the outputs behind a ReLU, raw; where they are as large there is no gradient; 0: as it comes.
        scaling: what becomes of its sums where it is frozen; None: shifts, which follow from fraction bits.
    """

    kind: ClassVar[str]
    has_weights: ClassVar[bool] = False
    may_add: ClassVar[bool] = False
    keeps_zero: ClassVar[bool] = False
    joins: ClassVar[bool] = False
    drains: ClassVar[tuple[AccumulatorField, ...]] = (AccumulatorField.SUM,)

    window: Conv | Pool
    in_shape: Shape
    out_shape: Shape
    relu: bool
    in_frac: int
    out_frac: int
    in_delta_frac: int
    delta_frac: int
    weight_frac: int = 0
    widths: Widths = STANDARD
    density: float = 1.0
    init_scale: float = 1.0
    rate_shift: int = 0
    name: str = ""
    reads: int = IMAGE
    add: int | None = None
    add_frac: int = 0
    bias: bool = False
    bias_frac: int = 0
    clip: int = 0
    scaling: Scaling | None = None

    # --- what a kind answers ---

    @classmethod
    @abstractmethod
    def read(cls, table: Section, place: Place) -> Layer:
        """The layer that a table of a configuration describes.

        Raises:
            ConfigError: a key is missing or breaks a rule.
            ValueError: its window cannot be, or does not fit on the map that it reads.
        """

    @property
    @abstractmethod
    def scale(self) -> int:
        """Fraction bits that the sums of FF and NG have more than what they are sums of."""

    @property
    def multiplier(self) -> int:
        """The one 8-bit weight of a layer whose products all have the same; 0: none."""
        return 0

    @property
    def multipliers(self) -> tuple[int, ...]:
        """Weights that all elements of a layer without a matrix have."""
        return (self.multiplier,)

    @property
    def backward_terms(self) -> int:
        """Products of 8-bit numbers that a sum of NG has at most."""
        return self.window.taps

    @abstractmethod
    def forward_phase(self) -> PhaseGeometry:
        """FF for the array: operation and geometry."""

    @abstractmethod
    def backward_phase(self) -> PhaseGeometry:
        """NG for the array: operation and geometry, with sums that begin with 0."""

    @abstractmethod
    def feedforward(self, x: Int8Array, weights: Weights | None, added: Int8Array | None) -> Activations:
        """FF, bit-exact, of a map of ``in_shape``; ``added``: the map of ``add``, None where there is none."""

    @abstractmethod
    def input_gradient(self, d: Int8Array, indices: UInt8Array, weights: Weights | None) -> Accumulators:
        """NG, bit-exact, before requantising: (channels, H, W, batch) of ``in_shape``."""

    def weight_gradient(self, x: Int8Array, d: Int8Array, weights: Weights | None) -> Int32Array:
        """WG, bit-exact: (n, KH, KW) at the elements of the weights."""
        return NO_GRADIENTS

    @abstractmethod
    def float_forward(self, x: FloatArray, w: FloatArray) -> tuple[FloatArray, IntArray]:
        """FF of the float twin, before an addition and ReLU: (sums, indices). ``w`` is dense (rows, cols, KH, KW)."""

    @abstractmethod
    def float_input_gradient(self, d: FloatArray, indices: IntArray, w: FloatArray) -> FloatArray:
        """NG of the float twin."""

    def float_weight_gradient(self, x: FloatArray, d: FloatArray) -> FloatArray:
        """WG of the float twin, dense (rows, cols, KH, KW)."""
        return NO_FLOAT_GRADIENTS

    # --- what is the same for all ---

    def rounded(
        self, acc: Accumulators, added: Int8Array | None = None, biases: Int64Array = UNBIASED
    ) -> Activations:  # fmt: skip
        """Sums of FF, and the map and the biases that are added to them, requantised."""
        if self.scaling is not None:
            scaled = self.scaling.requantise(acc, added, self.widths.data)
            return Activations(scaled.values, NO_INDICES, scaled.saturated)
        if added is not None:
            acc = layers.add_residual(acc, added.reshape(acc.shape), self.add_shift)
        made = layers.requantise(
            acc, self.forward_shift, self.relu, bits=self.widths.data, bias=biases, high=self.high
        )  # fmt: skip
        return Activations(made.values, NO_INDICES, made.saturated)

    def phases(self, training: bool = True) -> list[PhaseGeometry]:
        """FF, WG where it has weights, and NG where there is a gradient by the map that it reads."""
        made = [self.forward_phase()]
        if not training:
            return made
        if self.has_weights:
            made.append(self.gradient_phase())
        return made if self.reads_image else [*made, self.backward_phase()]

    @property
    def sources(self) -> tuple[int, ...]:
        """The layers, or ``IMAGE``, whose outputs it reads, channel after channel; ``reads`` is the first one."""
        return (self.reads,)

    def places_of(self, source: int) -> tuple[int, ...]:
        """Channels of its output from which on one of its sources lies in it, as it is."""
        return ()

    def gradient_phase(self) -> PhaseGeometry:
        """WG of a layer with weights for the array: operation and geometry."""
        return PhaseGeometry(Op.GRAD, self.conv, *self.in_shape[1:])

    def bias_phase(self) -> PhaseGeometry:
        """WG of biases for the array: they are the weights of a channel of ones."""
        return PhaseGeometry(Op.GRAD, self.bias_conv, *self.out_shape[1:])

    @property
    def bias_conv(self) -> Conv:
        """The biases as the weights of a channel."""
        return Conv(rows=self.out_shape[0])

    @property
    def conv(self) -> Conv:
        """The window of a layer with weights. TypeError for others."""
        if not isinstance(self.window, Conv):
            raise TypeError(f"a layer of kind {self.kind} has no weights")
        return self.window

    @property
    def keeps_indices(self) -> bool:
        """FF leaves indices that NG reads, in place of what its sums could begin with."""
        return AccumulatorField.INDEX in self.drains

    @property
    def reads_image(self) -> bool:
        """Whether it reads the network's input, by which there is no gradient."""
        return self.reads == IMAGE

    @property
    def forward_frac(self) -> int:
        """Fraction bits of the sums of FF."""
        return self.scale + self.in_frac

    @property
    def forward_shift(self) -> int:
        """Shift of the requantising after FF."""
        return self.forward_frac - self.out_frac

    @property
    def high(self) -> int:
        """Limit of the outputs, and of what has a gradient."""
        return self.clip or NO_LIMIT

    @property
    def add_shift(self) -> int:
        """Left shift of the map that is added to the sums."""
        return self.forward_frac - self.add_frac

    @property
    def bias_shift(self) -> int:
        """Right shift, half up, of the masters of the biases as they are added to the sums."""
        return self.bias_frac - self.forward_frac

    @property
    def preset(self) -> int | None:
        """Left shift of the map that the sums of FF begin with; None: they begin with 0. Frozen ones add it later."""
        return None if self.add is None or self.scaling is not None else self.add_shift

    @property
    def backward_frac(self) -> int:
        """Fraction bits of the sums of NG."""
        return self.scale + self.delta_frac

    def update_shift(self, rate_shift: int) -> int:
        """Shift k of the weight update for a learning rate of 2**-rate_shift, which the layer's own may lower."""
        return self.rate_shift + self.in_frac + self.delta_frac - self.master_frac + rate_shift

    def bias_update_shift(self, rate_shift: int) -> int:
        """Shift k of the update of the biases, whose gradients are sums of those by the output."""
        return self.rate_shift + self.delta_frac - self.bias_frac + rate_shift

    def update_shifts(self, rate_shift: int) -> dict[str, int]:
        """Shifts of all updates of a layer with weights, by name."""
        found = {"update shift": self.update_shift(rate_shift)}
        return found | ({"update shift of the biases": self.bias_update_shift(rate_shift)} if self.bias else {})

    @property
    def master_frac(self) -> int:
        """Fraction bits of the masters."""
        return self.weight_frac + self.widths.dropped

    @property
    def weights(self) -> int:
        """Weights of the dense layer."""
        conv = self.conv
        return conv.rows * conv.cols // conv.groups * conv.taps
