# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/channel_records.v, one command for beats, and a record per channel."""

from __future__ import annotations

from models.lib.record import Flag, Int, Record, clocked, kind, record

REGISTERS = kind("lanes full command first beats word have shown")
"""B; records are of 8 bytes; a command waits; its first beat, and beats; word of 32 bits of the next record in its
beat; a beat is held; a record stands at the output."""


def records_state(lanes: int) -> Record:
    """As after a reset. lanes: B."""
    return record(REGISTERS, lanes=lanes)


@clocked
def records_start(n: Record, full: Flag, address: Int, channels: Int) -> None:
    """A start in this clock; ``records_clock`` of the same clock comes before."""
    n.full = 1 if full else 0
    words = n.lanes // 4
    n.word = address % n.lanes // 4 & ~n.full
    n.first = address // n.lanes
    n.beats = (n.word + (channels << n.full) + words - 1) // words
    n.command, n.have, n.shown = 1, 0, 0


@clocked
def records_ready(n: Record, m_ready: Flag) -> Flag:
    """A beat is taken."""
    ends = (n.word | n.full) == n.lanes // 4 - 1
    return n.have == 0 or (ends and (n.shown == 0 or m_ready))


@clocked
def records_clock(n: Record, cmd_ready: Flag, beat: Flag, m_ready: Flag) -> None:
    """One clock: the port takes a command; a beat stands at the input; the record at the output is taken."""
    words = n.lanes // 4
    takes = beat and records_ready(n, m_ready)
    moves = n.have != 0 and (n.shown == 0 or m_ready)
    if moves:
        n.word = ((n.word | n.full) + 1) % words
    n.have = 1 if takes or (n.have and not (moves and n.word == 0)) else 0
    n.shown = 1 if moves or (n.shown and not m_ready) else 0
    if cmd_ready:
        n.command = 0
