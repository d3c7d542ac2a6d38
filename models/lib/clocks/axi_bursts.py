# SPDX-License-Identifier: Apache-2.0
"""rtl/lib/axi_bursts.v, clock by clock, compiled: one command waits, one is cut into bursts.

Beats have numbers, address / B, instead of addresses; a command or burst of 0 beats is none. Who gives a command knows
whether it is refused.
"""

from __future__ import annotations

from models.lib.record import Flag, Int, Record, clocked, kind

BURST_BEATS = 16
"""Most beats of a burst; bursts end at multiples of it."""

BURSTS = kind("next_first next_beats next_refused first left refused")
"""Command that waits, and what is left of the one that is cut: first beat, beats, whether it is refused."""


@clocked
def burst(n: Record) -> Int:
    """Beats of the burst at the output, or 0."""
    return min(n.left, BURST_BEATS - n.first % BURST_BEATS)


@clocked
def bursts_busy(n: Record) -> Flag:
    """A command is inside."""
    return n.next_beats > 0 or n.left > 0


@clocked
def _advances(n: Record, take: Flag, rest: Flag) -> Flag:
    return n.next_beats > 0 and (n.left == 0 or (take and (rest or burst(n) == n.left)))


@clocked
def bursts_ready(n: Record, take: Flag, rest: Flag) -> Flag:
    """Whether a command is taken in a clock in which the burst at the output is taken or not; rest: as below."""
    return n.next_beats == 0 or _advances(n, take, rest)


@clocked
def bursts_clock(n: Record, first: Int, beats: Int, refused: Flag, take: Flag, rest: Flag) -> None:
    """One clock.

    Args:
        first, beats, refused: command at the port, or none.
        take: the burst at the output is taken; rest: and all that are left of its command.
    """
    ready = bursts_ready(n, take, rest)
    if _advances(n, take, rest):
        n.first, n.left, n.refused = n.next_first, n.next_beats, n.next_refused
    elif take:
        length = n.left if rest else burst(n)
        n.first += length
        n.left -= length
    if ready:
        n.next_first, n.next_beats, n.next_refused = first, beats, 1 if refused else 0
