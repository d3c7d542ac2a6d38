# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/store/chunk_writer.v."""

from __future__ import annotations

from models.lib.record import Flag, Int, Record, clocked, kind

MOST_COMMANDS = 31
"""Write commands of a store that are not answered [collect_store, update_store]."""

WRITER = kind("first beats left tag next next_tag after after_tag")
"""First beat and beats of the command at the write port, 0: none; beats left of the chunk that is sent and
whose it is, 0: none; the same of the two behind it."""


@clocked
def writer_ready(writer: Record, wr_cmd_ready: Flag) -> Flag:
    """A chunk is taken."""
    return (writer.beats == 0 or wr_cmd_ready) and writer.after == 0


@clocked
def writer_clock(writer: Record, first: Int, beats: Int, tag: Int, wr_cmd_ready: Flag, take: Flag) -> None:
    """One clock, with a chunk that is taken or none (``beats`` 0), and a beat that is sent or not."""
    if wr_cmd_ready:
        writer.beats = 0
    if take and writer.left > 0:
        writer.left -= 1
    if beats > 0:
        writer.first, writer.beats = first, beats
        writer.after, writer.after_tag = beats, tag
    for _ in range(2):
        if writer.next == 0:
            writer.next, writer.next_tag = writer.after, writer.after_tag
            writer.after = 0
        if writer.left == 0:
            writer.left, writer.tag = writer.next, writer.next_tag
            writer.next = 0
