# SPDX-License-Identifier: Apache-2.0
"""Clocks of map loads and drains (docs/pe_array/map_load.md): what stands at every port in every clock.

The laws are those of ``map_load`` and ``tile_drain``. A model shows the outputs of a clock as attributes;
``clock`` says what came in during it and leads to the next one. All start as after a reset.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.clocks import map_load as r
from models.pe_array.clocks import tile_drain
from models.pe_array.clocks.stream_fifo import F_COUNT, NONE, fifo_head
from models.pe_array.clocks.tile_drain import DRAIN_LATENCY
from models.pe_array.isa.map_transfer import ADDRESSES, DrainCommand, LoadCommand, PeWindows


class Read(NamedTuple):
    """One read of a drain: of which PE, at which word, and whether it is the command's final one."""

    pe: int
    addr: int
    last: bool


class DrainTiming:
    """rtl/pe_array/store/tile_drain.v, compiled in ``clocks.tile_drain``.

    Attributes:
        cmd_ready, cmd_error, idle: outputs in this clock.
        read: the read that goes to the PEs in this clock.
        word: the read whose word stands at the output in this clock.

    Args:
        pes, y_depth: PEs; words of Y.
        latency: clocks from drain_read to drain_data.
    """

    def __init__(self, pes: int, y_depth: int, latency: int = DRAIN_LATENCY) -> None:
        self._pes, self._y_depth = pes, y_depth
        self._state = tile_drain.tile_state(pes, latency)
        self._words = np.zeros(0, dtype=np.int64)

    @property
    def cmd_ready(self) -> bool:
        return not self._state.n[tile_drain.T_WAITING]

    @property
    def cmd_error(self) -> bool:
        return bool(self._state.n[tile_drain.T_ERROR])

    @property
    def read(self) -> Read | None:
        return _read(int(self._state.n[tile_drain.T_READ]))

    @property
    def word(self) -> Read | None:
        return _read(int(fifo_head(self._state.words)))

    @property
    def idle(self) -> bool:
        return bool(tile_drain.tile_idle(self._state))

    def clock(self, command: DrainCommand | None, ready: bool) -> None:
        """One clock, with a command at the port or none, and a sink that is ready or not."""
        first = len(self._words)
        if command is not None and self.cmd_ready:
            self._words = np.append(self._words, tile_drain.command_words(command, self._pes, self._y_depth))
        offered = command is not None
        tile_drain.tile_clock(self._state, offered, first, len(self._words), ready, self._words)


def _read(word: int) -> Read | None:
    if word == NONE:
        return None
    return Read(tile_drain.word_pe(word), tile_drain.word_address(word), tile_drain.word_last(word))


class Beat(NamedTuple):
    """A beat of a load on the broadcast.

    Attributes:
        number: from 0 on, in the order in which beats are taken, over all commands.
        row, col: its place in the map.
        first, last: of its command.
    """

    number: int
    row: int
    col: int
    first: bool
    last: bool
    command: LoadCommand


class Load(NamedTuple):
    """A beat at a PE, and the address it goes to."""

    beat: Beat
    addr: int


def _slot(command: LoadCommand) -> int:
    return NONE if command.slot is None else command.slot


