# SPDX-License-Identifier: Apache-2.0
"""A step's program cut into segments, programs of their own, in which updates have places.

The store engine does one thing after the other. While PEs make a map it is free until they have something to drain, and
an UPDATE there takes no time. While they make gradients it collects these as they come: an UPDATE would stop the PEs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.pe_array.isa.descriptors import Descriptor, Engine, Update
from models.pe_array.isa.operations import After

Parts = list[tuple[str, int]]
"""Names of parts, and numbers of descriptors up to their ends."""

UPDATES = "updates"
"""The part of a segment that has nothing else."""


@dataclass(frozen=True)
class SegmentProgram:
    """A program: some parts of a step.

    Attributes:
        descriptors: what they wait for counts from the first one.
        parts: of them.
    """

    descriptors: list[Descriptor]
    parts: Parts

    def updating(self, updates: Iterable[tuple[int, Update]]) -> SegmentProgram:
        """The same with updates.

        Args:
            updates: each with its place: the number of stores that come before it.
        """
        places: dict[int, list[Update]] = {}
        for place, update in updates:
            places.setdefault(place, []).append(update)
        if not places:
            return self
        if not self.descriptors:
            alone: list[Descriptor] = [each for mine in places.values() for each in mine]
            return SegmentProgram(alone, [(UPDATES, len(alone))])
        made: list[Descriptor] = [*places.get(0, ())]
        counts = [0]  # stores, with updates, up to every store
        added = len(made)
        parts: Parts = []
        first = 0
        for name, last in self.parts:
            for each in self.descriptors[first:last]:
                after = each.after
                made.append(each.behind(After(after.loads, after.computes, counts[after.stores])))
                if _stores(each):
                    counts.append(len(counts) + added)
                    mine = places.get(len(counts) - 1, ())
                    made += mine
                    added += len(mine)
            parts.append((name, len(made)))
            first = last
        return SegmentProgram(made, parts)


def cut(descriptors: Sequence[Descriptor], parts: Parts, ends: Sequence[int]) -> list[SegmentProgram]:
    """A program as segments.

    Args:
        ends: of each, a number of descriptors at which a part ends; the last one is that of all.
    """
    found: list[SegmentProgram] = []
    begun = dict.fromkeys(Engine, 0)
    first = 0
    for end in ends:
        loads, computes, stores = (begun[each] for each in (Engine.LOAD, Engine.COMPUTE, Engine.STORE))
        mine = []
        for each in descriptors[first:end]:
            after = each.after
            mine.append(each.behind(After(
                max(after.loads - loads, 0), max(after.computes - computes, 0), max(after.stores - stores, 0)
            )))  # fmt: skip
            begun[each.engine] += each.counts
        found.append(SegmentProgram(mine, [(name, last - first) for name, last in parts if first < last <= end]))
        first = end
    return found


def _stores(each: Descriptor) -> bool:
    return each.counts and each.engine is Engine.STORE
