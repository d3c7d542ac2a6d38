# SPDX-License-Identifier: Apache-2.0
"""Clocks in which PEs issue entries of long commands and nothing else happens: they are passed over at once, exactly.

Most of the clocks of large layers are such ones. Everything but the PEs rests when their queues wait for a command's
end and memory has nothing to do; after some clocks like that, all registers outside of the PEs stay what they are until
a PE comes to an end. A PE issues in every clock where results of the same word of Y cannot meet.
"""

from __future__ import annotations

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.pe import HAZARD, PIPE_LONG, QUEUE, STAGES
from models.pe_array.isa.pe_command import LAST_BIT, YOFF_BITS, YOFF_LOW, Op

_SETTLED = 32
"""Clocks of rest after which nothing is on its way through a pipeline, beside those of STAGES and of the memory."""
_STUCK = 1 << 13
"""Clocks in which nothing moves, beside the memory's, after which nothing ever will."""
_MARGIN = PIPE_LONG + STAGES
"""Clocks before a PE's end that are played, so that what is on its way in it is right."""
_FULL = (1 << STAGES) - 1
_MAC, _GRAD, _UNPOOL = int(Op.MAC), int(Op.GRAD), int(Op.UNPOOL)
_FOREVER = 1 << 62

REST = kind("settled stuck outside whole")
"""Clocks after which all that rests will go on resting until a PE ends, and after which the program is stuck; clocks
for which all outside of the PEs has rested, and for which nothing has moved at all."""


def rest_state(stages: int, memory: int) -> Record:
    """As after a reset. stages: STAGES; memory: clocks that its answers and its credits take."""
    return record(REST, settled=_SETTLED + stages + memory, stuck=_STUCK + 2 * memory)


@clocked
def rest_clock(n: Record, moves: Flag, rests: Flag, issues: Flag) -> None:
    """One clock.

    Args:
        moves: a beat, a descriptor or a command goes somewhere, or is on its way.
        rests: engines and ports have nothing to do, and the program is not at its end.
        issues: a PE issues an entry.
    """
    n.outside = n.outside + 1 if rests and not moves else 0
    n.whole = 0 if moves or issues else n.whole + 1


def meets(op: int, taps: IntArray, outs: IntArray, ystride: int, y_depth: int) -> bool:
    """Whether entries of a command may have to wait for results of the same command.

    Args:
        taps: its list.
        outs: the channels in Y of its elements.
    """
    if op != _MAC:
        return op == _GRAD
    if len(taps) < HAZARD or not len(outs):
        return True
    last = (taps >> LAST_BIT & 1).astype(np.bool_)
    words = np.where(last, taps >> YOFF_LOW & ((1 << YOFF_BITS) - 1), -1 - np.arange(len(taps)))
    if words.max() >= ystride or int(outs.max()) * ystride + int(words.max()) >= y_depth:
        return True  # words of different channels could be the same
    return any(bool((words == np.roll(words, n)).any()) for n in range(1, HAZARD))


@clocked
def _steady(state: Record, table: Array, first: Int, stride: Int) -> Int:
    """Clocks for which a PE does what it does now, if nobody drains it: it rests, or issues in each of them."""
    if state.promised != state.gone:
        return 0
    if state.taken == state.command:
        return _FOREVER if state.pipeline == 0 else 0
    of = table[first + state.command * stride]
    issued = state.element * of.taps + state.tap
    if state.pipeline != _FULL or state.clear_at < of.clear or issued < HAZARD or of.meets:
        return 0
    return min(state.walk_left, of.elements * of.taps - issued) - _MARGIN


@clocked
def pass_over(cells: Record, table: Array, at_work: Array) -> Int:
    """Pass over clocks of all PEs, if everything else rests; returns how many.

    Args:
        cells: ``pe_grid.CellState``.
        table: of their commands.
        at_work: (2, PEs): gets the clocks in which they issued.
    """
    pes, counted = cells.pes, cells.n.counted
    count = len(pes)
    clocks = _FOREVER
    works = False  # on the command that is counted next: no command will be done
    for pe in range(count):
        clocks = min(clocks, _steady(pes[pe], table, pe, count))
        works = works or cells.finished[pe] <= counted
        if cells.offer[pe] and pes[pe].taken - pes[pe].left < QUEUE:
            return 0
    if clocks <= 0 or clocks == _FOREVER or not works:
        return 0
    for pe in range(count):
        own = pes[pe]
        if own.taken > own.command:
            of = table[pe + own.command * count]
            issued = own.element * of.taps + own.tap + clocks
            own.element, own.tap = issued // of.taps, issued % of.taps
            own.walk_left -= clocks
            at_work[0, pe] += clocks
    return clocks


class Kept:
    """Parts of memories that commands find, each kept once."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._parts: list[IntArray] = []
        self._count = 0

    def place(self, part: IntArray) -> int:
        """Where it stands among all of them."""
        key = part.tobytes()
        if key not in self._places:
            self._places[key] = self._count
            self._parts.append(part)
            self._count += len(part)
        return self._places[key]

    def all(self) -> IntArray:
        """All of them, one behind the other."""
        return np.concatenate([np.zeros(0, dtype=np.int64), *self._parts])
