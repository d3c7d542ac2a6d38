# SPDX-License-Identifier: Apache-2.0
"""Clock by clock, compiled: rtl/pe_array/load/map_raster.v.

Illegal commands are marked by who makes them (``legal``), with ``LoadCommand.legal``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from models.lib.clocks.stream_fifo import NONE
from models.lib.record import Array, Flag, Int, Record, clocked, kind, record, records
from models.pe_array.isa.map_transfer import LoadCommand

COMMAND = kind("channels row rows width origin to_y slot legal")
"""Fields of ``LoadCommand``, slot NONE: all; whether it is legal."""
BEAT = kind("number pair row col first last origin to_y slot")
"""A beat on the broadcast: its number, NONE: there is none, from 0 on in the order in which beats are taken; whether
the next one, of the column behind it, is there too; its place in the map; whether it is its command's first one, and
whether its command ends with it, or with the one behind it; fields of its command."""
REGISTERS = kind("wide waits age left row col begun number room ended sent completed error done place")
"""WIDE; a command waits, and for how many clocks; of the one that runs: beats left, place of the next one, whether one
has been taken; beats taken in all; all windows had room a clock ago, and how many of them had ``ended`` at 1; last
beats sent, and commands completed; pulses cmd_error and done; place in the ring."""


class RasterState(NamedTuple):
    """Registers; the commands that waits and that runs; a ring of beats on their way, the broadcast the oldest."""

    n: Record
    waiting: Record
    running: Record
    way: Array


def raster_state(stages: int, wide: int) -> RasterState:
    """As after a reset. stages, wide: STAGES, WIDE."""
    way = records(BEAT, stages)
    way.number = NONE
    return RasterState(record(REGISTERS, wide=wide, room=1), record(COMMAND), record(COMMAND), way)


@clocked
def raster_ready(state: RasterState) -> Flag:
    """s_ready: a beat is taken."""
    n = state.n
    blocked = n.left == 1 and n.sent > n.completed
    return n.left > 0 and n.room != 0 and not blocked


@clocked
def raster_both(state: RasterState) -> Flag:
    """s_both: where the next two are there and the first one is taken, the second one is too."""
    n = state.n
    blocked = n.left == 2 and n.sent > n.completed
    return n.wide == 2 and n.left >= 2 and n.col + 1 < state.running.width and not blocked


@clocked
def raster_cmd_ready(state: RasterState) -> Flag:
    """A command is taken."""
    return state.n.waits == 0


@clocked
def raster_idle(state: RasterState) -> Flag:
    """Nothing is inside."""
    n = state.n
    return n.waits == 0 and n.left == 0 and n.sent == n.completed


@clocked
def _copy(to: Record, of: Record) -> None:
    to.channels, to.row, to.rows, to.width = of.channels, of.row, of.rows, of.width
    to.origin, to.to_y, to.slot, to.legal = of.origin, of.to_y, of.slot, of.legal


@clocked
def raster_clock(
    state: RasterState, offered: Flag, command: Record, words: Int, room: Flag, ended: Int, windows: Int
) -> None:  # fmt: skip
    """One clock.

    Args:
        offered: a command is at the port.
        words: beats that are there, 0 … WIDE.
        room: all windows have room; ended: how many of the windows have ``ended`` at 1; windows: how many there are.
    """
    n, running = state.n, state.running
    taken = 0
    if words > 0 and raster_ready(state):
        taken = 2 if words == 2 and raster_both(state) else 1
    all_ended = n.ended == (windows if n.sent % 2 == 1 else 0)
    n.done = 1 if n.sent > n.completed and all_ended else 0
    n.completed += n.done
    n.ended, n.room = ended, 1 if room else 0
    beat = state.way[n.place]
    beat.number = NONE
    if taken:
        beat.number, beat.row, beat.col = n.number, n.row, n.col
        beat.pair = taken - 1
        beat.first, beat.last = 1 - n.begun, 1 if n.left == taken else 0
        beat.origin, beat.to_y, beat.slot = running.origin, running.to_y, running.slot
        n.sent += beat.last
        n.begun = 1
        n.number += taken
        n.left -= taken
        n.col += taken
        if n.col == running.width:
            n.col = 0
            n.row += 1
            if n.row == running.row + running.rows:
                n.row = running.row
    n.place = n.place + 1 if n.place + 1 < len(state.way) else 0

    n.error = 0
    if n.waits == 0:
        n.waits, n.age = 1 if offered else 0, 0
        if offered:
            _copy(state.waiting, command)
        return
    n.age += 1
    if n.age < 2:
        return
    if not state.waiting.legal:
        n.error, n.waits = 1, 0
    elif n.left == 0:
        _copy(running, state.waiting)
        n.left = running.channels * running.rows * running.width
        n.row, n.col, n.begun, n.waits = running.row, 0, 0, 0


class Beat(NamedTuple):
    """A beat of a load on the broadcast.

    Attributes:
        number: from 0 on, in the order in which beats are taken, over all commands.
        row, col: its place in the map.
        first, last: of its command; a pair's second beat may be the last one.
        pair: the next one is there too, in the same row.
    """

    number: int
    row: int
    col: int
    first: bool
    last: bool
    command: LoadCommand
    pair: bool = False


def slot_of(command: LoadCommand) -> int:
    """As in a record."""
    return NONE if command.slot is None else command.slot


class MapRasterClocks:
    """rtl/pe_array/load/map_raster.v by itself: what stands at every port in every clock, from a reset on.

    Attributes:
        cmd_ready, cmd_error, done, s_ready, s_both, idle: outputs in this clock.
        broadcast: the beat on the broadcast in this clock.

    Args:
        pes, stages, wide: parameters.
        state: its registers, where they are part of others.
    """

    def __init__(self, pes: int, stages: int, wide: int = 1, state: RasterState | None = None) -> None:
        self._pes = pes
        self._state = raster_state(stages, wide) if state is None else state
        self._commands: deque[tuple[int, LoadCommand]] = deque()  # number of the first beat
        self._beats = 0

    @property
    def cmd_ready(self) -> bool:
        return bool(raster_cmd_ready(self._state))

    @property
    def cmd_error(self) -> bool:
        return bool(self._state.n.error)

    @property
    def done(self) -> bool:
        return bool(self._state.n.done)

    @property
    def s_ready(self) -> bool:
        return bool(raster_ready(self._state))

    @property
    def s_both(self) -> bool:
        return bool(raster_both(self._state))

    def takes(self, words: int) -> int:
        """Beats that are taken in this clock, of so many that are there."""
        return min(words, 1 + self.s_both) if self.s_ready else 0

    @property
    def idle(self) -> bool:
        return bool(raster_idle(self._state))

    @property
    def broadcast(self) -> Beat | None:
        at = self._state.way[self._state.n.place]
        number = int(at.number)
        if number == NONE:
            return None
        while len(self._commands) > 1 and self._commands[1][0] <= number:
            self._commands.popleft()
        command = self._commands[0][1]
        return Beat(number, int(at.row), int(at.col), bool(at.first), bool(at.last), command, bool(at.pair))

    def at_port(self, command: LoadCommand | None) -> Record:
        """What the compiled model takes as a command at the port."""
        if command is None:
            return record(COMMAND)
        legal = command.legal(self._pes)
        if legal and self.cmd_ready:
            self._commands.append((self._beats, command))
            self._beats += command.beats
        return record(
            COMMAND, channels=command.channels, row=command.row, rows=command.rows, width=command.width,
            origin=command.base, to_y=command.to_y, slot=slot_of(command), legal=legal,
        )  # fmt: skip

    def clock(self, command: LoadCommand | None, words: int, rooms: Sequence[bool], ended: Sequence[bool]) -> None:
        """One clock, with a command at the port or none, so many beats, and what the windows say."""
        offered = command is not None
        raster_clock(
            self._state, offered, self.at_port(command), words, all(rooms), sum(map(bool, ended)), len(ended)
        )  # fmt: skip
