# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/softmax8.v."""

from __future__ import annotations

from numba import njit

from models.lib.record import Flag, Int, Record, kind

_MAXIMA, _SUMS, _SHARES = range(3)
_STEPS = 8
"""Clocks of a division."""

SHARES = kind("passes class_ share steps shown")
"""Pass, and class of its next word; a word of exponentials waits to be divided; steps of the division that are behind,
0: none is under way; the shares of a word stand at the output."""


@njit(cache=True)
def _starts(state: Record, m_ready: Flag) -> Flag:
    """A division begins."""
    return state.share != 0 and state.steps == 0 and (state.shown == 0 or m_ready)


@njit(cache=True)
def softmax_ready(state: Record, m_ready: Flag) -> Flag:
    """A word is taken."""
    if state.passes == _SHARES:
        return state.share == 0 or _starts(state, m_ready)
    return state.passes == _SUMS or (state.share == 0 and state.steps == 0 and state.shown == 0)


@njit(cache=True)
def softmax_clock(state: Record, word: Flag, classes: Int, m_ready: Flag) -> None:
    """One clock, with a word at the input or none."""
    taken, starts = word and softmax_ready(state, m_ready), _starts(state, m_ready)
    waits = taken and state.passes == _SHARES
    if taken:
        state.class_ += 1
        if state.class_ == classes:
            state.class_ = 0
            state.passes = (state.passes + 1) % 3
    if waits or starts:
        state.share = 1 if waits else 0
    if m_ready:
        state.shown = 0
    if starts or state.steps > 0:
        state.steps += 1
    if state.steps == _STEPS:
        state.steps, state.shown = 0, 1
