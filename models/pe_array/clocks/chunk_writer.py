# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/chunk_writer.v."""

from __future__ import annotations

from numba import njit

from models.pe_array.clocks.parts import Array, Flag, Int

MOST_COMMANDS = 15
"""Write commands of a store that are not answered [collect_store, update_store]."""

C_FIRST, C_BEATS, C_LEFT, C_TAG, C_NEXT, C_NEXT_TAG = range(6)
"""Registers: first beat and beats of the command at the write port, 0: none; beats left of the chunk that is sent and
whose it is, 0: none; the same of the one behind it."""
WRITER = 6


@njit(cache=True)
def writer_ready(writer: Array, wr_cmd_ready: Flag) -> Flag:
    """A chunk is taken."""
    return (writer[C_BEATS] == 0 or wr_cmd_ready) and writer[C_NEXT] == 0


@njit(cache=True)
def writer_clock(writer: Array, first: Int, beats: Int, tag: Int, wr_cmd_ready: Flag, take: Flag) -> None:
    """One clock, with a chunk that is taken or none (``beats`` 0), and a beat that is sent or not."""
    if wr_cmd_ready:
        writer[C_BEATS] = 0
    if take and writer[C_LEFT] > 0:
        writer[C_LEFT] -= 1
    if beats > 0:
        writer[C_FIRST], writer[C_BEATS] = first, beats
        writer[C_NEXT], writer[C_NEXT_TAG] = beats, tag
    if writer[C_LEFT] == 0:
        writer[C_LEFT], writer[C_TAG] = writer[C_NEXT], writer[C_NEXT_TAG]
        writer[C_NEXT] = 0
