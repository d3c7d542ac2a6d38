# SPDX-License-Identifier: Apache-2.0
"""A steady memory behind AXI ports, clock by clock, compiled: that of tb/pe_array/axi_memory.v.

It takes requests at any time and gives their beats in order, at most BEATS of every PER clocks.
"""

from __future__ import annotations

from typing import NamedTuple

from models.lib.record import Array, Flag, Int, Record, clocked, kind, record, records

CREDIT = kind("credit beats per")
"""Credit; what a clock gives; what a beat costs."""


def credit(beats: int, per: int) -> Record:
    """Bandwidth, as after ``per`` clocks without a beat."""
    return record(CREDIT, credit=per + beats - 1, beats=beats, per=per)


@clocked
def credit_open(n: Record) -> Flag:
    """A beat may go."""
    return n.credit >= n.per


@clocked
def credit_clock(n: Record, beat: Flag) -> None:
    """One clock, in which a beat goes or not."""
    if beat:
        n.credit -= n.per
    n.credit = min(n.credit + n.beats, n.per + n.beats - 1)


MEMORY = kind("latency read count", credit=CREDIT)
"""LATENCY; where the requests on their way begin, and how many they are; bandwidth of reads."""
REQUEST = kind("due master beats")
"""A request on its way: clock of its first beat, at the earliest; who asks; beats that are left."""


class MemoryState(NamedTuple):
    """Registers, and places of requests."""

    n: Record
    requests: Array


def memory_state(requests: int, latency: int, bandwidth: tuple[int, int]) -> MemoryState:
    """As after a reset.

    Args:
        requests: most that are on their way.
        latency: clocks from a request to its first beat, at least 1.
        bandwidth: (BEATS, PER) of reads.
    """
    n = record(MEMORY, latency=latency)
    n.credit = credit(*bandwidth)
    return MemoryState(n, records(REQUEST, requests + 1))


@clocked
def memory_beat(state: MemoryState, clock: Int) -> tuple[Int, Int]:
    """Master of the beat that comes, and what is left of its burst, this beat included, or 0."""
    n = state.n
    head = state.requests[n.read]
    if n.count == 0 or head.due > clock or not credit_open(n.credit):
        return 0, 0
    return head.master, head.beats


@clocked
def memory_clock(state: MemoryState, master: Int, beats: Int, clock: Int) -> None:
    """One clock, with a request of a master, or of 0 beats: none."""
    n, places = state.n, len(state.requests)
    beat = memory_beat(state, clock)[1] > 0
    if beat:
        state.requests[n.read].beats -= 1
        if state.requests[n.read].beats == 0:
            n.read = (n.read + 1) % places
            n.count -= 1
    credit_clock(n.credit, beat)
    if beats > 0:
        at = state.requests[(n.read + n.count) % places]
        at.due, at.master, at.beats = clock + n.latency, master, beats
        n.count += 1
