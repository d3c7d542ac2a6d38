# SPDX-License-Identifier: Apache-2.0
"""The slots of a gradient_sum as the store engine sees them: they give gradients, with pauses of their own."""

from __future__ import annotations

from collections import deque

from tb.lib.bench import Bench
from tb.lib.lanes import pack
from tb.lib.patterns import Gaps
from tb.lib.ports import Beside


class GradientSlots(Beside):
    """The sums of the gradients: what each slot offers, in its order; an offer stays until it is taken.

    Attributes:
        queue: gradients still to be taken, unsigned; the first one of a slot may be offered.
        gaps: pauses by slot.
        taken: clock in which the slot's last gradient was taken.
    """

    def __init__(self, b: Bench) -> None:
        super().__init__(b)
        self.count = int(b.params["P"])
        self.queue: list[deque[int]] = [deque() for _ in range(self.count)]
        self.gaps = Gaps(b, *map(str, range(self.count)), group="gradients")
        self.taken = [0] * self.count
        self._offered = [False] * self.count
        b.drive(grad_valid=0)

    def look(self) -> None:
        """Gradients that were taken."""
        ready = self.b.see("grad_ready")
        self.b.require(not ready or self.b.low("idle"), "a gradient enters while no COLLECT runs")
        for slot in range(self.count):
            if ready >> slot & 1:
                self.b.require(self._offered[slot], f"slot {slot} is taken from without an offer")
                self.queue[slot].popleft()
                self.taken[slot] = self.clock
                self._offered[slot] = False

    def reset(self) -> None:
        """All gradients are withdrawn."""
        for queue in self.queue:
            queue.clear()
        self._offered = [False] * self.count

    def drive(self) -> None:
        """Offer the next gradients."""
        for slot, queue in enumerate(self.queue):
            if queue and not self._offered[slot]:
                self._offered[slot] = self.gaps.go(str(slot))
        data = [
            queue[0] if offered else self.b.rng.getrandbits(32)
            for queue, offered in zip(self.queue, self._offered, strict=True)
        ]
        self.b.drive(grad_valid=pack(self._offered, 1), grad_data=pack(data, 32))
