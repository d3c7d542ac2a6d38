# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: rtl/pe_array/gradient_sum.v."""

from __future__ import annotations

from collections.abc import Sequence

from models.pe_array.map_timing import FifoClocks


class SumClocks:
    """rtl/pe_array/gradient_sum.v. Nodes are numbered as there: 1 is the root, P + p the FIFO of PE p.

    Args:
        pes: P.
        depth: DEPTH.
    """

    def __init__(self, pes: int, depth: int) -> None:
        self._pes, self._depth = pes, depth
        self._levels = (pes - 1).bit_length()
        self._fifos: list[FifoClocks[bool]] = [FifoClocks() for _ in range(pes)]
        self._sums = [False] * pes  # of node 1 ... P-1

    @property
    def ready(self) -> list[bool]:
        """PEs whose gradients are taken."""
        return [len(fifo.words) <= self._depth for fifo in self._fifos]

    def _valid(self, node: int) -> bool:
        return self._sums[node] if node < self._pes else self._fifos[node - self._pes].head is not None

    def valid(self, tiles_log2: int) -> list[bool]:
        """Slots that have a sum; of P, those that there are not have none."""
        slots = self._pes >> tiles_log2
        return [slot < slots and self._valid(slots + slot) for slot in range(self._pes)]

    @property
    def empty(self) -> bool:
        """Nothing is inside."""
        return not any(self._sums) and not any(fifo.words for fifo in self._fifos)

    def clock(self, given: Sequence[bool], tiles_log2: int, ready: Sequence[bool]) -> None:
        """One clock, with a gradient of each PE or none, and slots whose sums are taken."""
        pes, takes = self._pes, [False] * self._pes
        leaves, sums = [], list(self._sums)
        for node in range(1, 2 * pes):
            level = self._levels + 1 - node.bit_length()
            above = node > 1 and takes[node // 2]
            goes = ready[node - (pes >> level)] if level == tiles_log2 else above
            if node >= pes:
                leaves.append(goes)
                continue
            both = self._valid(2 * node) and self._valid(2 * node + 1)
            takes[node] = tiles_log2 >= level and both and (not self._sums[node] or goes)
            sums[node] = takes[node] or (self._sums[node] and not goes)
        accepted = self.ready
        self._sums = sums
        for pe, fifo in enumerate(self._fifos):
            fifo.clock(True if given[pe] and accepted[pe] else None, leaves[pe])
