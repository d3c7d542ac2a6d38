# SPDX-License-Identifier: Apache-2.0
"""The memory of a stage's array, and what is handed over from one to the next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from models.pe_array.compiler.allocation import MemoryArray
from models.pe_array.compiler.phases import BIAS
from models.pe_array.compiler.stages.stage_program import StageProgram
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.network.drain_pooling import WINDOW
from models.pe_array.network.trace import Trace


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

    def has(self, map_: str) -> bool:
        """Whether a map is in memory."""
        stored = self.stage.storage.maps.get(map_)
        return (map_ if stored is None else stored.tensor) in self.stage.tensors

    def made(self, came: Trace | None, was: Trace | None, slot: int) -> Iterator[tuple[str, Any, Any]]:
        """What a step leaves in memory, but for weights: (name, values, those of the model).

        Args:
            came: of the batch of FF, which has this slot; None: there was none.
            was: of the batch of the way back.
        """
        stage = self.stage
        for index in stage.layers:
            if came is not None:
                for kind, maps in (("output", came.outputs), ("index", came.indices)):
                    name = stage.name(f"{kind}{index}", slot)
                    if self.has(name):
                        got = self.map(name)
                        if kind == "index" and stage.config.layers[index].reads in stage.pools:
                            got = got & (WINDOW - 1)  # places in drains say, too, where a ReLU has stopped them
                        yield name, got, maps[index]
            if was is not None:
                for prefix, gradients in (("", was.gradients), (BIAS, was.bias_gradients)):
                    name = f"{prefix}gradients{index}"
                    if name in stage.tensors:
                        yield name, (self._biases if prefix else self._elements)("gradients", index), gradients[index]
        if was is not None:
            for index in range(max(stage.layers.start - 1, 0), stage.layers.stop):
                if self.has(f"delta{index}"):
                    yield f"delta{index}", self.map(f"delta{index}"), was.deltas[index]


def hand_over(memories: list[StageMemory], step: int) -> None:
    """What goes from array to array behind a step, map by map; those of no batch are as they happen to be."""
    for n, (one, other) in enumerate(pairwise(memories)):
        batch = one.stage.schedule.forward(n, step)
        given, taken = one.stage.name(one.stage.given, 0), other.stage.name(other.stage.taken, other.slot(batch))
        other.stored(taken)[:] = one.stored(given)
        gradient = other.stage.gradient_given
        assert gradient is not None
        one.stored(gradient)[:] = other.stored(gradient)
