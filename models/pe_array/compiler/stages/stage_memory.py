# SPDX-License-Identifier: Apache-2.0
"""The memory of a stage's array, and what is handed over from one to the next."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from models.pe_array.compiler.allocation import MemoryArray
from models.pe_array.compiler.stages.stage_program import StageProgram
from models.pe_array.compiler.step_memory import StepMemory


class StageMemory(StepMemory):
    """The memory of a stage's programs.

    Args:
        stage: these.
        memory: see ``StepMemory``.
    """

    def __init__(self, stage: StageProgram, memory: MemoryArray | None = None) -> None:
        super().__init__(stage, memory)
        self.stage = stage

    def put_program(self, rate_shift: int) -> None:
        """All programs, with this rate: 2**-rate_shift."""
        for work in self.stage.works:
            for slot in range(self.stage.slots):
                program = self.stage.encoded(self.stage.of(slot, work), rate_shift)
                self[self.stage.place(slot, work)][:] = np.frombuffer(program, dtype=np.uint8)

    def slot(self, batch: int) -> int:
        """Of the maps of a batch, counted from the beginning of the run."""
        return batch % self.stage.slots


def hand_over(memories: list[StageMemory], step: int) -> None:
    """What goes from array to array behind a step, map by map; those of no batch are as they happen to be."""
    for n, (one, other) in enumerate(pairwise(memories)):
        batch = one.stage.schedule.forward(n, step)
        given, taken = one.stage.name(one.stage.given, 0), other.stage.name(other.stage.taken, other.slot(batch))
        other.stored(taken)[:] = one.stored(given)
        gradient = other.stage.gradient_given
        assert gradient is not None
        one.stored(gradient)[:] = other.stored(gradient)
