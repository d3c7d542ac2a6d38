# SPDX-License-Identifier: Apache-2.0
"""What is between several arrays that train one network: stated, not built, as the memory behind an array is.

Every array has a port into a network that never blocks, one way out and one way in. A transfer moves bytes from an
array's memory to that of another; both ports are busy with it for its bytes over ``Link.bytes`` clocks. A port does one
transfer each way at a time, in the order of the list. The last byte arrives ``Link.latency`` clocks after it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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

    def clocks(self, transfers: Iterable[tuple[int, int, int]]) -> int:
        """Clocks from the first departure to the last arrival; 0 where nothing moves.

        Args:
            transfers: (from, to, bytes), in the order in which every port does its own.
        """
        sends, takes = [0] * self.arrays, [0] * self.arrays
        for source, target, size in transfers:
            sends[source] = takes[target] = max(sends[source], takes[target]) + -(-size // self.bytes)
        last = max(takes)
        return last + self.latency if last else 0


ONE_ARRAY = Link(1, 50, 250)
"""An array alone; ports of 100 Gb/s and 1 us at 250 MHz (assumed), where a file does not say."""
