# SPDX-License-Identifier: Apache-2.0
"""Runs of beats in the memory of the PE array: what a descriptor reads or writes, address by address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray
from models.pe_array.isa.descriptors import Drain, Output
from models.pe_array.isa.shapes import Pair

Bytes = npt.NDArray[np.uint8]
ADDRESSES = 1 << 32
COLLECT_CHUNK = 8
"""Beats of a slot that go to memory, or to the update, in its turn [CHUNK of collect_store]."""


@dataclass(frozen=True)
class Runs:
    """Runs of beats, in order.

    Attributes:
        starts: byte addresses, int64 (runs,).
        beats: of every run, int64 (runs,).
    """

    starts: IntArray
    beats: IntArray

    @classmethod
    def one(cls, address: int, beats: int) -> Runs:
        """A single run."""
        return cls(np.array([address]), np.array([beats]))

    @classmethod
    def pattern(cls, address: int, beats: int, levels: Sequence[Pair]) -> Runs:
        """Runs of so many beats at nested (count, stride in bytes), the innermost first; addresses modulo 2^32."""
        starts = np.array([address])
        for count, stride in levels:
            starts = (np.arange(count)[:, None] * stride + starts[None, :]).reshape(-1)
        return cls(starts % ADDRESSES, np.full(len(starts), beats))

    def moved(self, address: int) -> Runs:
        """The same from an address on, modulo 2^32."""
        return Runs((self.starts + address) % ADDRESSES, self.beats)

    @property
    def total(self) -> int:
        """Beats of all runs."""
        return int(self.beats.sum())

    def addresses(self, lanes: int) -> IntArray:
        """Byte address of every beat, int64 (total,)."""
        ends = np.cumsum(self.beats)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - self.beats, self.beats)
        return np.asarray(np.repeat(self.starts, self.beats) + within * lanes, dtype=np.int64)


def levels_of(to: Output, lanes: int) -> list[Pair]:
    """(count, stride in bytes) of runs that an OUTPUT names, and of groups of them. lanes: B."""
    return [(to.runs, to.run_stride * lanes), (to.groups, to.group_stride * lanes)]


def spreads(drain: Drain) -> bool:
    """Whether a drain's words go to a map of twice the sides."""
    return drain.index and not drain.windows


def large_runs(address: int, beats: int, levels: Sequence[Pair]) -> Runs:
    """Of a map whose pooled one has this pattern, a run in every row: ``levels`` are rows and groups of them."""
    (rows, row), (groups, group) = levels
    return Runs.pattern(address, 2 * beats, [(2 * rows, 2 * row), (groups, 4 * group)])


class Spans:
    """Bytes of runs that have none in common, to be compared with others."""

    def __init__(self, runs: Runs, lanes: int) -> None:
        order = np.argsort(runs.starts)
        self.starts: IntArray = runs.starts[order]
        self.ends: IntArray = self.starts + runs.beats[order] * lanes
        self.first, self.last = int(self.starts[0]), int(self.ends[-1])

    def meet(self, others: Spans) -> bool:
        """Whether there is a byte in both."""
        if self.first >= others.last or others.first >= self.last:
            return False
        behind = self.ends.searchsorted(others.starts, side="right")  # the first run that ends behind the start
        there = behind < len(self.ends)
        return bool((self.starts[behind[there]] < others.ends[there]).any())