class WindowTiming:
    """rtl/pe_array/load/map_window.v.

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
        self, windows: PeWindows, stages: int, depth: int, state: tuple[IntArray, IntArray] | None = None
    ) -> None:
        if state is None:
            registers, fifos = r.window_state(1, stages, depth)
            state = registers[0], fifos[0]
        self._n, self._fifo = state
        self._beats: dict[int, Beat] = {}
        self.windows = windows

    @property
    def windows(self) -> PeWindows:
        return self._windows

    @windows.setter
    def windows(self, windows: PeWindows) -> None:
        self._windows = windows
        for at, region in ((r.W_X, windows.x), (r.W_Y, windows.y)):
            self._n[at : at + 4] = region.x, region.x + region.width, region.y, region.y + region.height
        self._n[r.W_SLOT] = windows.slot

    @property
    def load(self) -> Load | None:
        word = int(r.window_load(self._fifo))
        if word == NONE:
            return None
        return Load(self._beats[word >> r.L_NUMBER], (word >> r.L_ADDR) % ADDRESSES)

    @property
    def room(self) -> bool:
        return bool(self._n[r.W_ROOM])

    @property
    def ended(self) -> bool:
        return bool(self._n[r.W_ENDED])

    @property
    def inside(self) -> int:
        return int(self._fifo[F_COUNT])

    def comes(self, beat: Beat) -> None:
        """A beat that is on the broadcast in this clock."""
        self._beats[beat.number] = beat

    def clock(self, beat: Beat | None, ready: bool) -> None:
        """One clock, with a beat of the broadcast or none, and a PE that is ready or not."""
        row = np.full(r.BEAT, NONE, dtype=np.int64)
        if beat is not None:
            self.comes(beat)
            of = beat.command
            row[:] = beat.number, beat.row, beat.col, beat.first, beat.last, of.base, of.to_y, _slot(of)
        r.window_clock(self._n, self._fifo, row, ready)


class RasterTiming:
    """rtl/pe_array/load/map_raster.v.

    Attributes:
        cmd_ready, cmd_error, done, s_ready, idle: outputs in this clock.
        broadcast: the beat on the broadcast in this clock.

    Args:
        pes, stages: parameters.
        state: its registers, where they are part of others.
    """

    def __init__(self, pes: int, stages: int, state: r.RasterState | None = None) -> None:
        self._pes = pes
        self._state = r.raster_state(stages) if state is None else state
        self._commands: deque[tuple[int, LoadCommand]] = deque()  # number of the first beat
        self._beats = 0

    @property
    def cmd_ready(self) -> bool:
        return bool(r.raster_cmd_ready(self._state))

    @property
    def cmd_error(self) -> bool:
        return bool(self._state.n[r.R_ERROR])

    @property
    def done(self) -> bool:
        return bool(self._state.n[r.R_DONE])

    @property
    def s_ready(self) -> bool:
        return bool(r.raster_ready(self._state))

    @property
    def idle(self) -> bool:
        return bool(r.raster_idle(self._state))

    @property
    def broadcast(self) -> Beat | None:
        number, row, col, first, last, *_ = r.raster_beat(self._state).tolist()
        if number == NONE:
            return None
        while len(self._commands) > 1 and self._commands[1][0] <= number:
            self._commands.popleft()
        return Beat(number, row, col, bool(first), bool(last), self._commands[0][1])

    def row(self, command: LoadCommand | None) -> IntArray:
        """What the compiled model takes as a command at the port."""
        row = np.zeros(r.COMMAND, dtype=np.int64)
        if command is not None:
            legal = command.legal(self._pes)
            if legal and self.cmd_ready:
                self._commands.append((self._beats, command))
                self._beats += command.beats
            row[:] = (
                command.channels, command.row, command.rows, command.width, command.base, command.to_y, _slot(command),
                legal,
            )  # fmt: skip
        return row

    def clock(self, command: LoadCommand | None, valid: bool, rooms: Sequence[bool], ended: Sequence[bool]) -> None:
        """One clock, with a command at the port or none, a beat or none, and what the windows say."""
        offered = command is not None
        r.raster_clock(self._state, offered, self.row(command), valid, all(rooms), sum(map(bool, ended)), len(ended))


class LoadTiming:
    """rtl/pe_array/load/map_load.v: a raster and one window per PE.

    Args:
        windows: of the PEs.
        stages, depth: parameters.
    """

    def __init__(self, windows: Sequence[PeWindows], stages: int, depth: int) -> None:
        self._state = state = r.map_state(len(windows), stages, depth)
        self.raster = RasterTiming(len(windows), stages, state.raster)
        self.windows = [
            WindowTiming(of_pe, stages, depth, (registers, fifo))
            for of_pe, registers, fifo in zip(windows, state.windows, state.fifos, strict=True)
        ]

    @property
    def loads(self) -> list[Load | None]:
        """What stands at the load ports of the PEs."""
        return [window.load for window in self.windows]

    def clock(self, command: LoadCommand | None, valid: bool, readies: Sequence[bool]) -> None:
        """One clock, with a command at the port or none, a beat or none, and PEs that are ready or not."""
        beat = self.raster.broadcast
        if beat is not None:
            for window in self.windows:
                window.comes(beat)
        row = self.raster.row(command)
        r.map_clock(self._state, command is not None, row, valid, np.array(readies, dtype=np.int64))
