# SPDX-License-Identifier: Apache-2.0
"""Widths of the numbers that rounding and saturation make (docs/pe_array/numbers.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import pieces, round_shift, saturate
from models.pe_array.isa.parameters import default
from models.pe_array.isa.pe_command import ByteArray

MOMENTUM_BITS = 32
SHIFT_MAX = 31
"""Of the shifts of outputs, deltas and updates."""
BIAS_SHIFT_MAX = 15
"""Of the right shift of biases."""
POOL_BEATS = 64
"""Most beats of a run of places: what the store engine holds of pooled maps."""
CLASSES_MAX = 256
"""For which output deltas can be made: a label is a byte."""


@dataclass(frozen=True)
class Widths:
    """Parameters DATA and MASTER of the array. In memory the numbers are sign-extended to bytes and to 32 bits.

    Attributes:
        data: bits of activations, gradients of maps and MAC weights, 4 … 8.
        master: bits of master weights, 16 … 32.

    Raises:
        ValueError: one is outside its range.
    """

    data: int = default("DATA")
    master: int = default("MASTER")

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (("data", 4, 8), ("master", 16, 32)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} = {getattr(self, name)} bits must be {low} … {high}")

    @property
    def dropped(self) -> int:
        """Bits of a master below the MAC weight's."""
        return self.master - self.data

    def mac_weights(self, masters: npt.ArrayLike) -> ByteArray:
        """MAC weights of masters, ``sat(hu(w, MASTER - DATA))``; same shape, int8."""
        given = np.asarray(masters)
        made, flat = np.empty(given.size, dtype=np.int8), given.reshape(-1)
        for piece in pieces(given.size):
            made[piece] = saturate(round_shift(flat[piece], self.dropped), self.data)[0]
        return made.reshape(given.shape)


STANDARD = Widths()
"""Those of the published system."""
