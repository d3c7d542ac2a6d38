# SPDX-License-Identifier: Apache-2.0
"""Clocks in which nothing but the expected happens: they are passed over at once, exactly.

In most of the clocks of large layers a PE issues entries of a long command, one after the other: it waits only where
results of the same word of Y can meet, where gradients have no room, and where it is drained. From entry to entry it is
known when that can be at the earliest. Until then a PE sleeps: nobody looks at it, and its registers are made up when
it wakes.

Where all PEs sleep or have nothing to do, and everything outside of them rests because its queues wait for a command's
end and memory has nothing to do, all clocks until the first PE wakes are one.
"""

from __future__ import annotations

import numpy as np

from models.lib.fixed_point import IntArray
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.pe import HAZARD, PIPE, PIPE_LONG, QUEUE, STAGES, result_word
from models.pe_array.isa.pe_command import LAST_BIT, YOFF_BITS, YOFF_LOW, Op

_SETTLED = 32
"""Clocks of rest after which nothing is on its way through a pipeline, beside those of STAGES and of the memory."""
_STUCK = 1 << 13
"""Clocks in which nothing moves, beside the memory's, after which nothing ever will."""
_LEAST = 4
"""Clocks of sleep that are worth it."""
_FULL = (1 << STAGES) - 1
_MAC, _GRAD, _UNPOOL = int(Op.MAC), int(Op.GRAD), int(Op.UNPOOL)
LOAD_TO_WRITE = 3
"""Clocks from a load to Y to its write, for which it waits if the PE writes itself [pe]."""
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
def pipe_of(op: Int) -> Int:
    """Clocks from an entry to its write to Y."""
    return PIPE_LONG if op in (_GRAD, _UNPOOL) else PIPE


def ahead(taps: IntArray) -> IntArray:
    """Entries from each on that come before the next ``last``."""
    ends = np.append(np.flatnonzero(taps >> LAST_BIT & 1), len(taps))
    places = np.arange(len(taps))
    found: IntArray = ends[np.searchsorted(ends, places)] - places
    return found


@clocked
def sleep(own: Record, of: Record, before_last: IntArray, clock: Int) -> Int:
    """Of a PE that has issued an entry in this clock: the clock until which it sleeps, or 0.

    Args:
        own: of it, behind this clock.
        of: its command, if it has one.
        before_last: of every entry of the tap lists (``ahead``).
    """
    if own.pipeline != _FULL or own.walk_left <= _LEAST or own.clear_at < of.clear:
        return 0
    issued = own.element * of.taps + own.tap
    left = min(own.walk_left, of.elements * of.taps - issued) - 1  # neither the walk nor the command ends
    if of.op == _GRAD:
        left = min(left, before_last[of.first_tap + own.tap], of.taps - own.tap)
    elif of.meets:
        return 0
    return clock + 1 + left if issued >= HAZARD and left >= _LEAST else 0


@clocked
def wake(
    own: Record, of: Record, coordinates: Array, taps: Array, y_mask: Int, writes: Int, since: Int, clock: Int
) -> Int:  # fmt: skip
    """Make up what a PE has done in its sleep; returns its writes to Y that are to come, as ``pe_grid`` keeps them.

    Args:
        own, of: of it, as it fell asleep, and its command.
        coordinates, taps, y_mask: as ``clocks.pe.step`` takes them.
        writes: as it fell asleep.
        since: first clock of its sleep; clock: the first one behind it.
    """
    slept = clock - since
    first, pipe = own.element * of.taps + own.tap, pipe_of(of.op)
    writes >>= min(slept, PIPE_LONG)
    for back in range(min(slept, PIPE_LONG), 0, -1):  # only the last ones are still on their way
        number = first + slept - back
        entry = taps[of.first_tap + number % of.taps]
        if entry >> LAST_BIT & 1 == 0:
            continue
        if of.op == _MAC:
            own.far_y, own.far_clock = own.near_y, own.near_clock
            own.near_y = result_word(of, coordinates, number // of.taps, entry, y_mask)
            own.near_clock = clock - back
        if of.op != _GRAD and back <= pipe:
            writes |= 1 << (pipe - back)
    own.element, own.tap = (first + slept) // of.taps, (first + slept) % of.taps
    own.walk_left -= slept
    own.before = clock - 1
    return writes


@clocked
def writes_asleep(own: Record, of: Record, taps: Array, writes: Int, since: Int, clock: Int) -> Int:
    """Whether a PE that sleeps writes Y when a load of this clock would; arguments as of ``wake``."""
    slept = clock - since
    before = writes >> LOAD_TO_WRITE + min(slept, PIPE_LONG) & 1
    issued = slept - (pipe_of(of.op) - LOAD_TO_WRITE)  # in its sleep, before the entry that would write
    if issued < 0 or of.op == _GRAD:
        return before
    return before | taps[of.first_tap + (own.tap + issued) % of.taps] >> LAST_BIT & 1


@clocked
def _steady(state: Record, table: Array, first: Int, stride: Int, until: Int, clock: Int) -> Int:
    """Clocks for which a PE does what it does now, if nobody drains it: it has nothing to do, or sleeps."""
    if state.promised != state.gone:
        return 0
    if state.taken == state.command:
        return _FOREVER if state.pipeline == 0 else 0
    return until - clock if until and not table[first + state.command * stride].meets else 0


@clocked
def pass_over(cells: Record, table: Array, at_work: Array, clock: Int) -> Int:
    """Clocks of all PEs that can be passed over, if everything else rests.

    Args:
        cells: ``pe_grid.CellState``.
        table: of their commands.
        at_work: (2, PEs): gets the clocks in which they issue.
        clock: the first that is passed over.
    """
    pes, counted = cells.pes, cells.n.counted
    count = len(pes)
    clocks = _FOREVER
    works = False  # on the command that is counted next: no command will be done
    for pe in range(count):
        clocks = min(clocks, _steady(pes[pe], table, pe, count, cells.until[pe], clock))
        if clocks <= 0:
            return 0
        works = works or cells.finished[pe] <= counted
        if cells.offer[pe] and pes[pe].taken - pes[pe].left < QUEUE:
            return 0
    if clocks == _FOREVER or not works:
        return 0
    for pe in range(count):
        if pes[pe].taken > pes[pe].command:
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
