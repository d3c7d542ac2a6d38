# SPDX-License-Identifier: Apache-2.0
"""AXI4 masters of rtl/lib/axi_read.v and axi_write.v: bursts, refusals and, for a simple memory, exact clocks.

Clocks are numbers of clock edges: a handshake has the number of the edge at which valid and ready are high. They come
from the clock models in models/lib/clocks, which a memory is put behind here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numba import njit

from models.lib.clocks import axi_memory, axi_read, axi_write
from models.lib.clocks.axi_bursts import BURST_BEATS
from models.lib.record import Array, Flag, Int, Record, kind, record, records

PAGE_BYTES = 4096
"""No burst of AXI4 may cross a multiple of this."""


class Error(IntEnum):
    """How a command ended. SLVERR and DECERR have the numbers they have on the bus."""

    NONE = 0
    REFUSED = 1
    SLVERR = 2
    DECERR = 3


@dataclass(frozen=True)
class PortCommand:
    """Beats to move.

    Attributes:
        addr: byte address of the first beat.
        beats: number of beats, 1 … 65536.
        offer: clock from which it stands at the port, if those before it are taken.
        half: its beats are half beats.
    """

    addr: int
    beats: int
    offer: int = 0
    half: bool = False


@dataclass(frozen=True)
class Burst:
    """One burst: byte address, number of beats, whether its command ends with it, and ``burst_skip``."""

    addr: int
    beats: int
    last: bool
    skip: int = 0


@dataclass(frozen=True)
class Port:
    """Parameters of a master, its window, and the memory behind it.

    Attributes:
        beat_bytes: bytes of a beat.
        fifo_depth: FIFO_DEPTH, in beats.
        outstanding: OUTSTANDING, in bursts.
        window: first byte that may be touched, and the byte behind the last.
        latency: at least 1. Read: clocks from a request to its first beat, if no other beat is in the way.
            Write: clocks from the later of a burst's address and its last beat to its response. The memory takes
            requests and beats at any time and gives one beat or response per clock, in order.
        pairs: half beats travel in pairs, as in all readers.
    """

    beat_bytes: int
    fifo_depth: int
    outstanding: int
    window: tuple[int, int]
    latency: int = 1
    pairs: bool = False

    def size(self, command: PortCommand) -> int:
        """Bytes of a beat of a command."""
        return self.beat_bytes >> command.half

    def refuses(self, command: PortCommand) -> bool:
        """Whether the command is misaligned or touches a byte outside the window."""
        (base, end), size = self.window, self.size(command)
        inside = base <= command.addr and command.addr + command.beats * size <= end
        return command.addr % size != 0 or not inside

    def bursts(self, command: PortCommand) -> list[Burst]:
        """The bursts of a command; of a refused one, those that it would have had."""
        found, size = [], self.size(command)
        first, end, skip = command.addr // size, command.addr // size + command.beats, 0
        if self.pairs and command.half:
            size, skip = self.beat_bytes, first % 2 | end % 2 << 1
            first, end = first // 2, -(-end // 2)
        while first < end:
            beats = min(end - first, BURST_BEATS - first % BURST_BEATS)
            last = first + beats == end
            found.append(Burst(first * size, beats, last, skip if last else skip & 1))
            first, skip = first + beats, skip & 2
        return found


def _always(_clock: int) -> bool:
    return True


_COMMAND = kind("first beats refused offer half")
"""A command as the clock models take it, and as ``PortCommand``."""
_SIDE = kind("commands beats standing requests moved ended")
"""How many there have been: commands and beats taken, beats that stand at the port, requests, beats that have moved at
the far side, commands done."""
_CLOCKS = 512
"""Clocks that are played at a time."""


def _commands(port: Port, commands: Sequence[PortCommand]) -> Array:
    made = records(_COMMAND, len(commands))
    for row, command in enumerate(commands):
        first = command.addr // port.size(command)
        made[row] = first, command.beats, port.refuses(command), command.offer, command.half
    return made


def _play(play: Callable[[Array, int], bool], when: Callable[[int], bool]) -> None:
    """Call ``play`` until it says that all has ended, with some clocks and what ``when`` says of them."""
    first = 0
    while not play(np.array([when(clock) for clock in range(first, first + _CLOCKS)]), first):
        first += _CLOCKS


@njit(cache=True)
def _at_port(commands: Array, number: Int, clock: Int) -> tuple[Int, Int, Flag]:
    if number == len(commands) or commands[number].offer > clock:
        return 0, 0, False
    return commands[number].first, commands[number].beats, commands[number].refused != 0


@dataclass
class ReadClocks:
    """Clocks of `axi_read`: commands taken, requests taken by the memory, items taken from the stream.

    Items that are taken together have the same clock.
    """

    taken: list[int]
    requests: list[int]
    items: list[int]


@njit(cache=True)
def _read(
    state: axi_read.ReadState, memory: axi_memory.MemoryState, side: Record, commands: Array, ready: Array,
    both: Array, start: Int, taken: Array, requests: Array, items: Array,
) -> Flag:  # fmt: skip
    for clock in range(start, start + len(ready)):
        if side.commands == len(commands) and axi_read.read_idle(state):
            return True
        first, beats, refused = _at_port(commands, side.commands, clock)
        half = beats > 0 and commands[side.commands].half != 0
        if beats > 0 and axi_read.read_cmd_ready(state, True):
            taken[side.commands] = clock
            side.commands += 1
        pop, takes = axi_read.read_valid(state) and ready[clock - start], both[clock - start]
        moved = (2 if takes and axi_read.read_pair(state) else 1) if pop else 0
        request, left = state.n.request, axi_memory.memory_beat(memory, clock)[1]
        axi_read.read_clock(state, first, beats, half, refused, True, left, pop, takes)
        axi_memory.memory_clock(memory, 0, request, clock)
        if request > 0:
            requests[side.requests] = clock
            side.requests += 1
        for _ in range(moved):
            items[side.moved] = clock
            side.moved += 1
    return False


def read_clocks(
    port: Port, commands: Sequence[PortCommand], ready: Callable[[int], bool] = _always,
    both: Callable[[int], bool] = _always,
) -> ReadClocks:  # fmt: skip
    """Predict a command list from an idle master on; no error responses.

    Args:
        ready: whether the stream's reader is ready in a clock; both: and would take a pair.
    """
    rows, side, most = _commands(port, commands), record(_SIDE), sum(command.beats for command in commands)
    taken, requests, items = (np.zeros(size, dtype=np.int64) for size in (len(rows), most, most))
    state = axi_read.read_state(port.fifo_depth, port.outstanding)
    memory = axi_memory.memory_state(port.outstanding, port.latency, (1, 1))

    def play(mask: Array, first: int) -> bool:
        takes = np.array([both(clock) for clock in range(first, first + len(mask))])
        return bool(_read(state, memory, side, rows, mask, takes, first, taken, requests, items))

    _play(play, ready)
    return ReadClocks(taken.tolist(), requests[: side.requests].tolist(), items[: side.moved].tolist())


@dataclass
class WriteClocks:
    """Clocks of `axi_write`: commands and beats taken, addresses and beats taken by the memory, commands done."""

    taken: list[int]
    beats: list[int]
    requests: list[int]
    written: list[int]
    done: list[int]


@njit(cache=True)
def _write(
    state: axi_write.WriteState, side: Record, commands: Array, given: Array, start: Int, taken: Array,
    beats_taken: Array, requests: Array, written: Array, done: Array,
) -> Flag:  # fmt: skip
    n = state.n
    for clock in range(start, start + len(given)):
        if n.done:
            done[side.ended] = clock
            side.ended += 1
        if side.ended == len(commands):
            return True
        if side.beats < len(beats_taken) and given[clock - start]:
            side.standing = 1
        stands = side.standing > 0
        first, beats, refused = _at_port(commands, side.commands, clock)
        if beats > 0 and axi_write.write_cmd_ready(state, stands):
            taken[side.commands] = clock
            side.commands += 1
        if stands and axi_write.write_ready(state):
            beats_taken[side.beats] = clock
            side.beats += 1
            side.standing = 0
        if axi_write.write_goes(state, clock):
            written[side.moved] = clock
            side.moved += 1
        addressed = n.addressed
        axi_write.write_clock(state, first, beats, refused, stands, clock)
        if n.addressed > addressed:
            requests[side.requests] = n.addressed
            side.requests += 1
    return False


def write_clocks(port: Port, commands: Sequence[PortCommand], given: Callable[[int], bool] = _always) -> WriteClocks:
    """Predict a command list from an idle master on.

    Args:
        given: whether the next beat comes to the port in a clock, if none stands there; it then stays until taken.
    """
    rows, side, most = _commands(port, commands), record(_SIDE), sum(command.beats for command in commands)
    taken, done = (np.zeros(len(rows), dtype=np.int64) for _ in range(2))
    beats, requests, written = (np.zeros(most, dtype=np.int64) for _ in range(3))
    state = axi_write.write_state(port.fifo_depth, port.outstanding, port.latency, (1, 1))
    _play(lambda mask, first: _write(state, side, rows, mask, first, taken, beats, requests, written, done), given)
    counted = (taken, beats, requests[: side.requests], written[: side.moved], done)
    return WriteClocks(*(each.tolist() for each in counted))
