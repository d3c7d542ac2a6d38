# SPDX-License-Identifier: Apache-2.0
"""AXI4 masters of rtl/lib/axi_read.v and axi_write.v: bursts, refusals and, for a simple memory, exact clocks.

Clocks are numbers of clock edges: a handshake has the number of the edge at which valid and ready are high.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

BURST_BEATS = 16
"""Most beats of a burst; bursts end at multiples of it."""

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
    """

    addr: int
    beats: int
    offer: int = 0


@dataclass(frozen=True)
class Burst:
    """One burst: byte address, number of beats, and whether its command ends with it."""

    addr: int
    beats: int
    last: bool


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
    """

    beat_bytes: int
    fifo_depth: int
    outstanding: int
    window: tuple[int, int]
    latency: int = 1

    def refuses(self, command: PortCommand) -> bool:
        """Whether the command is misaligned or touches a byte outside the window."""
        base, end = self.window
        inside = base <= command.addr and command.addr + command.beats * self.beat_bytes <= end
        return command.addr % self.beat_bytes != 0 or not inside

    def bursts(self, command: PortCommand) -> list[Burst]:
        """The bursts of a command; of a refused one, those that it would have had."""
        found = []
        first, end = command.addr // self.beat_bytes, command.addr // self.beat_bytes + command.beats
        while first < end:
            beats = min(end - first, BURST_BEATS - first % BURST_BEATS)
            found.append(Burst(first * self.beat_bytes, beats, first + beats == end))
            first += beats
        return found


def _always(_clock: int) -> bool:
    return True


def _first(clock: int, when: Callable[[int], bool]) -> int:
    """The first clock from `clock` on that `when` allows."""
    while not when(clock):
        clock += 1
    return clock


class _Intake:
    """The two command registers of axi_bursts.v: one command waits, one is cut."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self._advanced = self._cut = -1  # clocks in which the newest command moved on, and in which it was used up

    def take(self, offer: int) -> int:
        """Take the next command; the first clock in which its first burst stands at the output."""
        self.taken.append(max([offer, self._advanced, *(clock + 1 for clock in self.taken[-1:])]))
        self._advanced = max(self.taken[-1] + 1, self._cut)
        return self._advanced + 1

    def finish(self, clock: int) -> None:
        """The newest command's last burst is used up in that clock."""
        self._cut = clock


@dataclass
class ReadClocks:
    """Clocks of `axi_read`: commands taken, requests taken by the memory, items taken from the stream."""

    taken: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)


def read_clocks(port: Port, commands: Sequence[PortCommand], ready: Callable[[int], bool] = _always) -> ReadClocks:
    """Predict a command list from an idle master on; no error responses.

    Args:
        ready: whether the stream's reader is ready in a clock.
    """
    clocks, intake = ReadClocks(), _Intake()
    items = clocks.items
    beat = -1  # clock of the last R beat
    completed: list[int] = []  # per burst, clock of its last R beat
    claimed = 0  # words of the FIFO ever claimed

    def claim(clock: int, words: int) -> int:
        """From `clock` on, the first clock in which so many words are free."""
        nonlocal claimed
        claimed += words
        return clock if claimed <= port.fifo_depth else max(clock, items[claimed - port.fifo_depth - 1] + 1)

    def put(clock: int) -> None:
        """An item is written to the FIFO."""
        items.append(_first(max([clock + 2, *(before + 1 for before in items[-1:])]), ready))

    for command in commands:
        clock = intake.take(command.offer)
        if port.refuses(command):
            clock = claim(max([clock, *(before + 1 for before in completed[-1:])]), 1)
            put(clock)
            intake.finish(clock)
            continue
        for burst in port.bursts(command):
            clock = claim(clock, burst.beats)
            if len(completed) >= port.outstanding:
                clock = max(clock, completed[-port.outstanding] + 1)
            clocks.requests.append(clock + 1)
            beat = max(clock + port.latency, beat)
            for _ in range(burst.beats):
                beat += 1
                put(beat)
            completed.append(beat)
            intake.finish(clock)
            clock += 1
    clocks.taken = intake.taken
    return clocks


@dataclass
class WriteClocks:
    """Clocks of `axi_write`: commands and beats taken, addresses and beats taken by the memory, commands done."""

    taken: list[int] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)


def write_clocks(port: Port, commands: Sequence[PortCommand], given: Callable[[int], bool] = _always) -> WriteClocks:
    """Predict a command list from an idle master on.

    Args:
        given: whether the next beat comes to the port in a clock, if none stands there; it then stays until taken.
    """
    clocks, intake = WriteClocks(), _Intake()
    answered: list[int] = []  # per burst, clock of its response

    for command in commands:
        clock = intake.take(command.offer)
        refused = port.refuses(command)
        for burst in port.bursts(command):
            for place in range(burst.beats):
                clock = max(clock, _first(clocks.beats[-1] + 1 if clocks.beats else 0, given))
                ends_burst = place == burst.beats - 1
                stored = len(clocks.written) + place
                if refused:
                    if ends_burst and burst.last:
                        clock = max([clock, *(before + 1 for before in answered[-1:])])
                else:
                    if stored >= port.fifo_depth:
                        clock = max(clock, clocks.written[stored - port.fifo_depth] + 1)
                    if ends_burst and len(answered) >= port.outstanding:
                        clock = max(clock, answered[-port.outstanding] + 1)
                clocks.beats.append(clock)
                clock += 1
            taken = clocks.beats[-1]
            if refused:
                if burst.last:
                    clocks.done.append(taken + 1)
                continue
            clocks.requests.append(max([taken + 2, *(before + 1 for before in clocks.requests[-1:])]))
            for _ in range(burst.beats):
                clocks.written.append(max([taken + 2, *(before + 1 for before in clocks.written[-1:])]))
            latest = max(clocks.requests[-1], clocks.written[-1])
            answered.append(max([latest + port.latency, *(before + 1 for before in answered[-1:])]))
            if burst.last:
                clocks.done.append(answered[-1] + 1)
        intake.finish(clocks.beats[-1])
    clocks.taken = intake.taken
    return clocks
