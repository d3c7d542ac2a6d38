# SPDX-License-Identifier: Apache-2.0
"""Clocks of a program that has been played: what the array will count, and what every part of a step adds to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from models.pe_array.clocks.timeline import ENGINES, Timeline
from models.pe_array.isa.descriptors import Descriptor, Engine


@dataclass
class ProgramRun:
    """What a program took: clocks from START to the end, as CLOCKS counts them, and the counters of the same names.

    Attributes:
        passed: clocks that were not played one by one (``steady``), for who wants to know why it was quick.
        pe_busy, pe_stalls: clocks in which each PE issued an entry, and in which one waited; busy, stalls: of all.
        issued: entries of all PEs of every command, which together are ``busy``.
        macs: entries that multiply a weight and a pixel of the map, of all PEs: no clears, no nulls.
        done: clock of every operation's end, by engine, from the first clock of ``run`` on.
        timeline: all of it over its clocks, where that was asked for.
    """

    clocks: int = 0
    busy: int = 0
    stalls: int = 0
    load_clocks: int = 0
    compute_clocks: int = 0
    store_clocks: int = 0
    fetch_beats: int = 0
    load_beats: int = 0
    store_beats: int = 0
    written_beats: int = 0
    passed: int = 0
    macs: int = 0
    issued: list[int] = field(default_factory=list)
    done: dict[Engine, list[int]] = field(default_factory=lambda: {e: [] for e in ENGINES})
    pe_busy: list[int] = field(default_factory=list)
    pe_stalls: list[int] = field(default_factory=list)
    timeline: Timeline | None = field(default=None, compare=False, repr=False)

    @property
    def read_beats(self) -> int:
        """Beats of the read port."""
        return self.fetch_beats + self.load_beats + self.store_beats


COUNTERS = {
    "CLOCKS": "clocks", "BUSY_PES": "busy", "STALL_PES": "stalls", "LOAD_CLOCKS": "load_clocks",
    "COMPUTE_CLOCKS": "compute_clocks", "STORE_CLOCKS": "store_clocks",
}  # fmt: skip
"""Counters of the array that are predicted, and their attributes of ``ProgramRun``."""


def predicted(clocks: ProgramRun) -> dict[str, int]:
    """What the array will count, by counter."""
    return {name: int(getattr(clocks, attribute)) for name, attribute in COUNTERS.items()}


def clocks_of_parts(
    parts: Sequence[tuple[str, int]], descriptors: Sequence[Descriptor], run: ProgramRun
) -> dict[str, int]:  # fmt: skip
    """Clocks that each part of a program adds: those from the end of the parts before it to its own end.

    Of parts that work at the same time, as updates do beside the phases behind them, the one that ends later counts.
    What is left after the last one, until the program has ended, is ``end``.

    Args:
        parts: name of every part, and the number of descriptors up to its end.
        descriptors: of the program.
        run: of it.
    """
    counted = dict.fromkeys(Engine, 0)
    added: dict[str, int] = {}
    ended = first = 0
    for name, last in parts:
        end = ended
        for each in descriptors[first:last]:
            if each.counts:
                end = max(end, run.done[each.engine][counted[each.engine]])
                counted[each.engine] += 1
        added[name], ended, first = end - ended, end, last
    return added | {"end": run.clocks - ended}
