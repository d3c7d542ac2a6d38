# SPDX-License-Identifier: Apache-2.0
"""Benches that compare every output with a model of the clocks, clock by clock, under all patterns of handshakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.pe_array.clocks.program_fetch import Item
from tb.lib import patterns
from tb.lib.bench import Bench


class Clockwise:
    """Patterns of handshakes, and comparison of pins.

    Args:
        gaps: names of the handshakes, also groups of coverage: "rd" hits "rd/half" and so on.
    """

    def __init__(self, b: Bench, gaps: Sequence[str]) -> None:
        self.b = b
        self._gaps: dict[str, Iterator[bool]] = {gap: patterns.never() for gap in gaps}

    def any_gaps(self) -> None:
        """Other random patterns from now on."""
        for gap in self._gaps:
            name, self._gaps[gap] = patterns.any_pattern(self.b.rng)
            self.b.cover(gap, name)

    def no_gaps(self) -> None:
        """Full speed from now on."""
        self._gaps = {gap: patterns.never() for gap in self._gaps}

    def go(self, gap: str) -> bool:
        """Whether the handshake makes no pause in this clock; once per clock."""
        return not next(self._gaps[gap])

    def drive(self, **pins: int) -> None:
        """Inputs of the next clock."""
        for pin, value in pins.items():
            getattr(self.b.dut, pin).value = int(value)

    def drive_item(self, name: str, item: Item | None) -> None:
        """A descriptor at an input, or none: then its bits are random."""
        rng = self.b.rng
        word, index = (item.word, item.index) if item is not None else (rng.getrandbits(256), rng.getrandbits(24))
        self.drive(**{f"{name}_valid": item is not None, f"{name}_data": word, f"{name}_index": index})

    def check(self, **pins: int) -> None:
        """Outputs of this clock; an output that nothing is expected of is left out."""
        for pin, expected in pins.items():
            self.b.scoreboard.expect(pin, int(expected))
            self.b.scoreboard.got(pin, int(getattr(self.b.dut, pin).value))
