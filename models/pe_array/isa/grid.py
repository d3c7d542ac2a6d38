# SPDX-License-Identifier: Apache-2.0
"""The array that a program is made for: how many processing elements, and their parameters."""

from __future__ import annotations

from dataclasses import dataclass

from models.pe_array.isa.pe_command import PeShape

BEAT_MAX = 64
"""Bytes of a beat."""


@dataclass(frozen=True)
class Grid:
    """A number of PEs, their parameters, and the width of the port.

    Attributes:
        wide: beats of gradients, masters, momenta and MAC weights have so many times B bytes: 2 with BUS = 16*B.

    Raises:
        ValueError: the number is not a power of two, 1 … 64, or a wide beat has more than 64 bytes.
    """

    pes: int
    shape: PeShape
    wide: int = 1

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.pes not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError(f"pes = {self.pes} must be a power of two, 1 … 64")
        if self.wide not in (1, 2) or (self.wide > 1 and self.beat > BEAT_MAX):
            raise ValueError(f"wide = {self.wide} must be 1 or 2, beats of {self.beat} bytes at most {BEAT_MAX}")

    @property
    def beat(self) -> int:
        """Bytes of a beat of gradients, masters, momenta and MAC weights."""
        return self.wide * self.shape.lanes
