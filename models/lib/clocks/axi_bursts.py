# SPDX-License-Identifier: Apache-2.0
"""rtl/lib/axi_bursts.v, clock by clock, compiled: one command waits, one is cut into bursts.

Beats have numbers, address / B, instead of addresses; a command or burst of 0 beats is none. Who gives a command knows
whether it is refused, and, with PAIRS, the whole beats of half beats (``paired``).
"""

from __future__ import annotations

from models.lib.record import Flag, Int, Record, clocked, kind

BURST_BEATS = 16
"""Most beats of a burst; bursts end at multiples of it."""

PAIRED, SKIP_LOW, SKIP_HIGH = 1, 2, 4
"""Bits of the halves of a command: half beats in pairs; the low half of its first beat is not asked for, the high half
of its last one. 0: whole beats."""
BURSTS = kind("next_first next_beats next_refused next_halves first left refused halves")
"""Command that waits, and what is left of the one that is cut: first beat, beats, whether it is refused, halves."""


@clocked
def paired(first: Int, beats: Int) -> tuple[Int, Int, Int]:
    """Whole beats of a command of half beats: the first one, how many they are, and its halves."""
    odd = first % 2
    halves = PAIRED | (SKIP_LOW if odd else 0) | (SKIP_HIGH if (odd + beats) % 2 else 0)
    return first // 2, (odd + beats + 1) // 2, halves


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
def bursts_clock(n: Record, first: Int, beats: Int, refused: Flag, halves: Int, take: Flag, rest: Flag) -> None:
    """One clock.

    Args:
        first, beats, refused, halves: command at the port, or none.
        take: the burst at the output is taken; rest: and all that are left of its command.
    """
    ready = bursts_ready(n, take, rest)
    if _advances(n, take, rest):
        n.first, n.left, n.refused, n.halves = n.next_first, n.next_beats, n.next_refused, n.next_halves
    elif take:
        length = n.left if rest else burst(n)
        n.first += length
        n.left -= length
        n.halves &= ~SKIP_LOW
    if ready:
        n.next_first, n.next_beats, n.next_refused, n.next_halves = first, beats, 1 if refused else 0, halves
