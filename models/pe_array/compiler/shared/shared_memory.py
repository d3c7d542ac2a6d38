# SPDX-License-Identifier: Apache-2.0
"""The memory of one of several arrays, and what the link moves between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from models.pe_array.compiler.allocation import MemoryArray
from models.pe_array.compiler.shared.shared_step import SharedStep, Transfer
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.encoding import encode


class SharedMemory(StepMemory):
    """The memory of an array's programs.

    Args:
        shared: the step.
        array: number of the array.
        memory: see ``StepMemory``.
    """

    def __init__(self, shared: SharedStep, array: int, memory: MemoryArray | None = None) -> None:
        super().__init__(shared, memory)
        self.shared, self.array = shared, array

    def put_program(self, rate_shift: int) -> None:
        """Programs of all segments, with this rate: 2**-rate_shift."""
        for number, made in enumerate(self.shared.programs(self.array, rate_shift)):
            code = np.frombuffer(encode(made.descriptors), dtype=np.uint8)
            self[self.shared.place(number)][: len(code)] = code

    def sent(self, transfers: Iterable[Transfer]) -> bytes:
        """What this array sends, in the order of the transfers."""
        return b"".join(self._bytes(each.at, each.bytes).tobytes() for each in transfers if each.source == self.array)

    def take(self, transfers: Iterable[Transfer], sent: Sequence[bytes]) -> None:
        """What has come for this array, out of what each array has sent."""
        places = [0] * self.shared.link.arrays
        for each in transfers:
            first = places[each.source]
            places[each.source] += each.bytes
            if each.target == self.array:
                part = np.frombuffer(sent[each.source], dtype=np.uint8)[first : first + each.bytes]
                self._bytes(each.to, each.bytes)[:] = part

    def states(self) -> Iterator[tuple[str, Any]]:
        """What it must have after a step: (name, values) of its share of masters and momenta, and all it reads."""
        for each in self.shared.shared:
            first, beats = (self.shared.grid.beat * n for n in each.share(self.array))
            for name in ("masters", "momenta"):
                whole = bool(each.prefix) and name == "masters"
                tensor = self[each.tensor(name)]
                yield each.tensor(name), tensor if whole else tensor[first : first + beats]
            if not each.prefix:
                yield f"values{each.layer}", self[f"values{each.layer}"]

    def _bytes(self, address: int, count: int) -> MemoryArray:
        first = address - self.shared.allocation.base
        return self.memory[first : first + count]


def memory_of(step: StepProgram, array: int, memory: MemoryArray | None = None) -> StepMemory:
    """The memory of a step on one array, or on that one of several."""
    return SharedMemory(step, array, memory) if isinstance(step, SharedStep) else StepMemory(step, memory)
