# SPDX-License-Identifier: Apache-2.0
"""Clocks of training in pipelined stages: every stage's programs played, and what goes from array to array.

A step ends when the last array has come to the end of its program and everything is handed over: all arrays wait for
that. Maps and gradients go at once, each way over a port of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from models.lib.telling import silent
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import ProgramRun, clocks_of_parts
from models.pe_array.compiler.stages.stage_program import StageProgram
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Descriptor
from models.pe_array.isa.link import ONE_ARRAY
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import grid_of
from models.pe_array.network.layer import Layer
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.stages.schedule import StageSchedule, StageWork, kept_bytes

LINK = replace(ONE_ARRAY, arrays=2)
"""Between two neighbours: assumed, as memory is; there is no RTL of it."""


def hand_over_clocks(maps: Sequence[int]) -> int:
    """Clocks behind a step, from the first byte that is sent to the last one that has come.

    Args:
        maps: bytes of the map between each stage and the next; the gradient by it is as large, and goes the other way.
    """
    return max((LINK.clocks([(0, 1, size), (1, 0, size)]) for size in maps), default=0)


def map_bytes(layers: Sequence[Layer], batch: int, first: Sequence[int]) -> list[int]:
    """Bytes of the map between each stage and the next, given the layers with which stages begin."""
    return [batch * math.prod(layers[index - 1].out_shape) for index in first[1:]]


@dataclass(frozen=True)
class PlayedStage:
    """Clocks of a stage.

    Attributes:
        clocks: of its programs.
        kept_bytes: of the maps that it keeps.
    """

    clocks: dict[StageWork, int]
    kept_bytes: int


@dataclass(frozen=True)
class PlayedPipeline:
    """Clocks of all stages.

    Attributes:
        stages: in their order.
        one: of a step of the whole network on one array.
        hand_over: behind every step.
    """

    schedule: StageSchedule
    stages: tuple[PlayedStage, ...]
    one: int
    hand_over: int

    @property
    def step(self) -> int:
        """Clocks of a step in which all stages have both to do."""
        return max(stage.clocks[StageWork.BOTH] for stage in self.stages) + self.hand_over

    def run(self, batches: int) -> int:
        """Clocks of a run of batches, from an empty pipeline to an empty one."""
        ends, busy = min(batches, self.schedule.drain), 0
        steps = self.schedule.steps(batches)
        edges = [*range(ends), *range(max(ends, batches), steps)]  # where not all stages have both to do
        for step in edges:
            busy += max(self._clocks(stage, step, batches) for stage in range(len(self.stages))) + self.hand_over
        return busy + (steps - len(edges)) * self.step

    def _clocks(self, stage: int, step: int, batches: int) -> int:
        work = self.schedule.work(stage, step, batches)
        return 0 if work is None else self.stages[stage].clocks[work]

    def speed_up(self, batches: int) -> float:
        """Times as fast as one array that trains on so many batches."""
        return batches * self.one / self.run(batches)


class StageClocks:
    """Plays stages of a network with the elements that it has now, each range of layers once.

    Args:
        sizes: of every array, and its memory.
        search, tell: see ``StepProgram``.
    """

    def __init__(
        self, network: PeNetwork, sizes: Sizes, search: bool = True, tell: Callable[[str], None] = silent
    ) -> None:  # fmt: skip
        self._network, self._sizes, self._search, self._tell = network, sizes, search, tell
        self._stages: dict[tuple[int, int], dict[StageWork, int]] = {}
        self._whole: tuple[int, dict[str, int]] | None = None

    def whole(self) -> tuple[int, dict[str, int]]:
        """Clocks of a step on one array, and of its parts (``clocks.step``)."""
        if self._whole is None:
            step = StepProgram(self._network, grid_of(self._network.config), search=self._search, tell=self._tell)
            memory = StepMemory(step)
            memory.put(self._network, self._network.config.training.rate_shift(0))
            run = self._played(memory, step.address, step.descriptors)
            self._whole = run.clocks, clocks_of_parts(step.parts, step.descriptors, run)
        return self._whole

    def of(self, schedule: StageSchedule) -> PlayedPipeline:
        """All of a schedule."""
        config = self._network.config
        stages = tuple(self._stage(schedule, n) for n in range(schedule.stages))
        moved = hand_over_clocks(map_bytes(config.layers, config.batch, schedule.first))
        return PlayedPipeline(schedule, stages, self.whole()[0], moved)

    def _stage(self, schedule: StageSchedule, number: int) -> PlayedStage:
        layers = schedule.layers_of(number)
        clocks = self._stages.get((layers.start, layers.stop))
        config = self._network.config
        if clocks is None:
            stage = StageProgram(
                self._network, grid_of(config), schedule, number, search=self._search, tell=self._tell
            )  # fmt: skip
            memory = StepMemory(stage)
            memory.put_constants()
            clocks = {
                work: self._played(memory, stage.tensors[stage.place(0, work)].address, stage.of(0, work)).clocks
                for work in stage.works
            }
            self._stages[layers.start, layers.stop] = clocks
        kept = schedule.slots(number) * kept_bytes(config.layers, layers, config.in_shape, config.batch)
        return PlayedStage(clocks, kept)

    def _played(self, memory: StepMemory, address: int, program: list[Descriptor]) -> ProgramRun:
        """A program behind another one: the first one after a reset may take some clocks less."""
        array = ArrayClocks(memory.step.grid, self._sizes)
        array.run(address, program, memory.memory)
        return array.run(address, program, memory.memory)
