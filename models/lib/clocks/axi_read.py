# SPDX-License-Identifier: Apache-2.0
"""rtl/lib/axi_read.v, clock by clock, compiled; commands as in ``axi_bursts``, and no answer is an error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.clocks.axi_bursts import (
    BURSTS,
    PAIRED,
    SKIP_HIGH,
    SKIP_LOW,
    burst,
    bursts_busy,
    bursts_clock,
    bursts_ready,
    paired,
)
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record

READ = kind("depth outstanding free flight request came beats second newest oldest", bursts=BURSTS)
"""FIFO_DEPTH, OUTSTANDING; free words, bursts on their way, beats of the burst at m_axi_ar; a beat came in the clock
before; beats at the stream, and whether the first half beat of theirs is taken; places of the next beat that is asked
for and of the one at the stream."""


class ReadState(NamedTuple):
    """Registers, and the items of each beat of the FIFO. Several are arrays of those, as of ``stream_fifo.Fifo``."""

    n: Record
    items: Array


def read_state(depth: int, outstanding: int) -> ReadState:
    """As after a reset. depth, outstanding: FIFO_DEPTH, OUTSTANDING."""
    return ReadState(record(READ, depth=depth, free=depth, outstanding=outstanding), np.ones(depth, dtype=np.int64))


@clocked
def read_idle(state: ReadState) -> Flag:
    """Nothing is inside or on its way."""
    n = state.n
    return not bursts_busy(n.bursts) and n.flight == 0 and n.free == n.depth


@clocked
def _issues(n: Record, ar_ready: Flag) -> Flag:
    beats = burst(n.bursts)
    port = n.request == 0 or ar_ready
    return beats > 0 and not n.bursts.refused and port and n.flight < n.outstanding and n.free >= beats


@clocked
def _refuses(n: Record) -> Flag:
    return n.bursts.left > 0 and n.bursts.refused and n.flight == 0 and n.free > 0


@clocked
def read_cmd_ready(state: ReadState, ar_ready: Flag) -> Flag:
    """A command is taken."""
    n = state.n
    return bursts_ready(n.bursts, _issues(n, ar_ready) or _refuses(n), n.bursts.refused)


@clocked
def read_valid(state: ReadState) -> Flag:
    """An item stands at the stream."""
    return state.n.beats > 0


@clocked
def read_pair(state: ReadState) -> Flag:
    """And the next one, of the same beat, with it."""
    n = state.n
    return n.beats > 0 and not n.second and state.items[n.oldest] == 2


@clocked
def _ask(state: ReadState, beats: Int) -> None:
    """Note what the beats of a burst have for the stream."""
    n, halves = state.n, state.n.bursts.halves
    for beat in range(beats):
        items = 1
        if halves & PAIRED:
            low = beat == 0 and halves & SKIP_LOW
            high = beat == n.bursts.left - 1 and halves & SKIP_HIGH
            items = 1 if low or high else 2
        state.items[n.newest] = items
        n.newest = n.newest + 1 if n.newest + 1 < n.depth else 0


@clocked
def read_clock(
    state: ReadState, first: Int, beats: Int, half: Flag, refused: Flag, ar_ready: Flag, left: Int, pop: Flag,
    both: Flag,
) -> None:  # fmt: skip
    """One clock.

    Args:
        first, beats, refused: command at the port, or none; half: of half beats.
        ar_ready: the request at m_axi_ar is taken.
        left: a beat of this port comes: what is left of its burst, this beat included; or 0.
        pop: the item at the stream is taken; both: and the next one of the same beat.
    """
    n = state.n
    issues, refuses, length = _issues(n, ar_ready), _refuses(n), burst(n.bursts)
    if issues:
        _ask(state, length)
    if refuses:
        state.items[n.newest] = 1
        n.newest = n.newest + 1 if n.newest + 1 < n.depth else 0
    one_of_two = pop and not both and read_pair(state)
    halves = 0
    if half and beats > 0:
        first, beats, halves = paired(first, beats)
    bursts_clock(n.bursts, first, beats, refused, halves, issues or refuses, n.bursts.refused)
    if ar_ready:
        n.request = 0
    if issues:
        n.request = length
        n.flight += 1
        n.free -= length
    if refuses:
        n.free -= 1
    n.beats += n.came
    if pop:
        n.second = 1 if one_of_two else 0
        if not one_of_two:
            n.beats -= 1
            n.free += 1
            n.oldest = n.oldest + 1 if n.oldest + 1 < n.depth else 0
    n.came = 1 if left > 0 or refuses else 0
    if left == 1:
        n.flight -= 1
