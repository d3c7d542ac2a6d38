# SPDX-License-Identifier: Apache-2.0
"""What every unit does in every clock of a program: when engines are busy, ports move beats, PEs issue entries.

Engines are kept exactly, as intervals. Beats and entries are counted in bins of equal clocks: all the bins there are
serve a short program and a long one, because at the end of the last one two neighbours become one. Sums stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Flag, Int, clocked
from models.pe_array.isa.descriptors import Engine

BINS = 8192
"""Of a timeline, at most; even."""
PORTS = ("loaded", "read to store", "written")
"""Ports whose beats are counted: of the load engine, and both of the store engine."""
ENGINES = (Engine.LOAD, Engine.COMPUTE, Engine.STORE)


class Seen(NamedTuple):
    """What is noted while a program is played; without descriptors nothing is.

    Attributes:
        taken: (descriptors,) clock in which the engine took it, or 0.
        changes: (3, changes) clocks in which engines became busy and idle in turn; changed: (3,) how many.
        bins: (PEs + PORTS + 1, BINS): entries issued, beats, PEs that wait; width: (1,) clocks of a bin.
    """

    taken: IntArray
    changes: IntArray
    changed: IntArray
    bins: IntArray
    width: IntArray


def seen(descriptors: int, pes: int, bins: int = BINS) -> Seen:
    """Nothing yet; descriptors: of the program, 0 where nothing is to be noted."""
    bins = bins if descriptors else 0
    return Seen(
        np.zeros(descriptors, dtype=np.int64), np.zeros((3, 2 * descriptors + 2), dtype=np.int64),
        np.zeros(3, dtype=np.int64), np.zeros((pes + len(PORTS) + 1, bins), dtype=np.int64),
        np.ones(1, dtype=np.int64),
    )  # fmt: skip


@clocked
def see_taken(s: Seen, descriptor: Int, clock: Int) -> None:
    """An engine takes a descriptor."""
    if len(s.taken):
        s.taken[descriptor] = clock


@clocked
def see_engine(s: Seen, engine: Int, busy: Flag, clock: Int) -> None:
    """Whether an engine (0 … 2) is busy in a clock."""
    if len(s.taken) and (s.changed[engine] & 1 != 0) != busy:
        s.changes[engine, s.changed[engine]] = clock
        s.changed[engine] += 1


@clocked
def _bin(s: Seen, clock: Int) -> Int:
    """That of a clock, the first being 1."""
    bins = s.bins.shape[1]
    while (clock - 1) // s.width[0] >= bins:
        for row in range(len(s.bins)):
            for n in range(bins):
                s.bins[row, n] = s.bins[row, 2 * n] + s.bins[row, 2 * n + 1] if 2 * n < bins else 0
        s.width[0] *= 2
    return (clock - 1) // s.width[0]


@clocked
def see_clock(s: Seen, clock: Int, at_work: Array, loaded: Flag, read: Flag, written: Flag) -> None:
    """A clock; at_work: (2, PEs) of ``pe_grid``; whether each port moves a beat."""
    if len(s.taken) == 0:
        return
    here, pes = _bin(s, clock), at_work.shape[1]
    for pe in range(pes):
        s.bins[pe, here] += at_work[0, pe]
        s.bins[pes + 3, here] += at_work[1, pe]
    s.bins[pes, here] += 1 if loaded else 0
    s.bins[pes + 1, here] += 1 if read else 0
    s.bins[pes + 2, here] += 1 if written else 0


@clocked
def see_passed(s: Seen, clock: Int, clocks: Int, cells: Array, at_work: Array) -> None:
    """Clocks behind this one, in which PEs that have a command issue and nothing else happens.

    Clocks count what PEs did in the clock before: ``at_work`` in the first of these, though it is counted behind them.

    Args:
        cells, at_work: of ``pe_grid``.
    """
    if len(s.taken) == 0 or clocks <= 0:
        return
    last, pes = _bin(s, clock + clocks + 1), at_work.shape[1]
    width = s.width[0]
    for pe in range(pes):
        for row, flag in ((pe, at_work[0, pe]), (pes + 3, at_work[1, pe])):
            s.bins[row, clock // width] += flag
            s.bins[row, last] -= flag
    for n in range((clock + 1) // width, last + 1):
        here = min(clock + clocks + 1, (n + 1) * width) - max(clock + 1, n * width)
        for pe in range(pes):
            s.bins[pe, n] += here if cells[pe].taken > cells[pe].command else 0


@dataclass(frozen=True)
class Timeline:
    """A program over its clocks; the first one is 1.

    Attributes:
        clocks: of the program.
        taken: (descriptors,) clock in which the engine took each, or 0 for those of no engine.
        busy: of each engine: (intervals, 2) first clock in which it is busy, and the first behind that it is not.
        width: clocks of a bin.
        issued: (PEs, bins) entries; beats: (PORTS, bins); stalled: (bins,) clocks of PEs that wait in a command.
    """

    clocks: int
    taken: IntArray
    busy: dict[Engine, IntArray]
    width: int
    issued: IntArray
    beats: IntArray
    stalled: IntArray

    @classmethod
    def of(cls, s: Seen, clocks: int) -> Timeline:
        """What was noted of a program of so many clocks."""
        pes, width = len(s.bins) - len(PORTS) - 1, int(s.width[0])
        bins = s.bins[:, : -(-clocks // width)]
        busy: dict[Engine, IntArray] = {}
        for engine, changes, count in zip(ENGINES, s.changes, s.changed.tolist(), strict=True):
            edges = np.append(changes[:count], [clocks + 1] * (count % 2)).astype(np.int64)
            busy[engine] = edges.reshape(-1, 2)
        return cls(clocks, s.taken, busy, width, bins[:pes], bins[pes:-1], bins[-1])
