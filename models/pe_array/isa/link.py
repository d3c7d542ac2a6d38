# SPDX-License-Identifier: Apache-2.0
"""What is between several arrays that train one network: stated, not built, as the memory behind an array is.

Every array has a port into a network that never blocks, one way out and one way in. A transfer moves bytes from an
array's memory to that of another; both ports are busy with it for its bytes over ``Link.bytes`` clocks. A port does one
transfer each way at a time, in the order of the list. The last byte arrives ``Link.latency`` clocks after it was sent.
The memory has ports for the link beside those of the array: neither waits for the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Ports = tuple[int, int, int]
"""A transfer: from, to, bytes."""

ARRAYS_LOG2_MAX = 6
"""Of the arrays that a network may be trained on; UPDATE could add the gradients of more."""
BYTES_MAX, LATENCY_MAX = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Link:
    """Arrays, and the network between them.

    Attributes:
        arrays: a power of two; 1: there is no network.
        bytes: that a port moves per clock, each way.
        latency: clocks from a byte's departure to its arrival.
    """

    arrays: int
    bytes: int
    latency: int

    def clocks(self, transfers: Iterable[Ports]) -> int:
        """Clocks from the first departure to the last arrival; 0 where nothing moves.

        Args:
            transfers: in the order in which every port does its own.
        """
        return Traffic(self).move(0, transfers)


class Traffic:
    """What the ports of a link have been given to do so far."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._sends, self._takes = [0] * link.arrays, [0] * link.arrays  # clock from which a port is free

    def move(self, at: int, transfers: Iterable[Ports]) -> int:
        """Transfers behind those before, and not before a clock.

        Returns:
            Clock in which the last byte of them has arrived; ``at`` where nothing moves.
        """
        last = 0
        for source, target, size in transfers:
            end = max(at, self._sends[source], self._takes[target]) + -(-size // self._link.bytes)
            self._sends[source] = self._takes[target] = end
            last = max(last, end)
        return last + self._link.latency if last else at


ONE_ARRAY = Link(1, 50, 250)
"""An array alone; ports of 100 Gb/s and 1 us at 250 MHz (assumed), where a file does not say."""
