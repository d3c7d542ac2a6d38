# SPDX-License-Identifier: Apache-2.0
"""Clocks of map loads and drains (docs/pe_array.md, section 6): what stands at every port in every clock.

A model shows the outputs of a clock as attributes; ``clock`` says what came in during it and leads to the next one.
Both start as after a reset.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from models.pe_array import tile_clocks
from models.pe_array.clock_fifo import NONE, fifo_head
from models.pe_array.map_transfer import ADDRESSES, DrainCommand, LoadCommand, PeWindows, inside
from models.pe_array.tile_clocks import DRAIN_LATENCY

_T = TypeVar("_T")


class FifoClocks(Generic[_T]):
    """rtl/lib/stream_fifo.v: a word written in clock c stands at the output in clock c+2 if none is before it."""

    def __init__(self) -> None:
        self.words: deque[_T] = deque()
        self.shown = False

    @property
    def head(self) -> _T | None:
        """The word at the output."""
        return self.words[0] if self.shown else None

    def clock(self, write: _T | None, ready: bool) -> None:
        """One clock with a reader that takes the word at the output or not; the writer has looked for room."""
        unread = len(self.words) - self.shown
        if self.shown and ready:
            self.words.popleft()
        self.shown = unread > 0 or (self.shown and not ready)
        if write is not None:
            self.words.append(write)


class Read(NamedTuple):
    """One read of a drain: of which PE, at which word, and whether it is the command's final one."""

    pe: int
    addr: int
    last: bool


