# SPDX-License-Identifier: Apache-2.0
"""The weights of a layer while it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.pe_array.isa.shapes import Conv, Positions
from models.pe_array.isa.widths import STANDARD, Widths
from models.pe_array.network.layers import NO_BIAS, Int8Array, Int32Array
from models.pe_array.network.pruning import prune


@dataclass
class Weights:
    """State of a layer with weights: elements (n, KH, KW) at their positions.

    Attributes:
        masters: int32.
        momenta: int32; all zero, and unused, in a training without momentum.
        widths: of masters and MAC weights.
        bias, bias_momenta: int32 (rows,), masters of the biases, and momenta; none where the layer has no biases.
        mac: int8, what the MACs multiply with: always ``widths.mac_weights(masters)``.
    """

    conv: Conv
    positions: Positions
    masters: Int32Array
    momenta: Int32Array
    widths: Widths = STANDARD
    bias: Int32Array = field(default_factory=lambda: NO_BIAS)
    bias_momenta: Int32Array = field(default_factory=lambda: NO_BIAS)
    mac: Int8Array = field(init=False)

    def __post_init__(self) -> None:
        self.refresh()

    @classmethod
    def frozen(cls, conv: Conv, positions: Positions, mac: Int8Array, widths: Widths = STANDARD) -> Weights:
        """MAC weights int8 (n, KH, KW) that are not trained; positions may occur twice, their products add up."""
        masters = mac.astype(np.int32) << widths.dropped
        return cls(conv, positions, masters, np.zeros_like(masters), widths)

    def refresh(self) -> None:
        """MAC weights anew, after masters were replaced."""
        self.mac = self.widths.mac_weights(self.masters)

    def prune(self, density: float) -> None:
        """Drop the weakest elements: ``density`` of all positions stay, and all biases."""
        self.positions, keep = prune(self.conv, self.positions, self.masters, density)
        self.masters, self.momenta = self.masters[keep], self.momenta[keep]
        self.refresh()
