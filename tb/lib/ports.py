# SPDX-License-Identifier: Apache-2.0
"""What stands at the ports of a design: queues that keep the rules of valid and ready, and whoever lives there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

from tb.lib.bench import Bench
from tb.lib.patterns import Gaps

T = TypeVar("T")


class Source(Generic[T]):
    """Items for an input with valid and ready: offered in order, with pauses; one that is offered stays until taken.

        item = source.offer()                       # once per clock: what is offered in it, or None
        b.drive(s_valid=item is not None, s_data=0 if item is None else item)
        await b.clocks()
        if item is not None and model.ready:
            source.take()

    Args:
        gaps, name: the pattern of its pauses.

    Attributes:
        queue: items still to be taken, the first one perhaps offered.
        offered: the first one is.
    """

    def __init__(self, gaps: Gaps, name: str) -> None:
        self._gaps, self._name = gaps, name
        self.queue: deque[T] = deque()
        self.offered = False

    def add(self, items: Iterable[T]) -> None:
        """More items, behind those that wait."""
        self.queue.extend(items)

    def offer(self) -> T | None:
        """The item at the port in this clock."""
        if not self.offered and self.queue:
            self.offered = self._gaps.go(self._name)
        return self.queue[0] if self.offered else None

    def take(self) -> T:
        """The design takes the item that is offered."""
        self.offered = False
        return self.queue.popleft()

    def withdraw(self) -> None:
        """A reset: what was offered comes again later."""
        self.offered = False

    def clear(self) -> None:
        """Forget all items."""
        self.offered = False
        self.queue.clear()


class Beside:
    """Base of what lives beside the test at some ports of the design, from the moment it is made, or when it `begins`.

    In every clock it may `look` at what the clock that ends has brought, or `reset` itself if `rst` was high in it;
    then it may `drive` the inputs of the next one. Where an input depends on outputs of the same clock, it may `answer`
    in the middle of the clock.

    Args:
        later: it does nothing until `begin`, so that a reset before may make the inputs random.

    Attributes:
        clock: clocks since it began.
    """

    def __init__(self, b: Bench, later: bool = False) -> None:
        self.b = b
        self.clock = 0
        if not later:
            self.begin()

    def begin(self) -> None:
        """Live from now on; once."""
        self.b.start(self._run())

    async def _run(self) -> None:
        answers = type(self).answer is not Beside.answer
        while True:
            if answers:
                await self.b.settle()
                self.answer()
            await self.b.clocks()
            self.clock += 1
            if self.b.low("rst"):
                self.look()
            else:
                self.reset()
            self.drive()

    def answer(self) -> None:
        """Inputs of this clock that depend on its outputs."""

    def look(self) -> None:
        """Compare outputs, and follow the handshakes of the clock that ends."""

    def reset(self) -> None:
        """Forget what the design forgets in a reset."""

    def drive(self) -> None:
        """Inputs of the next clock."""


class Tally(Beside):
    """Sums of outputs over the clocks, resets excepted.

    Attributes:
        sums: by pin; a test may set them back.
    """

    def __init__(self, b: Bench, *pins: str) -> None:
        super().__init__(b)
        self.sums = dict.fromkeys(pins, 0)

    def look(self) -> None:
        """Add what is at the pins."""
        for pin in self.sums:
            self.sums[pin] += self.b.see(pin)

    def clear(self) -> None:
        """Count from 0 again."""
        self.sums = dict.fromkeys(self.sums, 0)


class Transfers(Beside):
    """Counts the beats of an AXI4-Stream, `prefix`_t….

    Attributes:
        count: beats so far.
    """

    def __init__(self, b: Bench, prefix: str) -> None:
        super().__init__(b)
        self._prefix = prefix
        self.count = 0

    def look(self) -> None:
        """One clock."""
        self.count += self.b.high(f"{self._prefix}_tvalid") and self.b.high(f"{self._prefix}_tready")
