# SPDX-License-Identifier: Apache-2.0
"""rtl/lib/axi_read.v, clock by clock, compiled; commands as in ``axi_bursts``, and no answer is an error."""

from __future__ import annotations

from models.lib.clocks.axi_bursts import BURSTS, burst, bursts_busy, bursts_clock, bursts_ready
from models.lib.record import Flag, Int, Record, clocked, kind, record

READ = kind("depth outstanding free flight request came items", bursts=BURSTS)
"""FIFO_DEPTH, OUTSTANDING; free words, bursts on their way, beats of the burst at m_axi_ar; an item came in the clock
before; items at the stream."""


def read_state(depth: int, outstanding: int) -> Record:
    """As after a reset. depth, outstanding: FIFO_DEPTH, OUTSTANDING."""
    return record(READ, depth=depth, free=depth, outstanding=outstanding)


@clocked
def read_idle(n: Record) -> Flag:
    """Nothing is inside or on its way."""
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
def read_cmd_ready(n: Record, ar_ready: Flag) -> Flag:
    """A command is taken."""
    return bursts_ready(n.bursts, _issues(n, ar_ready) or _refuses(n), n.bursts.refused)


@clocked
def read_clock(n: Record, first: Int, beats: Int, refused: Flag, ar_ready: Flag, left: Int, pop: Flag) -> None:
    """One clock.

    Args:
        first, beats, refused: command at the port, or none.
        ar_ready: the request at m_axi_ar is taken.
        left: a beat of this port comes: what is left of its burst, this beat included; or 0.
        pop: the item at the stream is taken.
    """
    issues, refuses, length = _issues(n, ar_ready), _refuses(n), burst(n.bursts)
    bursts_clock(n.bursts, first, beats, refused, issues or refuses, n.bursts.refused)
    if ar_ready:
        n.request = 0
    if issues:
        n.request = length
        n.flight += 1
        n.free -= length
    if refuses:
        n.free -= 1
    n.items += n.came
    if pop:
        n.items -= 1
        n.free += 1
    n.came = 1 if left > 0 or refuses else 0
    if left == 1:
        n.flight -= 1
