# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/control/dispatcher.v; descriptors as in ``program_fetch``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.lib.clocks.stream_fifo import NONE
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.program_fetch import EngineFault, Item
from models.pe_array.isa.descriptors import KINDS, Cause, Engine

_OPCODE = int(Cause.OPCODE)

DISPATCH = kind("held to fault", counts=3)
"""The descriptor inside, or NONE; the engine whose queue it is offered to, or 0; cause of an error in this clock, or 0;
loads, computes and stores done, modulo 2^24."""
LOAD = int(Engine.LOAD)


def dispatch_state() -> Record:
    """As after a reset."""
    return record(DISPATCH, held=NONE)


@clocked
def dispatch_ready(n: Record, readies: Array) -> Flag:
    """A descriptor is taken when none is inside or the one inside goes; ``readies``: load, compute, store."""
    return n.held == NONE or readies[n.to - LOAD] != 0


@clocked
def dispatch_clock(n: Record, item: Int, engine: Int, readies: Array, done: Array, clear: Flag) -> None:
    """One clock.

    Args:
        item, engine: the descriptor at the input, or NONE; the engine that knows its opcode, or 0.
        readies: queues that have room; done: operations that are done.
        clear: the counts begin at 0.
    """
    n.fault = 0
    if dispatch_ready(n, readies):
        n.held, n.to = item, engine
        if item != NONE and engine == 0:
            n.held, n.fault = NONE, _OPCODE
    for each in range(3):
        n.counts[each] = 0 if clear else (n.counts[each] + done[each]) & 0xFFFFFF


class DispatchClocks:
    """rtl/pe_array/control/dispatcher.v.

    Attributes:
        held: the descriptor inside, or None.
        to: the queue that it is offered to, or None.
        error: reported in this clock, or None.
        counts: loads, computes and stores done, modulo 2^24.
    """

    def __init__(self) -> None:
        self._n = dispatch_state()
        self._item: Item | None = None  # the newest one taken

    @property
    def held(self) -> Item | None:
        return self._item if self._n.held != NONE else None

    @property
    def to(self) -> Engine | None:
        return Engine(int(self._n.to)) if self._n.held != NONE else None

    @property
    def error(self) -> EngineFault | None:
        cause = int(self._n.fault)
        return EngineFault(cause, self._item.index) if cause and self._item is not None else None

    @property
    def counts(self) -> tuple[int, int, int]:
        loads, computes, stores = self._n.counts.tolist()
        return loads, computes, stores

    def s_ready(self, readies: Sequence[bool]) -> bool:
        """A descriptor is taken when none is inside or the one inside goes; ``readies``: load, compute, store."""
        return bool(dispatch_ready(self._n, np.array(readies, dtype=np.int64)))

    def clock(self, item: Item | None, readies: Sequence[bool], done: Sequence[bool], clear: bool) -> None:
        """One clock with a descriptor or none, queues that have room or not, and operations that are done or not."""
        if item is not None and self.s_ready(readies):
            self._item = item
        opcode = item.word & 0xFF if item is not None else 0
        engine = opcode >> 4 if opcode in KINDS else 0
        room, ended = (np.array(flags, dtype=np.int64) for flags in (readies, done))
        dispatch_clock(self._n, NONE if item is None else 0, engine, room, ended, clear)
