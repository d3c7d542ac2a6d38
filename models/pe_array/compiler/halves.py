# SPDX-License-Identifier: Apache-2.0
"""Halves of the PEs' memories from phase to phase: who used each last, and which one the next phase begins with.

A phase is made as if it had the memories for itself, beginning with half 0. Behind another one it may begin with the
other half, which is free earlier: all its addresses in a memory are exchanged, half for half.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from models.pe_array.isa.descriptors import Compute, Descriptor, Drain, Map, Set, Stream
from models.pe_array.isa.operations import CommandField
from models.pe_array.isa.pe_command import Memory, Op, PeShape

Half = tuple[Memory, int]


class Halves:
    """What the phases so far leave.

    Args:
        shape: depths of the memories.

    Attributes:
        used: number of computes after which a half is free.
        drained: number of stores after which no drain reads a half of Y.
    """

    def __init__(self, shape: PeShape) -> None:
        self._middle = {memory: shape.depth(memory) // 2 for memory in Memory}
        self.used: dict[Half, int] = {(memory, half): 0 for memory in Memory for half in range(2)}
        self.drained = [0, 0]
        self._whole: set[Memory] = set()  # memories of which a stream of this phase fills both halves
        self._tbase = 0

    def begin(self, descriptors: Sequence[Descriptor]) -> list[Descriptor]:
        """A phase, beginning in each memory with the half that is free first."""
        streams = [each for each in descriptors if isinstance(each, Stream)]
        self._whole = {memory_of(each) for each in streams if len({*self._words(each)}) > 1}
        flips = {
            memory: self._middle[memory] for memory in Memory
            if memory not in self._whole and self._free(memory, 0) > self._free(memory, 1)
        }  # fmt: skip
        return [_exchanged(each, flips) for each in descriptors] if flips else list(descriptors)

    def _free(self, memory: Memory, half: int) -> tuple[int, int]:
        return self.drained[half] if memory == Memory.Y else 0, self.used[memory, half]

    def _words(self, stream: Stream) -> Iterator[int]:
        """The halves that a stream fills."""
        middle = self._middle[memory_of(stream)]
        yield stream.word // middle
        yield (stream.word + stream.beats - 1) // middle

    def filled(self, load: Map | Stream) -> list[Half]:
        """The halves that a load fills."""
        memory = memory_of(load)
        if isinstance(load, Stream):
            return [(memory, half) for half in {*self._words(load)}]
        return [(memory, self._half(memory, load.base))]

    def _half(self, memory: Memory, word: int) -> int:
        return int(word >= self._middle[memory])

    def note(self, each: Descriptor, computes: int, stores: int) -> None:
        """A SET, COMPUTE or DRAIN, which is that number of its engine."""
        if isinstance(each, Set) and each.field == CommandField.TBASE:
            self._tbase = each.value
        elif isinstance(each, Drain):
            self.drained[self._half(Memory.Y, each.ybase)] = stores
        elif isinstance(each, Compute):
            words = {Memory.X: each.xbase, Memory.Y: each.ybase, Memory.E: each.ebase, Memory.T: self._tbase}
            if each.op == Op.MAC:
                words[Memory.W] = each.wbase
            for memory, word in words.items():
                for half in range(2) if memory in self._whole else (self._half(memory, word),):
                    self.used[memory, half] = computes

    def y_free(self, command: Compute) -> int:
        """Stores after which no drain of another phase reads what a command writes."""
        return self.drained[self._half(Memory.Y, command.ybase)]


def memory_of(load: Map | Stream) -> Memory:
    """The memory that a load goes to."""
    if isinstance(load, Stream):
        return Memory(load.memory + Memory.W)
    return Memory.Y if load.y else Memory.X


def _exchanged(each: Descriptor, flips: dict[Memory, int]) -> Descriptor:
    """A descriptor with the halves of some memories exchanged; flips: the bit of their addresses that changes."""

    def at(memory: Memory, word: int) -> int:
        return word ^ flips.get(memory, 0)

    if isinstance(each, Stream):
        return _moved(each, word=at(memory_of(each), each.word))
    if isinstance(each, Map):
        return _moved(each, base=at(memory_of(each), each.base))
    if isinstance(each, Set) and each.field == CommandField.TBASE:
        return _moved(each, value=at(Memory.T, each.value))
    if isinstance(each, Drain):
        return _moved(each, ybase=at(Memory.Y, each.ybase))
    if isinstance(each, Compute):
        return _moved(
            each, ebase=at(Memory.E, each.ebase), xbase=at(Memory.X, each.xbase), ybase=at(Memory.Y, each.ybase),
            rbase=at(Memory.Y, each.rbase) if each.op == Op.UNPOOL else each.rbase,
            wbase=at(Memory.W, each.wbase) if each.op == Op.MAC else each.wbase,
        )  # fmt: skip
    return each


def _moved(each: Descriptor, **words: int) -> Descriptor:
    """A descriptor with other words of memories, which fit as well: ``replace`` for the many of a program."""
    made = object.__new__(type(each))
    made.__dict__.update(each.__dict__, **words)
    return made
