# SPDX-License-Identifier: Apache-2.0
"""rtl/lib/stream_fifo.v, clock by clock, compiled: a word written in clock c stands at the output in clock c+2.

Words are numbers from 0 on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.lib.record import Array, Flag, Int, Record, clocked, kind, record, records

NONE = -1
"""No word."""
FIFO = kind("read count shown")
"""Place of the first word, words inside, whether the first one stands at the output."""


class Fifo(NamedTuple):
    """Registers, and places of words. Several are arrays of those: one of them is ``Fifo(f.n[i], f.words[i])``."""

    n: Record
    words: Array


def fifo(words: int) -> Fifo:
    """An empty FIFO for so many words, or several behind each other."""
    return Fifo(record(FIFO), np.zeros(words, dtype=np.int64))


def fifos(count: int, words: int) -> Fifo:
    """Several FIFOs that are empty."""
    return Fifo(records(FIFO, count), np.zeros((count, words), dtype=np.int64))


@clocked
def fifo_head(f: Fifo) -> Int:
    """The word at the output, or NONE."""
    return f.words[f.n.read] if f.n.shown else NONE


@clocked
def fifo_clock(f: Fifo, word: Int, ready: Flag) -> None:
    """One clock, with a word or NONE, and a reader that takes what stands at the output or not.

    The writer has looked for room.
    """
    n, places = f.n, len(f.words)
    shown = n.shown != 0
    unread = n.count - n.shown
    if shown and ready:
        n.count -= 1
        n.read += 1
        if n.read == places:
            n.read = 0
    n.shown = 1 if unread > 0 or (shown and not ready) else 0
    if word != NONE:
        at = n.read + n.count
        if at >= places:
            at -= places
        f.words[at] = word
        n.count += 1
