# SPDX-License-Identifier: Apache-2.0
"""A program over its clocks: which operation of which part every engine works on, and what it waits for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from models.pe_array.clocks.step import ProgramRun
from models.pe_array.clocks.timeline import ENGINES
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import Descriptor, Engine

OTHER = "other"
"""Kind of the busy clocks behind an engine's last operation: what counts as none, as a WINDOW."""
PROGRAM = "the next descriptors"
"""What an engine waits for whose next descriptor waits for no operation: the list, or room in an engine."""
KINDS: dict[type[Descriptor], str] = {
    d.Map: "map", d.Stream: "weights, taps", d.Pointers: "pointers", d.Compute: "command", d.Drain: "drain",
    d.Collect: "collect", d.Learn: "learn", d.Update: "update", d.Delta: "output deltas",
}  # fmt: skip
"""Operations, as they are told of."""


@dataclass(frozen=True)
class Segment:
    """Clocks of an engine behind each other in which it is busy with the same.

    Attributes:
        first: clock, from 1 on.
        length: clocks from the first to the last.
        busy: of these, all but gaps that were too short to be kept.
        what: kind of the operation, or for a wait what it waits for.
        part: of the program, or "" for a wait.
    """

    first: int
    length: int
    busy: int
    what: str
    part: str


@dataclass(frozen=True)
class PartSpan:
    """A part of a program: first clock in which an operation of it is in an engine, and the last."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class _Operation:
    """A counted descriptor: its number in the program, its part, its end."""

    kind: str
    part: str
    done: int


class Steps:
    """Engines of a program that was played with its timeline.

    Args:
        parts: name of every part, and the number of descriptors up to its end.
        descriptors: of the program.
        run: of it, with a timeline.
    """

    def __init__(self, parts: Sequence[tuple[str, int]], descriptors: Sequence[Descriptor], run: ProgramRun) -> None:
        assert run.timeline is not None
        self.timeline, self._descriptors = run.timeline, descriptors
        self._mine: dict[Engine, list[int]] = {engine: [] for engine in ENGINES}
        self._operations: dict[Engine, list[_Operation]] = {engine: [] for engine in ENGINES}
        self.spans: list[PartSpan] = []
        taken, first = run.timeline.taken, 0
        for name, last in parts:
            begin, end = [], []
            for number in range(first, last):
                each = descriptors[number]
                self._mine[each.engine].append(number)
                if each.counts:
                    done = run.done[each.engine][len(self._operations[each.engine])]
                    self._operations[each.engine].append(_Operation(KINDS[type(each)], name, done))
                    begin.append(int(taken[number]))
                    end.append(done)
            if begin:
                self.spans.append(PartSpan(name, min(begin), max(end)))
            first = last

    def busy(self, engine: Engine, grain: int = 1) -> list[Segment]:
        """What an engine works on: until an operation ends, on that operation.

        Args:
            grain: clocks below which gaps between operations of the same kind and part are not kept.
        """
        return merged(self._busy(engine), grain)

    def _busy(self, engine: Engine) -> Iterator[Segment]:
        operations = iter(self._operations[engine])
        now = next(operations, None)
        for begin, end in self.timeline.busy[engine].tolist():
            at = begin
            while now is not None and now.done < end:
                if (until := now.done + 1) > at:  # several operations may end in a clock
                    yield Segment(at, until - at, until - at, now.kind, now.part)
                    at = until
                now = next(operations, None)
            if at < end:
                kind, part = (OTHER, "") if now is None else (now.kind, now.part)
                yield Segment(at, end - at, end - at, kind, part)

    def waits(self, engine: Engine) -> Iterator[Segment]:
        """Clocks in which an engine is idle although it is not at its last descriptor, and for what."""
        numbers, at = self._mine[engine], 1
        clocks = [int(self.timeline.taken[number]) for number in numbers]
        for begin, end in self.timeline.busy[engine].tolist():
            if begin > at:
                after = self._descriptors[numbers[bisect_left(clocks, begin - 1)]].after
                last = max(
                    (self._operations[each][count - 1] for each, count in zip(
                        ENGINES, (after.loads, after.computes, after.stores), strict=True
                    ) if count),
                    key=lambda operation: operation.done, default=None,
                )  # fmt: skip
                what = PROGRAM if last is None or last.done < at else f"{last.kind} of {last.part}"
                yield Segment(at, begin - at, begin - at, what, "")
            at = end


def merged(segments: Iterable[Segment], grain: int) -> list[Segment]:
    """Segments, with neighbours that are the same and less than ``grain`` clocks apart as one."""
    made: list[Segment] = []
    for each in segments:
        if made and (before := made[-1]).what == each.what and before.part == each.part:
            end = before.first + before.length
            if each.first - end < grain:
                length = each.first + each.length - before.first
                made[-1] = replace(before, length=length, busy=before.busy + each.busy)
                continue
        made.append(each)
    return made
