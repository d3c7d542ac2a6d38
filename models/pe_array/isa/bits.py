# SPDX-License-Identifier: Apache-2.0
"""Numbers inside words: where the fields of descriptors, commands and records of channels lie."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bits:
    """Where a field lies: first bit in the 256 of the descriptor, width, and what is taken off (1: "less one")."""

    low: int
    width: int
    less: int = 0
    pair: bool = False  # of two numbers of that width, the first one lower
    doc: str = ""
    signed: bool = False  # two's complement

    @property
    def least(self) -> int:
        """Smallest number."""
        return self.less - (self.signed << self.width - 1)

    @property
    def most(self) -> int:
        """Largest number."""
        return self.least + (1 << self.width) - 1

    def read(self, word: int) -> int:
        """The number that stands in the lowest bits of a word."""
        value = (word & (1 << self.width) - 1) + self.less
        return value - (1 << self.width) if value > self.most else value
