# SPDX-License-Identifier: Apache-2.0
"""Activation functions and their derivatives in raw fixed point (docs/edge/arithmetic.md).

``Activation`` is the one table of them: configurations, compiled loops, registers and RTL know codes alone.
docs/adding_an_activation.md shows what a new one needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from models.edge.rules import WIDTH_MAX, WIDTH_MIN, frac_max
from models.lib.command_line import Parser, integer, one_line_errors, whole_number
from models.lib.fixed_point import Format, IntArray
from models.lib.registers import Code

MAX_ADDRESS_BITS = 12

Raw = tuple[IntArray, IntArray]
"""(activations, derivatives), raw, of the shape of the sums."""


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

    def __call__(self, s: IntArray) -> Raw:
        """Of raw sums."""
        address = (s >> (self.format.width - self.address_bits)) & ((1 << self.address_bits) - 1)
        return self.value[address], self.slope[address]

    def hex_text(self) -> str:
        """Text for ``$readmemh``: per line a word {d[FRAC:0], a[FRAC:0]}, address 0 first."""
        bits = self.format.frac + 1
        digits = -(-2 * bits // 4)
        words = (self.slope << bits) | self.value
        return "".join(f"{word:0{digits}x}\n" for word in words.tolist())


def sigmoid(s: IntArray, fmt: Format) -> Raw:
    """What the table of the format has."""
    return SigmoidTable.build(fmt)(s)


def relu(s: IntArray, fmt: Format) -> Raw:
    """max(s, 0), and 1.0 where s > 0."""
    return np.maximum(s, 0), np.where(s > 0, fmt.one, 0).astype(np.int64)


class Activation(Code):
    """Activation functions; configurations name them in small letters.

    Each is ``(code, meaning, function)``. A function takes raw sums, int64 of any shape, and their format. Derivatives
    are 0 … 1.0.
    """

    function: Callable[[IntArray, Format], Raw]

    def __new__(cls, value: int, doc: str = "", function: Callable[[IntArray, Format], Raw] = sigmoid) -> Self:
        """A member."""
        made = int.__new__(cls, value)
        made._value_, made.doc, made.function = value, doc, function
        return made

    SIGMOID = 0, "1 / (1 + exp(-s)), from a table", sigmoid
    RELU = 1, "max(s, 0)", relu

    def __call__(self, s: npt.ArrayLike, fmt: Format) -> Raw:
        """Of raw sums of any shape."""
        return self.function(np.asarray(s, dtype=np.int64), fmt)


ACTIVATIONS = tuple(each.name.lower() for each in Activation)
"""Names in configurations."""


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
