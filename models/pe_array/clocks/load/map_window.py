# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/load/map_window.v."""

from __future__ import annotations

from typing import NamedTuple

from models.lib.clocks.stream_fifo import NONE, Fifo, fifo, fifo_clock, fifo_head
from models.lib.record import Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.load.map_raster import BEAT, Beat, slot_of
from models.pe_array.isa.map_transfer import ADDRESSES, PeWindows

WINDOW = kind("slot addr room ended threshold", x=4, y=4)
"""Slot; address of the next word; room and ended; words up to which there is room; for X and for Y the first column and
the one behind the last, the same of rows."""
MINE_BIT, LAST_BIT, Y_BIT, ADDR_BIT, NUMBER_BIT = 0, 1, 2, 3, 15
"""Bits of a word in its FIFO: for the PE; a command's last beat; to Y; address; number of the beat."""


def window_state(stages: int, depth: int) -> Record:
    """As after a reset. stages, depth: STAGES, DEPTH; the FIFO has DEPTH words."""
    return record(WINDOW, room=1, threshold=depth - stages - 3)


@clocked
def window_load(fifo: Fifo) -> Int:
    """The word at the load port, or NONE."""
    head = fifo_head(fifo)
    return head if head != NONE and head >> MINE_BIT & 1 else NONE


@clocked
def window_clock(n: Record, fifo: Fifo, beat: Record, ready: Flag) -> None:
    """One clock, with a beat of the broadcast (number NONE: none), and a PE that is ready or not."""
    n.room = 1 if fifo.n.count <= n.threshold else 0
    word = NONE
    if beat.number != NONE:
        if beat.first:
            n.addr = beat.origin
        region = n.y if beat.to_y else n.x
        here = region[0] <= beat.col < region[1] and region[2] <= beat.row < region[3]
        mine = 1 if here and beat.slot in (NONE, n.slot) else 0
        if mine or beat.last:
            word = (
                mine << MINE_BIT | beat.last << LAST_BIT | beat.to_y << Y_BIT | n.addr << ADDR_BIT
                | beat.number << NUMBER_BIT
            )  # fmt: skip
        n.addr = (n.addr + mine) % ADDRESSES
    elif fifo.n.count == 0:
        return
    head = fifo_head(fifo)
    leaves = head != NONE and (not head >> MINE_BIT & 1 or ready)
    if leaves and head >> LAST_BIT & 1:
        n.ended = 1 - n.ended
    fifo_clock(fifo, word, leaves)


class Load(NamedTuple):
    """A beat at a PE, and the address it goes to."""

    beat: Beat
    addr: int


class MapWindowClocks:
    """rtl/pe_array/load/map_window.v by itself: what stands at every port in every clock, from a reset on.

    Attributes:
        windows: of the PE; they may be exchanged while no load runs.
        load: what stands at the load port in this clock.
        room, ended: outputs in this clock.
        inside: words in the FIFO.

    Args:
        windows: of the PE.
        stages, depth: parameters.
        state: its registers and FIFO, where they are part of others.
    """

    def __init__(
        self, windows: PeWindows, stages: int, depth: int, state: tuple[Record, Fifo] | None = None
    ) -> None:  # fmt: skip
        self._n, self._fifo = (window_state(stages, depth), fifo(depth)) if state is None else state
        self._beats: dict[int, Beat] = {}
        self.windows = windows

    @property
    def windows(self) -> PeWindows:
        return self._windows

    @windows.setter
    def windows(self, windows: PeWindows) -> None:
        self._windows = windows
        for name in ("x", "y"):
            region = getattr(windows, name)
            self._n[name] = region.x, region.x + region.width, region.y, region.y + region.height
        self._n.slot = windows.slot

    @property
    def load(self) -> Load | None:
        word = int(window_load(self._fifo))
        if word == NONE:
            return None
        return Load(self._beats[word >> NUMBER_BIT], (word >> ADDR_BIT) % ADDRESSES)

    @property
    def room(self) -> bool:
        return bool(self._n.room)

    @property
    def ended(self) -> bool:
        return bool(self._n.ended)

    @property
    def inside(self) -> int:
        return int(self._fifo.n.count)

    def comes(self, beat: Beat) -> None:
        """A beat that is on the broadcast in this clock."""
        self._beats[beat.number] = beat

    def clock(self, beat: Beat | None, ready: bool) -> None:
        """One clock, with a beat of the broadcast or none, and a PE that is ready or not."""
        at_port = record(BEAT, number=NONE)
        if beat is not None:
            self.comes(beat)
            of = beat.command
            at_port = record(
                BEAT, number=beat.number, row=beat.row, col=beat.col, first=beat.first, last=beat.last, origin=of.base,
                to_y=of.to_y, slot=slot_of(of),
            )  # fmt: skip
        window_clock(self._n, self._fifo, at_port, ready)
