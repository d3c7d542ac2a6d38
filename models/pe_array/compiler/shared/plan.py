# SPDX-License-Identifier: Apache-2.0
"""Where a step on several arrays is cut, so that link and updates work while the PEs do.

Gradients that a segment has made travel while the next one runs, and are added in the one behind that. So there are two
more segments than cuts and one: the last two have only updates. New weights travel when their segment has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise
from typing import NamedTuple

from models.pe_array.isa.link import Link, Ports, Traffic

SEGMENTS = 4
"""With phases, at most."""
LATER = 2
"""Segments from the one that makes gradients to the one that adds them."""
BORDER = 300
"""About the clocks from the end of a segment's work to that of the next one's beginning."""


@dataclass(frozen=True)
class Stretch:
    """What stays in one segment: phases up to the gradients of one or more layers.

    Attributes:
        clocks: about those of its phases.
        room: for every store, about the clocks for which the store engine is free before it.
        updates: about the clocks of the updates with its gradients.
        gradients, weights: bytes that a port takes of each.
    """

    clocks: int
    room: tuple[int, ...]
    updates: tuple[int, ...]
    gradients: int
    weights: int


class StepTime(NamedTuple):
    """Clocks of a step, and those of them in which the arrays wait for the link."""

    clocks: int
    waits: int


def timed(link: Link, segments: Sequence[int], moved: Sequence[tuple[Sequence[Ports], Sequence[Ports]]]) -> StepTime:
    """A step from its first clock until the last byte has arrived.

    Args:
        segments: clocks of each, of the slowest array: all begin together.
        moved: gradients and weights that begin to travel when each of them has ended.
    """
    traffic, arrived = Traffic(link), list[int]()
    now = waits = last = 0
    for number, (clocks, (gradients, weights)) in enumerate(zip(segments, moved, strict=True)):
        needed = arrived[number - LATER] if number >= LATER else 0
        waits += max(needed - now, 0)
        now = max(now, needed) + clocks
        arrived.append(traffic.move(now, gradients))
        last = max(last, traffic.move(now, weights))
    return StepTime(max(now, last), waits + max(last - now, 0))


def placed(room: Sequence[int], updates: Sequence[int]) -> tuple[list[int], int]:
    """Places of updates among stores: the longest first, each where most room is left.

    Args:
        room: as ``Stretch.room``.
        updates: clocks of each.

    Returns:
        Of every update the number of stores before it, all where there is no room; and clocks that find no room.
    """
    left, places, more = list(room), [len(room)] * len(updates), 0
    for number in sorted(range(len(updates)), key=lambda n: -updates[n]):
        place = max(range(len(left)), key=lambda n: left[n], default=0)
        there = left[place] if left else 0
        more += updates[number] - max(min(updates[number], there), 0)
        if there > 0:
            left[place] -= updates[number]
            places[number] = place
    return places, more


def best(stretches: Sequence[Stretch], link: Link) -> list[int]:
    """How many stretches each segment has, so that a step takes the fewest clocks, as far as they can be told."""
    return min(_cuts(len(stretches)), key=lambda counts: (_clocks(stretches, counts, link), len(counts)))


def _cuts(stretches: int) -> Iterator[list[int]]:
    for cuts in range(min(SEGMENTS, stretches)):
        for places in combinations(range(1, stretches), cuts):
            yield [last - first for first, last in pairwise((0, *places, stretches))]


def _clocks(stretches: Sequence[Stretch], counts: Sequence[int], link: Link) -> int:
    """About those of a step; all arrays are the same, so one port tells."""
    ends = list(accumulate(counts, initial=0))
    segments = [stretches[first:last] for first, last in pairwise(ends)]
    ports, found, moved = Link(1, link.bytes, link.latency), list[int](), list[tuple[list[Ports], list[Ports]]]()
    for number in range(len(segments) + LATER):
        phases = segments[number] if number < len(segments) else []
        updated = segments[number - LATER] if number >= LATER else []
        updates = [each for stretch in updated for each in stretch.updates]
        _, more = placed([each for stretch in phases for each in stretch.room], updates)
        found.append(sum(stretch.clocks for stretch in phases) + more + BORDER)
        gradients, weights = (sum(stretch.gradients for stretch in phases), sum(stretch.weights for stretch in updated))
        moved.append((_alone(gradients), _alone(weights)))
    return timed(ports, found, moved).clocks


def _alone(size: int) -> list[Ports]:
    """A transfer from the one port to itself; none of nothing."""
    return [(0, 0, size)] if size else []
