# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/pool_drain.v."""

from __future__ import annotations

from models.lib.record import Flag, Int, Record, clocked, kind
from models.pe_array.isa.widths import POOL_BEATS
from models.pe_array.network.drain_pooling import WINDOW

POOL = kind("part complete inside ahead pos second again word")
"""Pixels of a window that are in; a word waits for room in the ring; words in the ring, and those of them that are not
read in this pass; words of the run that are read in it; it is the second pass; a word is read again; a beat stands at
the output."""

PLAIN, LARGEST, PLACES, SPREAD = range(4)
"""Words go through; the largest of windows; with their places; words of a pooled map to the large one."""


@clocked
def pool_mode(windows: Flag, index: Flag) -> Int:
    """By the flags of a DRAIN."""
    if windows:
        return PLACES if index else LARGEST
    return SPREAD if index else PLAIN


@clocked
def pool_room(n: Record) -> Flag:
    """A word is taken, in SPREAD with a beat of places."""
    return n.complete == 0 or n.inside < POOL_BEATS


@clocked
def pool_clock(n: Record, mode: Int, run: Int, word: Flag, ready: Flag) -> None:
    """One clock, not PLAIN.

    Args:
        run: beats of a run.
        word: one is taken.
        ready: the port takes a beat.
    """
    push = n.complete != 0 and n.inside < POOL_BEATS
    read = n.ahead > 0 and (n.word == 0 or ready)
    if read or ready:
        n.word = 1 if read else 0
    if push:
        n.complete = 0
        n.inside += 1
        n.ahead += 1
    if word:
        n.part = 0 if mode == SPREAD or n.part == WINDOW - 1 else n.part + 1
        if n.part == 0:
            n.complete = 1
    if not read:
        return
    if mode == SPREAD and n.again == 0:
        n.again = 1
        return
    n.again = 0
    n.ahead -= 1
    if mode == LARGEST:
        n.inside -= 1
        return
    n.inside -= n.second
    n.pos += 1
    if n.pos == run:
        n.pos = 0
        n.ahead += 0 if n.second else run
        n.second = 1 - n.second
