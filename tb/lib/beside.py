# SPDX-License-Identifier: Apache-2.0
"""What lives beside the test at some ports of the design: a memory, a queue, a host; it acts in every clock."""

from __future__ import annotations

from abc import ABC, abstractmethod

from tb.lib.bench import Bench


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
