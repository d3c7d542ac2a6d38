# SPDX-License-Identifier: Apache-2.0
"""Idle and back-pressure patterns: endless iterators of bool, one per clock, True = pause.

They fit `set_pause_generator` of cocotbext-axi as they are. Benches have those of all their handshakes in a `Gaps`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tb.lib.bench import Bench

NAMES = ("never", "rare", "half", "mostly", "bursts", "one_in_n")
"""Names that `named` knows; also good names for the bins of a coverage group."""


def never() -> Iterator[bool]:
    """No pause at all: full speed."""
    return itertools.repeat(False)


def random_pauses(rng: Random, probability: float) -> Iterator[bool]:
    """A pause in each clock with the given probability, below 1."""
    if not 0 <= probability < 1:
        raise ValueError(f"probability = {probability} must be at least 0 and below 1, or nothing ever moves")
    while True:
        yield rng.random() < probability


def bursts(rng: Random, longest_run: int = 20, longest_pause: int = 20) -> Iterator[bool]:
    """Runs of 1 … longest_run clocks at full speed between pauses of 1 … longest_pause clocks."""
    while True:
        yield from itertools.repeat(False, rng.randint(1, longest_run))
        yield from itertools.repeat(True, rng.randint(1, longest_pause))


def one_in(n: int) -> Iterator[bool]:
    """One clock in n without pause, the first one included."""
    return itertools.cycle([False] + [True] * (n - 1))


def named(name: str, rng: Random) -> Iterator[bool]:
    """The pattern of that name (see NAMES), with its numbers drawn from rng."""
    if name == "never":
        return never()
    if name in ("rare", "half", "mostly"):
        return random_pauses(rng, {"rare": 0.05, "half": 0.5, "mostly": 0.9}[name])
    if name == "bursts":
        return bursts(rng, rng.randint(1, 40), rng.randint(1, 40))
    if name == "one_in_n":
        return one_in(rng.randint(2, 7))
    raise ValueError(f"pattern '{name}' is unknown; choose one of {', '.join(NAMES)}")


def any_pattern(rng: Random) -> tuple[str, Iterator[bool]]:
    """A randomly chosen pattern and its name."""
    name = rng.choice(NAMES)
    return name, named(name, rng)


class Gaps:
    """The patterns of the handshakes of a design, by name: full speed until others are drawn.

    Args:
        names: of the handshakes, also groups of coverage: "rd" hits "rd/half" and so on.
        group: of coverage, for all of them.
    """

    def __init__(self, b: Bench, *names: str, group: str | None = None) -> None:
        self._b, self._group = b, group
        self._number = b.gaps_made
        b.gaps_made += 1
        self._patterns: dict[str, Iterator[bool]] = {name: never() for name in names}
        self._decks: dict[str, list[str]] = {}

    def go(self, name: str) -> bool:
        """Whether the handshake makes no pause in this clock; once per clock."""
        return not next(self._patterns[name])

    def any(self, *names: str) -> None:
        """Other patterns from now on, for these handshakes or for all: none comes again before each has come.

        A test that draws twice has seen each within five seeds. Every handshake has an order of its own in that, so
        that fast ones meet slow ones from the first draw on.
        """
        for name in names or self._patterns:
            deck = self._decks.get(name)
            if not deck:
                deck = self._decks[name] = self._shuffled(self._first(name) if deck is None else [])
            kind = deck.pop()
            self._patterns[name] = named(kind, self._b.rng)
            self._b.cover(self._group or name, kind)

    def _first(self, name: str) -> list[str]:
        """The first two patterns of a handshake: neighbours in an order that five seeds walk along."""
        campaign, seed = divmod(self._b.seed - 1, len(NAMES) - 1)
        order = Random(f"{self._b.test_name} {self._number} {name} {campaign}").sample(NAMES, len(NAMES))
        return order[seed : seed + 2]

    def _shuffled(self, first: list[str]) -> list[str]:
        """All patterns, these ones first; they are taken from the end."""
        rest = [name for name in NAMES if name not in first]
        self._b.rng.shuffle(rest)
        return rest + first[::-1]

    def none(self, *names: str) -> None:
        """Full speed from now on, for these handshakes or for all."""
        for name in names or self._patterns:
            self._patterns[name] = never()

    def stop(self, *names: str) -> None:
        """Nothing moves from now on, at these handshakes or at all."""
        for name in names or self._patterns:
            self._patterns[name] = itertools.repeat(True)

    def set(self, name: str, pattern: Iterator[bool]) -> None:
        """A pattern of the test's own, which is not covered."""
        self._patterns[name] = pattern
