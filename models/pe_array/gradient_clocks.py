# SPDX-License-Identifier: Apache-2.0
"""Clock by clock: gradients from PEs to words: rtl/pe_array/gradient_sum.v, gradient_pack.v, collect_slots.v."""

from __future__ import annotations

from collections.abc import Sequence

from models.pe_array.map_timing import FifoClocks

CHUNK = 8
"""Complete beats of a slot from which on they are written [collect_store]."""
DEPTH = 16
"""Beats of memory per slot [collect_store]."""


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


class Rotation:
    """The lowest one that asks behind the one that was granted last, or else the lowest of all."""

    def __init__(self) -> None:
        self._last = -1

    def grant(self, asking: Sequence[int]) -> int | None:
        """Of these, in rising order."""
        return next((n for n in asking if n > self._last), asking[0] if asking else None)

    def clock(self, granted: int | None) -> None:
        """The one granted in this clock."""
        if granted is not None:
            self._last = granted


class PackClocks:
    """rtl/pe_array/gradient_pack.v.

    Attributes:
        words: complete words of every slot.
        valid: a word stands at the output.

    Args:
        slots: P.
        lanes: U.
    """

    def __init__(self, slots: int, lanes: int) -> None:
        self._lanes = lanes
        self.words, self._lane, self._complete = [0] * slots, [0] * slots, [False] * slots
        self._banks = [Rotation() for _ in range(lanes)]
        self.valid = False

    def grants(self, given: Sequence[bool], flush: Sequence[bool]) -> list[int | None]:
        """Slot that writes each lane."""
        asking: list[list[int]] = [[] for _ in range(self._lanes)]
        for slot, lane in enumerate(self._lane):
            room = self.words[slot] + self._complete[slot] != DEPTH
            if room and (lane != 0 if flush[slot] else given[slot]):
                asking[lane].append(slot)
        return [bank.grant(some) for bank, some in zip(self._banks, asking, strict=True)]

    def flush_ready(self, slot: int) -> bool:
        """Nothing is to be filled up, if it is flushed."""
        return self._lane[slot] == 0

    def take_ready(self, slot: int, m_ready: bool) -> bool:
        return self.words[slot] > 0 and (not self.valid or m_ready)

    def clock(self, grants: Sequence[int | None], take: int | None, m_ready: bool) -> None:
        """One clock, with the slot whose word is requested and given, or None."""
        for slot, complete in enumerate(self._complete):
            self.words[slot] += complete - (take == slot)
            self._complete[slot] = False
        for bank, granted in zip(self._banks, grants, strict=True):
            bank.clock(granted)
            if granted is not None:
                self._lane[granted] = (self._lane[granted] + 1) % self._lanes
                self._complete[granted] = self._lane[granted] == 0
        self.valid = take is not None or (self.valid and not m_ready)


class SlotClocks:
    """rtl/pe_array/collect_slots.v.

    Attributes:
        open, flush: slots whose gradients may enter, and whose last word is to be filled up.
        chunk: (slot, beats) at the output, or None.

    Args:
        slots: P.
    """

    def __init__(self, slots: int) -> None:
        self._named: dict[int, int] = {}
        self._left = [0] * slots
        self.open, self.flush = [False] * slots, [False] * slots
        self._ended, self._busy = [False] * slots, [False] * slots
        self._eligible: list[int] = []
        self._turn = Rotation()
        self.chunk: tuple[int, int] | None = None

    @property
    def quiet(self) -> bool:
        return not any(self.open) and not any(self.flush) and not any(self._ended)

    def clock(
        self, name: tuple[int, int] | None, start: bool, entered: Sequence[bool], flushed: Sequence[bool],
        words: Sequence[int], ready: bool, free: int | None,
    ) -> None:  # fmt: skip
        """One clock.

        Args:
            name: (slot, gradients) of a SLOT.
            start: of a COLLECT.
            entered: slots of which a gradient is packed; flushed: flush_ready; words: complete ones, of every slot.
            ready: the chunk is taken; free: slot whose chunk's last word is requested, or None.
        """
        moves = self.chunk is None or ready
        granted = self._turn.grant(self._eligible) if moves else None
        eligible = []
        for slot, count in enumerate(words):
            free_chunk = not self._busy[slot] and granted != slot
            if free_chunk and (count >= CHUNK or (self._ended[slot] and count > 0)):
                eligible.append(slot)
            close = entered[slot] and self._left[slot] == 1
            done = self.flush[slot] and flushed[slot]
            self._left[slot] -= entered[slot]
            self.open[slot] = self.open[slot] and not close
            self.flush[slot] = close or (self.flush[slot] and not done)
            self._ended[slot] = done or (self._ended[slot] and count > 0)
            self._busy[slot] = granted == slot or (self._busy[slot] and free != slot)
        if moves:
            self.chunk = None if granted is None else (granted, words[granted])
        self._eligible = eligible
        self._turn.clock(granted)
        if start:
            for slot, count in self._named.items():
                self.open[slot], self._left[slot] = True, count
            self._named = {}
        if name is not None:
            self._named.pop(name[0], None)
            if name[1]:
                self._named[name[0]] = name[1]
