# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: the array's AXI ports with a steady memory behind them (docs/pe_array.md, section 6).

rtl/lib/axi_bursts.v, axi_read.v, axi_read_mux.v, axi_write.v, and a memory like that of tb/pe_array/axi_memory.v. Beats
have numbers, address / B, instead of addresses. Commands are inside their windows, and no answer is an error.
A model shows the outputs of a clock; ``clock`` says what came in during it and leads to the next one.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from models.memory_port import BURST_BEATS


class Beats(NamedTuple):
    """A command: number of its first beat, and how many."""

    first: int
    beats: int


class Burst(NamedTuple):
    """A burst on its way: beats, and whether its command ends with it."""

    beats: int
    last: bool


class BurstClocks:
    """rtl/lib/axi_bursts.v: one command waits, one is cut.

    Attributes:
        burst: what stands at the output, or None.
    """

    def __init__(self) -> None:
        self._waiting: Beats | None = None
        self._cut: Beats | None = None

    @property
    def burst(self) -> Burst | None:
        if self._cut is None:
            return None
        beats = min(self._cut.beats, BURST_BEATS - self._cut.first % BURST_BEATS)
        return Burst(beats, beats == self._cut.beats)

    @property
    def busy(self) -> bool:
        return self._waiting is not None or self._cut is not None

    def _advances(self, take: bool) -> bool:
        burst = self.burst
        return self._waiting is not None and (burst is None or (take and burst.last))

    def ready(self, take: bool) -> bool:
        """Whether a command is taken in a clock in which the burst at the output is taken or not."""
        return self._waiting is None or self._advances(take)

    def clock(self, command: Beats | None, take: bool) -> None:
        """One clock, with a command at the port or none."""
        ready, advances, burst = self.ready(take), self._advances(take), self.burst
        if advances:
            self._cut = self._waiting
        elif take and burst is not None and self._cut is not None:
            left = self._cut.beats - burst.beats
            self._cut = Beats(self._cut.first + burst.beats, left) if left else None
        if ready:
            self._waiting = command


class ReadPortClocks:
    """rtl/lib/axi_read.v.

    Attributes:
        request: burst at m_axi_ar*, or None.

    Args:
        depth: FIFO_DEPTH.
        outstanding: OUTSTANDING.
    """

    def __init__(self, depth: int, outstanding: int) -> None:
        self._bursts = BurstClocks()
        self._depth = self._free = depth
        self._outstanding, self._flight = outstanding, 0
        self._items: deque[int] = deque()  # clocks from which they stand at the output
        self._clock = 0
        self.request: Burst | None = None

    @property
    def valid(self) -> bool:
        """A beat stands at the stream."""
        return bool(self._items) and self._items[0] <= self._clock

    @property
    def idle(self) -> bool:
        return not self._bursts.busy and not self._flight and self._free == self._depth

    def _issues(self, ar_ready: bool) -> bool:
        burst = self._bursts.burst
        return (
            burst is not None and (self.request is None or ar_ready)
            and self._flight < self._outstanding and self._free >= burst.beats
        )  # fmt: skip

    def cmd_ready(self, ar_ready: bool) -> bool:
        return self._bursts.ready(self._issues(ar_ready))

    def clock(self, command: Beats | None, ar_ready: bool, beat: Burst | None, pop: bool) -> None:
        """One clock; ``beat``: one of this port comes, with what is left of its burst, this beat included."""
        issues, burst = self._issues(ar_ready), self._bursts.burst
        self._bursts.clock(command, issues)
        if ar_ready:
            self.request = None
        if issues and burst is not None:
            self.request = burst
            self._flight += 1
            self._free -= burst.beats
        if pop:
            self._items.popleft()
            self._free += 1
        if beat is not None:
            self._items.append(self._clock + 2)
            self._flight -= beat.beats == 1
        self._clock += 1


