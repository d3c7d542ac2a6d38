# SPDX-License-Identifier: Apache-2.0
"""rtl/lib/stream_fifo.v, clock by clock, compiled: a word written in clock c stands at the output in clock c+2.

A FIFO is an int64 array; its words are numbers from 0 on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from models.lib.fixed_point import IntArray

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code

F_READ, F_COUNT, F_SHOWN, F_WORDS = range(4)
"""Place of the first word, words inside, whether the first one stands at the output; places of words from here on."""
NONE = -1
"""No word."""


def fifo(words: int) -> IntArray:
    """An empty FIFO for so many words, or several behind each other."""
    return np.zeros(F_WORDS + words, dtype=np.int64)


@njit(cache=True)
def fifo_head(f: Array) -> Any:
    """The word at the output, or NONE."""
    return f[F_WORDS + f[F_READ]] if f[F_SHOWN] else NONE


@njit(cache=True)
def fifo_clock(f: Array, word: Int, ready: Any) -> None:
    """One clock, with a word or NONE, and a reader that takes what stands at the output or not.

    The writer has looked for room.
    """
    shown = f[F_SHOWN] != 0
    unread = f[F_COUNT] - f[F_SHOWN]
    if shown and ready:
        f[F_COUNT] -= 1
        f[F_READ] += 1
        if f[F_READ] == len(f) - F_WORDS:
            f[F_READ] = 0
    f[F_SHOWN] = 1 if unread > 0 or (shown and not ready) else 0
    if word != NONE:
        at = f[F_READ] + f[F_COUNT]
        if at >= len(f) - F_WORDS:
            at -= len(f) - F_WORDS
        f[F_WORDS + at] = word
        f[F_COUNT] += 1
