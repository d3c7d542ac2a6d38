# SPDX-License-Identifier: Apache-2.0
"""Activation functions and their derivatives in raw fixed point (docs/edge/arithmetic.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.edge.rules import WIDTH_MAX, WIDTH_MIN, frac_max
from models.lib.command_line import Parser, integer, one_line_errors, whole_number
from models.lib.fixed_point import Format, IntArray

MAX_ADDRESS_BITS = 12


@dataclass(frozen=True)
class SigmoidTable:
    """Look-up table over the top A = min(WIDTH, 12) bits of the sum.

    ``value`` and ``slope`` (int64, 2**A entries, 0 … 2**FRAC) are addressed by the two's complement index,
    as the ROM is: entry i stands for index i if i < 2**(A-1), else for i - 2**A.
    """

    format: Format
    address_bits: int
    value: IntArray
    slope: IntArray

    @classmethod
    def build(cls, fmt: Format) -> SigmoidTable:
        """Table of a format."""
        bits = min(fmt.width, MAX_ADDRESS_BITS)
        index = np.arange(1 << bits)
        index[1 << (bits - 1) :] -= 1 << bits
        middle = 0.5 if fmt.width > bits else 0.0
        x = (index + middle) * float(1 << (fmt.width - bits)) / fmt.one
        sigmoid = 1.0 / (1.0 + np.exp(-np.maximum(x, -700.0)))  # exp(700) is still finite
        value = np.floor(fmt.one * sigmoid + 0.5).astype(np.int64)
        slope = np.floor(fmt.one * sigmoid * (1.0 - sigmoid) + 0.5).astype(np.int64)
        return cls(fmt, bits, value, slope)

    def __call__(self, s: npt.ArrayLike) -> tuple[IntArray, IntArray]:
        """(activation, derivative), raw, of raw sums of any shape."""
        raw = np.asarray(s, dtype=np.int64)
        address = (raw >> (self.format.width - self.address_bits)) & ((1 << self.address_bits) - 1)
        return self.value[address], self.slope[address]

    def hex_text(self) -> str:
        """Text for ``$readmemh``: per line a word {d[FRAC:0], a[FRAC:0]}, address 0 first."""
        bits = self.format.frac + 1
        digits = -(-2 * bits // 4)
        words = (self.slope << bits) | self.value
        return "".join(f"{word:0{digits}x}\n" for word in words.tolist())


def relu(s: npt.ArrayLike, fmt: Format) -> tuple[IntArray, IntArray]:
    """(activation, derivative), raw, of raw sums: max(s, 0), and 1.0 where s > 0."""
    raw = np.asarray(s, dtype=np.int64)
    return np.maximum(raw, 0), np.where(raw > 0, fmt.one, 0).astype(np.int64)


def activate(s: npt.ArrayLike, activation: str, fmt: Format) -> tuple[IntArray, IntArray]:
    """(activation, derivative), raw, of raw sums; activation is "sigmoid" or "relu"."""
    return relu(s, fmt) if activation == "relu" else SigmoidTable.build(fmt)(s)


def main(arguments: list[str] | None = None) -> None:
    """Command line: print the table of a format for ``$readmemh``."""
    parser = Parser("models.edge.activation", "Sigmoid table of a format, for $readmemh: write it to SIGMOID_FILE.")
    parser.add_argument("width", metavar="WIDTH", type=whole_number(WIDTH_MIN, WIDTH_MAX), help="bits of a number")
    parser.add_argument("frac", metavar="FRAC", type=integer, help="those after the binary point")
    with one_line_errors():
        options = parser.parse_args(arguments)
        parser.limit("FRAC", options.frac, 1, frac_max(options.width), f"of {options.width} bits")
        print(SigmoidTable.build(Format(options.width, options.frac)).hex_text(), end="")


if __name__ == "__main__":
    main()
