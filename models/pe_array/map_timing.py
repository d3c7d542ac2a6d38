# SPDX-License-Identifier: Apache-2.0
"""Clocks of map loads and drains (docs/pe_array.md, section 6): what stands at every port in every clock.

A model shows the outputs of a clock as attributes; ``clock`` says what came in during it and leads to the next one.
Both start as after a reset.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from models.pe_array.map_transfer import DrainCommand, LoadCommand, PeWindows, drain_reads, load_writes

_T = TypeVar("_T")

DRAIN_LATENCY = 6
"""Clocks from drain_read to drain_data of a PE."""


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
    """rtl/pe_array/tile_drain.v.

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
        levels = ((pes - 1).bit_length() + 1) // 2
        self._room = latency + levels + 4
        self._way: deque[Read | None] = deque([None] * (latency + levels))
        self._waiting: DrainCommand | None = None
        self._age = 0
        self._walk: deque[Read] = deque()
        self._fifo: FifoClocks[Read] = FifoClocks()
        self._inside = 0
        self._was_room = True
        self.read: Read | None = None
        self.cmd_error = False

    @property
    def cmd_ready(self) -> bool:
        return self._waiting is None

    @property
    def word(self) -> Read | None:
        return self._fifo.head

    @property
    def idle(self) -> bool:
        return self._waiting is None and not self._walk and not self._inside

    def clock(self, command: DrainCommand | None, ready: bool) -> None:
        """One clock, with a command at the port or none, and a sink that is ready or not."""
        took = self.word is not None and ready
        arrived = self._way.popleft()
        self._way.append(self.read)
        self._fifo.clock(arrived, ready)
        self.read = self._walk.popleft() if self._walk and self._inside < self._room else None
        self._inside += (self.read is not None) - took

        self.cmd_error = False
        if self._waiting is None:
            self._waiting, self._age = command, 0
            return
        self._age += 1
        if self._age < 2:
            return
        if not self._waiting.legal(self._pes):
            self.cmd_error, self._waiting = True, None
        elif not self._walk:
            pes, addresses = (column.tolist() for column in drain_reads(self._waiting, self._pes, self._y_depth))
            self._walk.extend(Read(pe, addr, False) for pe, addr in zip(pes, addresses, strict=True))
            self._walk[-1] = self._walk[-1]._replace(last=True)
            self._waiting = None


class Beat(NamedTuple):
    """A beat of a load at a PE: its number (None: the PE does not take it), its place, and whether it is the last."""

    number: int | None
    addr: int
    to_y: bool
    shift: int
    last: bool


class LoadTiming:
    """rtl/pe_array/map_load.v: map_raster and one map_window per PE.

    Beats are numbered from 0 on in the order in which they are taken, over all commands.

    Attributes:
        cmd_ready, cmd_error, done, s_ready, idle: outputs in this clock.
        loads: what stands at the load ports of the PEs.

    Args:
        windows: of the PEs; they may be exchanged while idle.
        stages: registers of the broadcast.
        depth: beats that wait at a PE.
    """

    def __init__(self, windows: Sequence[PeWindows], stages: int, depth: int) -> None:
        self.windows = list(windows)
        pes = len(self.windows)
        self._threshold = depth - stages - 3
        self._waiting: LoadCommand | None = None
        self._age = 0
        self._beats: deque[list[Beat]] = deque()  # of the command that runs
        self._number = 0
        self._fifos: list[FifoClocks[Beat]] = [FifoClocks() for _ in range(pes)]
        self._way: deque[list[Beat] | None] = deque([None] * (stages - 1))
        self._broadcast: list[Beat] | None = None
        self._rooms = (True, True)  # known at the windows, at the raster
        self._ends = [0] * pes  # last beats that left the windows
        self._all_ended = 0  # of them, known at the raster for all windows
        self._sent = 0
        self._completed = 0
        self.cmd_error = False
        self.done = False

    @property
    def cmd_ready(self) -> bool:
        return self._waiting is None

    @property
    def s_ready(self) -> bool:
        blocked = len(self._beats) == 1 and self._sent > self._completed
        return bool(self._beats) and self._rooms[1] and not blocked

    @property
    def idle(self) -> bool:
        return self._waiting is None and not self._beats and self._sent == self._completed

    @property
    def loads(self) -> list[Beat | None]:
        heads = [fifo.head for fifo in self._fifos]
        return [head if head is not None and head.number is not None else None for head in heads]

    def clock(self, command: LoadCommand | None, valid: bool, readies: Sequence[bool]) -> None:
        """One clock, with a command at the port or none, a beat or none, and PEs that are ready or not."""
        taken = self._beats.popleft() if valid and self.s_ready else None
        self.done = self._all_ended > self._completed
        self._completed = self._all_ended
        self._all_ended = min(self._ends)
        self._rooms = (max(len(fifo.words) for fifo in self._fifos) <= self._threshold, self._rooms[0])
        for pe, fifo in enumerate(self._fifos):
            head, beat = fifo.head, self._broadcast[pe] if self._broadcast else None
            leaves = head is not None and (head.number is None or readies[pe])
            self._ends[pe] += head is not None and leaves and head.last
            fifo.clock(beat if beat and (beat.last or beat.number is not None) else None, leaves)
        self._way.append(taken)
        self._broadcast = self._way.popleft()
        self._sent += taken is not None and taken[0].last
        self._command(command)

    def _command(self, command: LoadCommand | None) -> None:
        self.cmd_error = False
        if self._waiting is None:
            self._waiting, self._age = command, 0
            return
        self._age += 1
        if self._age < 2:
            return
        if not self._waiting.legal(len(self.windows)):
            self.cmd_error, self._waiting = True, None
        elif not self._beats:
            self._beats = deque(self._steps(self._waiting))
            self._waiting = None

    def _steps(self, command: LoadCommand) -> list[list[Beat]]:
        """What every PE makes of every beat."""
        steps = [
            [Beat(None, 0, command.to_y, command.shift, False) for _ in self.windows] for _ in range(command.beats)
        ]
        for pe, writes in enumerate(load_writes(command, self.windows)):
            for addr, beat in writes:
                steps[beat][pe] = steps[beat][pe]._replace(number=self._number + beat, addr=addr)
        steps[-1] = [beat._replace(last=True) for beat in steps[-1]]
        self._number += command.beats
        return steps
