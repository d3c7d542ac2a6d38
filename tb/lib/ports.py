# SPDX-License-Identifier: Apache-2.0
"""What stands at the ports of a design: queues that keep the rules of valid and ready, and whoever lives there."""

from __future__ import annotations

from abc import ABC, abstractmethod
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


class Beside(ABC):
    """Base of what lives beside the test, from the moment it is made.

    In every clock: `look` at the handshakes of the clock that ends, or `forget` them if it is one of a reset; then
    `drive` the inputs of the next one. A class calls this constructor last.

    Attributes:
        clock: clocks since it was made.
    """

    def __init__(self, b: Bench) -> None:
        self.b = b
        self.clock = 0
        b.start(self._run())

    async def _run(self) -> None:
        while True:
            await self.b.clocks()
            self.clock += 1
            if self.b.low("rst"):
                self.look()
            else:
                self.forget()
            self.drive()

    @abstractmethod
    def look(self) -> None:
        """Compare outputs and take what was handed over in the clock that ends."""

    def forget(self) -> None:  # noqa: B027 - most, not all, have something to forget
        """What a reset withdraws."""

    def drive(self) -> None:  # noqa: B027 - some only look
        """Inputs of the next clock."""
