# SPDX-License-Identifier: Apache-2.0
"""The side of an engine that faces its queue: descriptors in, done, idle and error out, watched in every clock."""

from __future__ import annotations

from collections import deque

from models.pe_array.clocks.program_fetch import Item
from models.pe_array.isa.descriptors import AFTER, Descriptor
from models.pe_array.isa.encoding import pack
from tb.lib.bench import Bench
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside


def drive_item(b: Bench, name: str, item: Item | None) -> None:
    """A descriptor with its place at an input of this clock, or none: then its bits are random."""
    rng = b.rng
    word, index = (item.word, item.index) if item is not None else (rng.getrandbits(256), rng.getrandbits(24))
    b.drive({f"{name}_valid": item is not None, f"{name}_data": word, f"{name}_index": index})


class DescriptorPort(Beside):
    """Offers descriptors; a reset of the design withdraws all of them.

    Attributes:
        gaps: pauses of the offers, "descriptors".
        queue: descriptors still to be taken, packed, with their places in the program and whether they count.
        taken: clocks in which descriptors were taken, since the port was made.
        begun, done: counted operations taken, and done, since the last reset.
        finished: clocks of the done pulses.
        errors: (cause, index, clock) of all error pulses since the last reset.
        clock: of the clocks since the port was made.
    """

    def __init__(self, b: Bench) -> None:
        super().__init__(b)
        self.gaps = Gaps(b, "descriptors")
        self.queue: deque[tuple[int, int, bool]] = deque()
        self.taken: list[int] = []
        self.finished: list[int] = []
        self._offered = False
        self._last = (0, 0, False)
        self.reset()
        b.drive(d_valid=0, d_data=0)

    def send(self, descriptor: Descriptor, noise: int = 0) -> int:
        """Queue a descriptor with random counts and a random place, which it returns; `noise`: bits to set besides."""
        rng = self.b.rng
        word = pack(descriptor) | noise
        for low in AFTER.values():
            word |= rng.getrandbits(24) << low
        return self._append(word, descriptor.counts)

    def send_word(self, word: int) -> int:
        """Queue 256 bits that need not be a descriptor, not counted; its place."""
        return self._append(word, False)

    def _append(self, word: int, counts: bool) -> int:
        self._last = word, self.b.rng.getrandbits(24), counts
        self.queue.append(self._last)
        return self._last[1]

    async def until_done(self, clocks: int = 20_000) -> None:
        """Until all is taken and done, and the engine idle.

        Raises:
            TimeoutError: it is not in so many clocks.
            AssertionError: an error was reported.
        """
        await self.b.wait_for(lambda: self.errors or not self.busy, clocks, "the end of all operations")
        self.b.require(not self.errors, f"error {self.errors}")
        await self.b.wait_for(lambda: self.b.high("idle"), 3, "idle")

    async def until_error(self, clocks: int = 20_000, shut: bool = False) -> tuple[int, int]:
        """(cause, index) of the first error; a few clocks later, it was the only one.

        Args:
            clocks: that it may take.
            shut: nothing is taken behind it; the last descriptor is offered once more, and stays offered.
        """
        await self.b.wait_for(lambda: self.errors, clocks, "an error")
        taken = len(self.taken)
        if shut:
            self.queue.append(self._last)
        await self.b.clocks(self.b.rng.randint(1, 30))
        self.b.require(len(self.errors) == 1, f"more than one error: {self.errors}")
        self.b.require(not shut or len(self.taken) == taken, "a descriptor is taken behind an error")
        return self.errors[0][0], self.errors[0][1]

    @property
    def busy(self) -> bool:
        """A descriptor is not taken, or an operation not done."""
        return bool(self.queue) or self.begun != self.done

    def reset(self) -> None:
        """All descriptors are withdrawn."""
        self.queue.clear()
        self._offered = False
        self.begun = self.done = 0
        self.errors: list[tuple[int, int, int]] = []

    def drive(self) -> None:
        """Offer the next descriptor; nothing may depend on what stands there without valid."""
        if not self._offered:
            self._offered = bool(self.queue) and self.gaps.go("descriptors")
            word, index = self.b.rng.getrandbits(256), self.b.rng.getrandbits(24)
            if self._offered:
                word, index, _ = self.queue[0]
            if self._offered or self.b.rng.random() < 0.1:
                self.b.drive(d_data=word, d_index=index)
        self.b.drive(d_valid=self._offered)

    def look(self) -> None:
        """Follow done, idle, error and the handshake."""
        if self.b.high("done"):
            self.done += 1
            self.finished.append(self.clock)
            self.b.require(self.done <= self.begun, "an operation is done that never began")
        if self.b.high("idle"):
            self.b.require(self.begun == self.done, f"idle with {self.begun} operations begun and {self.done} done")
        if self.b.high("error"):
            self.errors.append((self.b.see("error_cause"), self.b.see("error_index"), self.clock))
        if self._offered and self.b.high("d_ready"):
            self.begun += self.queue.popleft()[2]
            self.taken.append(self.clock)
            self._offered = False
