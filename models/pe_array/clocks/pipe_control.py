# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/pipe_control.v, stages that move where there is room.

A pipe is int64 (stages,), 1 where a stage holds a word.
"""

from __future__ import annotations

from models.lib.record import Array, Flag, clocked


@clocked
def pipe_ready(pipe: Array, m_ready: Flag) -> Flag:
    """A word is taken."""
    return m_ready or not pipe.all()


@clocked
def pipe_clock(pipe: Array, valid: Flag, m_ready: Flag) -> None:
    """One clock, with a word or none; the last stage is the output."""
    moves = m_ready
    for stage in range(len(pipe) - 1, -1, -1):
        moves = moves or not pipe[stage]
        if moves:
            pipe[stage] = pipe[stage - 1] if stage > 0 else (1 if valid else 0)
