# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: rtl/pe_array/chunk_writer.v."""

from __future__ import annotations

from typing import NamedTuple

from models.pe_array.port_clocks import Beats

MOST_COMMANDS = 15
"""Write commands of a store that are not answered [collect_store, update_store]."""


class Chunk(NamedTuple):
    """Beats, and whose they are."""

    beats: Beats
    tag: int


class WriterClocks:
    """rtl/pe_array/chunk_writer.v.

    Attributes:
        command: at the write port, or None.
        current: chunk whose beats are sent, with what is left of it, or None.
    """

    def __init__(self) -> None:
        self.command: Beats | None = None
        self.current: Chunk | None = None
        self._next: Chunk | None = None

    def ready(self, wr_cmd_ready: bool) -> bool:
        return (self.command is None or wr_cmd_ready) and self._next is None

    @property
    def last(self) -> bool:
        return self.current is not None and self.current.beats.beats == 1

    def clock(self, chunk: Chunk | None, wr_cmd_ready: bool, take: bool) -> None:
        """One clock, with a chunk that is taken or none, and a beat that is sent or not."""
        if wr_cmd_ready:
            self.command = None
        if take and self.current is not None:
            left = self.current.beats.beats - 1
            self.current = Chunk(Beats(0, left), self.current.tag) if left else None
        if chunk is not None:
            self.command = chunk.beats
            self._next = chunk
        if self.current is None:
            self.current, self._next = self._next, None
