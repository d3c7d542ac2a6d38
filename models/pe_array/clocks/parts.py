# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: parts that many modules have. Registers are int64 arrays, flags in them 0 or 1."""

from __future__ import annotations

from typing import Any

from numba import njit

Array = Any  # Numba compiles the functions for the types they are called with
Int = Any  # int64 in compiled code
Flag = Any
Beats = Any  # first beat, and how many of them, 0: none


@njit(cache=True)
def pipe_ready(pipe: Array, m_ready: Flag) -> Flag:
    """pipe_control.v: stages that move where there is room; int64 (stages,), 1 where one holds a word."""
    return m_ready or not pipe.all()


@njit(cache=True)
def pipe_clock(pipe: Array, valid: Flag, m_ready: Flag) -> None:
    """One clock, with a word or none; the last stage is the output."""
    moves = m_ready
    for stage in range(len(pipe) - 1, -1, -1):
        moves = moves or not pipe[stage]
        if moves:
            pipe[stage] = pipe[stage - 1] if stage > 0 else (1 if valid else 0)


@njit(cache=True)
def in_turn(last: Int, asking: Int, before: Int) -> Int:
    """Of those that ask, found in rising order: the lowest one behind the one granted last, or else the lowest of all.

    Args:
        last: granted last, -1 at first.
        asking: one that asks; before: what this returned for those below it, -1 for the first.
    """
    if before < 0 or (before <= last < asking):
        return asking
    return before