class MuxClocks:
    """rtl/lib/axi_read_mux.v and the memory's reads.

    Args:
        masters: N.
        latency: clocks from a request to its first beat, at least 1.
    """

    def __init__(self, masters: int, latency: int) -> None:
        self._waiting: list[deque[Burst]] = [deque() for _ in range(masters)]
        self._latency, self._clock, self._last = latency, 0, -1
        self._port: tuple[int, Burst] | None = None
        self._requests: deque[tuple[int, int, Burst]] = deque()  # clock from which it comes, master, beats left

    def ready(self, master: int) -> bool:
        return len(self._waiting[master]) < 2

    @property
    def beat(self) -> tuple[int, Burst] | None:
        """Master of the beat that comes, and what is left of its burst, this beat included."""
        if not self._requests or self._requests[0][0] > self._clock:
            return None
        return self._requests[0][1:]

    def clock(self, requests: list[Burst | None]) -> None:
        """One clock, with what stands at the masters' ports."""
        if self.beat is not None:
            due, master, burst = self._requests.popleft()
            if burst.beats > 1:
                self._requests.appendleft((due, master, burst._replace(beats=burst.beats - 1)))
        if self._port is not None:
            self._requests.append((self._clock + self._latency, *self._port))
        masters = len(requests)
        asking = [m for m in range(masters) if self._waiting[m]]
        chosen = next((m for m in asking if m > self._last), asking[0] if asking else None)
        takes = [self.ready(m) for m in range(masters)]
        self._port = None
        if chosen is not None:
            self._port, self._last = (chosen, self._waiting[chosen].popleft()), chosen
        for master, request in enumerate(requests):
            if request is not None and takes[master]:
                self._waiting[master].append(request)
        self._clock += 1


class WritePortClocks:
    """rtl/lib/axi_write.v and the memory's writes, which take everything at once.

    Attributes:
        done: pulse.

    Args:
        depth: FIFO_DEPTH.
        outstanding: OUTSTANDING.
        latency: clocks from the later of a burst's address and its last beat to its answer, at least 1.
    """

    def __init__(self, depth: int, outstanding: int, latency: int) -> None:
        self._bursts = BurstClocks()
        self._depth = self._free = depth
        self._outstanding, self._latency = outstanding, latency
        self._beat = self._clock = self._written = 0
        self._addressed = -1  # clock of the newest burst's address
        self._begun: deque[tuple[int, Burst]] = deque()  # clock of its address; bursts whose beats have not all gone
        self._sent = 0  # beats gone of the first of them
        self._answers: deque[tuple[int, bool]] = deque()  # clock, and whether the command ends
        self._flight = 0
        self.done = False

    @property
    def ready(self) -> bool:
        """A beat is taken."""
        burst = self._bursts.burst
        last = burst is not None and self._beat == burst.beats - 1
        return burst is not None and self._free > 0 and (not last or self._flight < self._outstanding)

    @property
    def idle(self) -> bool:
        return not self._bursts.busy and not self._flight and self._free == self._depth

    def _ends(self, given: bool) -> bool:
        burst = self._bursts.burst
        return given and self.ready and burst is not None and self._beat == burst.beats - 1

    def cmd_ready(self, given: bool) -> bool:
        return self._bursts.ready(self._ends(given))

    def clock(self, command: Beats | None, given: bool) -> None:
        """One clock, with a command or none, and a beat or none."""
        now, ends, burst, accept = self._clock, self._ends(given), self._bursts.burst, given and self.ready
        self._bursts.clock(command, ends)
        if accept:
            self._free -= 1
            self._beat = 0 if ends else self._beat + 1
        if self._begun and self._begun[0][0] <= now:  # a beat goes to the memory
            self._sent += 1
            self._free += 1
            addressed, first = self._begun[0]
            if self._sent == first.beats:
                self._begun.popleft()
                self._sent = 0
                before = self._answers[-1][0] + 1 if self._answers else 0
                self._answers.append((max(max(now, addressed) + self._latency, before), first.last))
        self.done = False
        if self._answers and self._answers[0][0] == now:
            self.done = self._answers.popleft()[1]
            self._flight -= 1
        if ends and burst is not None:
            self._flight += 1
            self._addressed = max(now + 2, self._addressed + 1)
            self._begun.append((self._addressed, burst))
        self._clock += 1
