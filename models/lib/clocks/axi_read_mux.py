# SPDX-License-Identifier: Apache-2.0
"""rtl/lib/axi_read_mux.v, clock by clock, compiled: whose request goes to the memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.record import Array, Flag, Int, Record, clocked, kind, record

MUX = kind("last port beats")
"""Master chosen last; master and beats of the request at the memory's port, or 0 beats."""


class MuxState(NamedTuple):
    """Registers; bursts that wait, two per master."""

    n: Record
    waiting: Array


def mux_state(masters: int) -> MuxState:
    """As after a reset. masters: N."""
    return MuxState(record(MUX, last=-1), np.zeros((masters, 2), dtype=np.int64))


@clocked
def mux_ready(state: MuxState, master: Int) -> Flag:
    """A request is taken."""
    return state.waiting[master, 1] == 0


@clocked
def mux_clock(state: MuxState, requests: Array) -> None:
    """One clock, with the beats of what stands at the masters' ports; the memory takes what stands at its own."""
    n, waiting = state.n, state.waiting
    masters = len(requests)
    n.beats = 0
    takes = 0
    for master in range(masters):
        takes |= (1 << master) if mux_ready(state, master) else 0
    for step in range(1, masters + 1):
        master = (n.last + step) % masters
        if waiting[master, 0] > 0:
            n.port = n.last = master
            n.beats = waiting[master, 0]
            waiting[master, 0], waiting[master, 1] = waiting[master, 1], 0
            break
    for master in range(masters):
        if requests[master] > 0 and takes >> master & 1:
            waiting[master, 1 if waiting[master, 0] > 0 else 0] = requests[master]
