# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/load/map_window.v."""

from __future__ import annotations

from typing import NamedTuple

from models.lib.clocks.stream_fifo import NONE, Fifo, fifo, fifo_clock, fifo_head
from models.lib.record import Flag, Int, Record, clocked, kind, record
from models.pe_array.clocks.load.map_raster import BEAT, Beat, slot_of
from models.pe_array.isa.map_transfer import ADDRESSES, PeWindows

WINDOW = kind("slot addr room ended sent threshold", x=4, y=4)
"""Slot; address of the next word; room and ended; the first of the two words at the load port has been taken; beats up
to which there is room; for X and for Y the first column and the one behind the last, the same of rows."""
FIRST, SECOND = 1, 2
LAST_BIT, Y_BIT, ADDR_BIT, NUMBER_BIT = 2, 3, 4, 16
"""A beat in its FIFO: whether its first word is for the PE, and whether its second one is; bits of: a command's last
beat; to Y; address; number of the beat."""


def window_state(stages: int, depth: int) -> Record:
    """As after a reset. stages, depth: STAGES, DEPTH; the FIFO has DEPTH words."""
    return record(WINDOW, room=1, threshold=depth - stages - 3)


@clocked
def window_load(fifo: Fifo) -> Int:
    """The beat whose word is at the load port, or NONE."""
    head = fifo_head(fifo)
    return head if head != NONE and head & (FIRST | SECOND) else NONE


@clocked
def window_clock(n: Record, fifo: Fifo, beat: Record, ready: Flag) -> None:
    """One clock, with a beat of the broadcast (number NONE: none), and a PE that is ready or not."""
    n.room = 1 if fifo.n.count <= n.threshold else 0
    word = NONE
    if beat.number != NONE:
        if beat.first:
            n.addr = beat.origin
        region = n.y if beat.to_y else n.x
        mine = words = 0
        if beat.slot in (NONE, n.slot) and region[2] <= beat.row < region[3]:
            if region[0] <= beat.col < region[1]:
                mine, words = FIRST, 1
            if beat.pair and region[0] <= beat.col + 1 < region[1]:
                mine, words = mine | SECOND, words + 1
        if mine or beat.last:
            word = (
                mine | beat.last << LAST_BIT | beat.to_y << Y_BIT | n.addr << ADDR_BIT | beat.number << NUMBER_BIT
            )  # fmt: skip
        n.addr = (n.addr + words) % ADDRESSES
    elif fifo.n.count == 0:
        return
    head = fifo_head(fifo)
    more = head & (FIRST | SECOND) == FIRST | SECOND and not n.sent
    leaves = head != NONE and (not head & (FIRST | SECOND) or (ready and not more))
    if head != NONE and ready:
        n.sent = 1 if more else 0
    if leaves and head >> LAST_BIT & 1:
        n.ended = 1 - n.ended
    fifo_clock(fifo, word, leaves)


class Load(NamedTuple):
    """A word at a PE, the beat it came with, its number as a beat by itself, and the address it goes to."""

    beat: Beat
    number: int
    addr: int


class MapWindowClocks:
    """rtl/pe_array/load/map_window.v by itself: what stands at every port in every clock, from a reset on.

    Attributes:
        windows: of the PE; they may be exchanged while no load runs.
        load: what stands at the load port in this clock.
        room, ended: outputs in this clock.
        inside: beats in the FIFO.

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
        number, sent = word >> NUMBER_BIT, int(self._n.sent)
        second = 1 if sent or not word & FIRST else 0
        return Load(self._beats[number], number + second, ((word >> ADDR_BIT) + sent) % ADDRESSES)

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
                BEAT, number=beat.number, pair=beat.pair, row=beat.row, col=beat.col, first=beat.first, last=beat.last,
                origin=of.base, to_y=of.to_y, slot=slot_of(of),
            )  # fmt: skip
        window_clock(self._n, self._fifo, at_port, ready)
