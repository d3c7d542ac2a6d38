# SPDX-License-Identifier: Apache-2.0
"""The array that a program is made for: how many processing elements, and their parameters."""

from __future__ import annotations

from dataclasses import dataclass

from models.pe_array.isa.pe_command import PeShape


@dataclass(frozen=True)
class Grid:
    """A number of PEs and their parameters.

    Raises:
        ValueError: the number is not a power of two, 1 … 64.
    """

    pes: int
    shape: PeShape

    def __post_init__(self) -> None:
        """Check the number."""
        if self.pes not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError(f"pes = {self.pes} must be a power of two, 1 … 64")
