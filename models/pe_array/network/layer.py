# SPDX-License-Identifier: Apache-2.0
"""A layer of a network that the PE array trains, with its place in the network and its scales."""

from __future__ import annotations

from dataclasses import dataclass

from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.isa.widths import STANDARD, Widths
from models.pe_array.network.layers import average_scale

IMAGE = -1
"""In place of a layer's number: the network's input."""
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Layer:
    """One layer with its place in the network.

    Attributes:
        kind: one of ``KINDS``, but for global average pooling, which is average pooling of the whole map.
        window: the convolution (kinds conv and dense; dense is 1 x 1 on a 1 x 1 map), or the pooling window.
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
    """

    kind: str
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

    @property
    def conv(self) -> Conv:
        """The window of a layer with weights. TypeError for pooling."""
        if not isinstance(self.window, Conv):
            raise TypeError(f"a layer of kind {self.kind} has no weights")
        return self.window

    @property
    def has_weights(self) -> bool:
        """Whether it is a convolution or fully connected."""
        return isinstance(self.window, Conv)

    @property
    def reads_image(self) -> bool:
        """Whether it reads the network's input, by which there is no gradient."""
        return self.reads == IMAGE

    @property
    def multiplier(self) -> int:
        """8-bit multiplier of average pooling."""
        return average_scale(self.window.taps)[0]

    @property
    def forward_shift(self) -> int:
        """Shift of the requantising after FF."""
        return self._scale + self.in_frac - self.out_frac

    @property
    def add_shift(self) -> int:
        """Left shift of the map that is added to the sums."""
        return self._scale + self.in_frac - self.add_frac

    @property
    def backward_shift(self) -> int:
        """Shift of the requantising after NG."""
        return self.backward_frac - self.in_delta_frac

    @property
    def backward_frac(self) -> int:
        """Fraction bits of the sums of NG."""
        return self._scale + self.delta_frac

    @property
    def backward_terms(self) -> int:
        """Products of 8-bit numbers that a sum of NG has at most."""
        if isinstance(self.window, Conv):
            return self.window.rows // self.window.groups * self.window.taps
        return self.window.taps

    @property
    def _scale(self) -> int:
        if self.kind == "average_pool":
            return average_scale(self.window.taps)[1]
        return self.weight_frac

    def update_shift(self, rate_shift: int) -> int:
        """Shift k of the weight update for a learning rate of 2**-rate_shift, which the layer's own may lower."""
        return self.rate_shift + self.in_frac + self.delta_frac - self.master_frac + rate_shift

    @property
    def master_frac(self) -> int:
        """Fraction bits of the masters."""
        return self.weight_frac + self.widths.dropped

    @property
    def weights(self) -> int:
        """Weights of the dense layer."""
        conv = self.conv
        return conv.rows * conv.cols // conv.groups * conv.taps