class DrainTiming:
    """rtl/pe_array/tile_drain.v, compiled in ``tile_clocks``.

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
        self._state = tile_clocks.tile_state(pes, latency)
        self._words = np.zeros(0, dtype=np.int64)

    @property
    def cmd_ready(self) -> bool:
        return not self._state.n[tile_clocks.T_WAITING]

    @property
    def cmd_error(self) -> bool:
        return bool(self._state.n[tile_clocks.T_ERROR])

    @property
    def read(self) -> Read | None:
        return _read(int(self._state.n[tile_clocks.T_READ]))

    @property
    def word(self) -> Read | None:
        return _read(int(fifo_head(self._state.words)))

    @property
    def idle(self) -> bool:
        return bool(tile_clocks.tile_idle(self._state))

    def clock(self, command: DrainCommand | None, ready: bool) -> None:
        """One clock, with a command at the port or none, and a sink that is ready or not."""
        first = len(self._words)
        if command is not None and self.cmd_ready:
            self._words = np.append(self._words, tile_clocks.command_words(command, self._pes, self._y_depth))
        offered = command is not None
        tile_clocks.tile_clock(self._state, offered, first, len(self._words), ready, self._words)


def _read(word: int) -> Read | None:
    if word == NONE:
        return None
    return Read(tile_clocks.word_pe(word), tile_clocks.word_address(word), tile_clocks.word_last(word))


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
    """A beat at a PE, and the address it goes to; None: the PE does not take it."""

    beat: Beat
    addr: int | None


class WindowTiming:
    """rtl/pe_array/map_window.v.

    Attributes:
        load: what stands at the load port in this clock.
        room, ended: outputs in this clock.

    Args:
        windows: of the PE; they may be exchanged while no load runs.
        stages, depth: parameters.
    """

    def __init__(self, windows: PeWindows, stages: int, depth: int) -> None:
        self.windows = windows
        self.fifo: FifoClocks[Load] = FifoClocks()
        self.room = True
        self.ended = False
        self._threshold = depth - stages - 3
        self._addr = 0

    @property
    def load(self) -> Load | None:
        head = self.fifo.head
        return head if head is not None and head.addr is not None else None

    def clock(self, beat: Beat | None, ready: bool) -> None:
        """One clock, with a beat of the broadcast or none, and a PE that is ready or not."""
        self.room = len(self.fifo.words) <= self._threshold
        head = self.fifo.head
        leaves = head is not None and (head.addr is None or ready)
        self.ended ^= leaves and head is not None and head.beat.last
        self.fifo.clock(self._take(beat) if beat is not None else None, leaves)

    def _take(self, beat: Beat) -> Load | None:
        """What goes into the FIFO: a beat that is for the PE, or a last one."""
        command, windows = beat.command, self.windows
        if beat.first:
            self._addr = command.base
        mine = command.slot in (None, windows.slot) and inside(
            windows.y if command.to_y else windows.x, beat.row, beat.col
        )
        load = Load(beat, self._addr if mine else None)
        self._addr = (self._addr + mine) % ADDRESSES
        return load if mine or beat.last else None


class RasterTiming:
    """rtl/pe_array/map_raster.v.

    Attributes:
        cmd_ready, cmd_error, done, s_ready, idle: outputs in this clock.
        broadcast: the beat on the broadcast in this clock.

    Args:
        pes, stages: parameters.
    """

    def __init__(self, pes: int, stages: int) -> None:
        self._pes = pes
        self._waiting: LoadCommand | None = None
        self._age = 0
        self._beats: deque[Beat] = deque()  # of the command that runs
        self._number = 0
        self._way: deque[Beat | None] = deque([None] * (stages - 1))
        self._room = True
        self._ended = {False}  # values of the windows, one clock ago
        self._sent = 0  # last beats
        self._completed = 0
        self.broadcast: Beat | None = None
        self.cmd_error = False
        self.done = False

    @property
    def cmd_ready(self) -> bool:
        return self._waiting is None

    @property
    def s_ready(self) -> bool:
        blocked = len(self._beats) == 1 and self._sent > self._completed
        return bool(self._beats) and self._room and not blocked

    @property
    def idle(self) -> bool:
        return self._waiting is None and not self._beats and self._sent == self._completed

    def clock(self, command: LoadCommand | None, valid: bool, rooms: Sequence[bool], ended: Sequence[bool]) -> None:
        """One clock, with a command at the port or none, a beat or none, and what the windows say."""
        taken = self._beats.popleft() if valid and self.s_ready else None
        self.done = self._sent > self._completed and self._ended == {self._sent % 2 == 1}
        self._completed += self.done
        self._ended = set(ended)
        self._room = all(rooms)
        self._way.append(taken)
        self.broadcast = self._way.popleft()
        self._sent += taken is not None and taken.last
        self._begin(command)

    def _begin(self, command: LoadCommand | None) -> None:
        self.cmd_error = False
        if self._waiting is None:
            self._waiting, self._age = command, 0
            return
        self._age += 1
        if self._age < 2:
            return
        if not self._waiting.legal(self._pes):
            self.cmd_error, self._waiting = True, None
        elif not self._beats:
            positions, final = self._waiting.positions(), self._waiting.beats - 1
            self._beats.extend(
                Beat(self._number + n, row, col, n == 0, n == final, self._waiting)
                for n, (row, col) in enumerate(positions)
            )
            self._number += final + 1
            self._waiting = None


class LoadTiming:
    """rtl/pe_array/map_load.v: a raster and one window per PE.

    Args:
        windows: of the PEs.
        stages, depth: parameters.
    """

    def __init__(self, windows: Sequence[PeWindows], stages: int, depth: int) -> None:
        self.raster = RasterTiming(len(windows), stages)
        self.windows = [WindowTiming(of_pe, stages, depth) for of_pe in windows]

    @property
    def loads(self) -> list[Load | None]:
        """What stands at the load ports of the PEs."""
        return [window.load for window in self.windows]

    def clock(self, command: LoadCommand | None, valid: bool, readies: Sequence[bool]) -> None:
        """One clock, with a command at the port or none, a beat or none, and PEs that are ready or not."""
        beat = self.raster.broadcast
        rooms, ended = [window.room for window in self.windows], [window.ended for window in self.windows]
        self.raster.clock(command, valid, rooms, ended)
        for window, ready in zip(self.windows, readies, strict=True):
            window.clock(beat, ready)
