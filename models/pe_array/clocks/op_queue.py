# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/control/op_queue.v; descriptors as in ``program_fetch``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.lib.clocks.stream_fifo import NONE, Fifo, fifo, fifo_clock, fifo_head
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.program_fetch import Item
from models.pe_array.clocks.table import COLUMNS, COMPUTES, LOADS, STORES, table
from models.pe_array.isa.encoding import unpack

QUEUE = kind("gate open ready")
"""The descriptor at the gate, or NONE; the gate is open; s_ready."""


class QueueState(NamedTuple):
    """Registers, and the FIFO of DEPTH words."""

    n: Record
    fifo: Fifo


def queue_state(depth: int) -> QueueState:
    """As after a reset. depth: DEPTH, in descriptors."""
    return QueueState(record(QUEUE, gate=NONE), fifo(depth))


@clocked
def queue_offered(state: QueueState) -> Int:
    """The descriptor at the output, or NONE."""
    return state.n.gate if state.n.open else NONE


@clocked
def queue_empty(state: QueueState) -> Flag:
    """Nothing is inside."""
    return state.n.gate == NONE and state.fifo.n.count == 0


@clocked
def queue_clock(state: QueueState, item: Int, counts: Array, d_ready: Flag, table: Array) -> None:
    """One clock with a descriptor or NONE, the loads, computes and stores done, and the table of descriptors."""
    n, words = state.n, state.fifo
    if n.open and d_ready:
        n.gate = NONE
    head, free = fifo_head(words), n.gate == NONE
    fifo_clock(words, item if n.ready else NONE, free)
    if free:
        n.gate = head
    gate = n.gate
    n.open = 0
    if gate != NONE:
        waits = table[gate]
        reached = counts[0] >= waits[LOADS] and counts[1] >= waits[COMPUTES] and counts[2] >= waits[STORES]
        n.open = 1 if reached else 0
    n.ready = 1 if words.n.count < len(words.words) else 0


class QueueClocks:
    """rtl/pe_array/control/op_queue.v.

    Attributes:
        s_ready: a descriptor is taken.
        offered: the descriptor at the output, or None.
        empty: nothing is inside.

    Args:
        depth: DEPTH, in descriptors.
    """

    def __init__(self, depth: int) -> None:
        self._state = queue_state(depth)
        self._items: list[Item | None] = [None] * (depth + 2)  # the newest ones, in a ring
        self._rows = np.zeros((depth + 2, COLUMNS), dtype=np.int64)
        self._taken = 0

    @property
    def s_ready(self) -> bool:
        return bool(self._state.n.ready)

    @property
    def offered(self) -> Item | None:
        at = int(queue_offered(self._state))
        return None if at == NONE else self._items[at]

    @property
    def empty(self) -> bool:
        return bool(queue_empty(self._state))

    def clock(self, item: Item | None, counts: Sequence[int], d_ready: bool) -> None:
        """One clock with a descriptor or none, and the loads, computes and stores done."""
        place = self._taken % len(self._items)
        if item is not None and self.s_ready:
            self._items[place] = item
            self._rows[place] = table([unpack(item.word)])[0]
            self._taken += 1
        queue_clock(self._state, NONE if item is None else place, np.array(counts, dtype=np.int64), d_ready, self._rows)
