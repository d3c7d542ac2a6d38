# SPDX-License-Identifier: Apache-2.0
"""Training of a CNN in pipelined stages in simulation: an array for each, and every step compared with the model.

Run by flow/train/pe_array on arrays_harness. In a step the programs of all stages start in one clock. When all have
ended, every map, gradient and weight in the memory of every array is compared with the model, and what the arrays
count. Then maps and gradients go from memory to memory, as the RTL has made them. If an array is stopped by an error,
or is late, the others are stopped, and the training ends with the reason.

Steps that are not pipelined, and test images, are for the first array alone.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt

from models.lib.job_file import Mismatch
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.compiler.stages.stage_memory import StageMemory, hand_over
from models.pe_array.compiler.stages.stage_program import stage_programs
from models.pe_array.isa.descriptors import Descriptor
from models.pe_array.isa.registers import Counter
from models.pe_array.network.stages.pipelined import StageStep
from models.pe_array.network.stages.schedule import StageWork
from models.pe_array.network.weights import Weights
from models.pe_array.training.job import STAGES, ArrayJob
from models.pe_array.training.stage_clocks import hand_over_clocks, map_bytes
from models.pe_array.training.trainer import StepResult
from tb.lib.bench import Bench
from tb.pe_array.drivers.array_registers import GroupCount
from tb.pe_array.drivers.arrays import Arrays, Ends
from tb.pe_array.runs.train import (
    CLOCKS_TO_SPARE,
    Comparison,
    Ran,
    Simulation,
    Training,
    clipped_of,
    compare_clipped,
    compare_clocks,
    compare_weights,
    whole,
)


@dataclass(frozen=True)
class Seen:
    """A step of the stages in the model.

    Attributes:
        weights: as it left them.
        clipped: values forward, backward and by updates, counted from the beginning.
    """

    step: StageStep
    weights: list[Weights | None]
    clipped: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """What a stage does in a step: its program, and the clocks predicted for it."""

    program: Sequence[Descriptor]
    clocks: ProgramRun


class StagedTraining(Training):
    """A training of the model, some steps of which are simulated in stages.

    Attributes:
        stages, schedule: of the model.
        arrays: one for each stage.
        simulations: of each.
        memories: of the stages, for the positions that elements have now; none before they are made.
        rate_shift: of the programs in them.
        clipped: values that the model had clipped before the step that is compared next.
        moved: clocks of a hand-over.
    """

    def __init__(self, b: Bench, job: ArrayJob) -> None:
        super().__init__(b, job)
        assert self.trainer.stages is not None
        self.stages = self.trainer.stages
        self.schedule = self.stages.schedule
        self.arrays = Arrays(b)
        self.arrays.watch = self.watch
        grid = self.simulation.grid
        self.simulations = [Simulation(host, grid) for host in self.arrays.hosts]
        self.simulation = self.simulations[0]
        for each in self.simulations:
            each.host.watch = self.watch
        self.memories: list[StageMemory] = []
        self.rate_shift = -1
        self.clipped = self.network.saturations.sum(axis=1)
        self.moved = hand_over_clocks(map_bytes(self.config.layers, self.config.batch, self.schedule.first))

    async def begin(self) -> None:
        """Make all arrays ready for programs."""
        await self.simulation.begin()
        for each in self.simulations[1:]:
            await each.fill()

    def alone(self, until: int) -> None:
        """Train in the model up to a step."""
        if self.trainer.step < until:
            self.memories = []
        super().alone(until)

    def prepare(self) -> None:
        """Programs for the positions that the network's elements have now, in memories with its weights."""
        stages = stage_programs(self.network, self.simulation.grid, self.schedule)
        self.memories = [StageMemory(each, np.zeros(self.simulation.host.size, dtype=np.uint8)) for each in stages]
        self.rate_shift = self.trainer.rate_shift
        for memory in self.memories:
            memory.put(self.network, self.rate_shift)

    async def step(self) -> None:
        """A step of the training, with those behind it in which the stages are drained."""
        trainer = self.trainer
        if not self.config.pipelined(trainer.step):
            self.memories = []
            await super().step()
            return
        self.simulation.made = None
        if trainer.prune_if_due() or not self.memories:
            self.prepare()
        if trainer.rate_shift != self.rate_shift:
            self.rate_shift = trainer.rate_shift
            for memory in self.memories:
                memory.put_program(self.rate_shift)
        number, self.clipped = trainer.step, self.network.saturations.sum(axis=1)
        result, seen = self.watched()
        begin = time.perf_counter()
        played = [await self.play(each, f"step {number}") for each in seen]
        logits = [each.step.forward[-1] for each in seen]
        clocks = [[each.clocks.clocks if each else 0 for each in ran] for ran, _ in played]
        waits = [[max(step) - each for each in step] for step in clocks]
        arrays = [each for ran, _ in played for each in ran if each is not None]
        self.record.steps.append(self.event(
            "step", step=number, correct=result.correct,
            images=sum(0 if each is None else len(each.labels) for each in logits), density=self.network.density,
            compared=sum(values for _, values in played), seconds=time.perf_counter() - begin,
            descriptors=sum(each.descriptors for each in arrays), clocks=sum(map(sum, clocks)),
            parts={"slowest": sum(map(max, clocks)), "hand_over": len(played) * self.moved},
            counters={each.name: sum(ran.counters[each] for ran in arrays) for each in Counter},
            groups=np.sum([[(group.busy, group.stalled) for group in each.groups] for each in arrays], axis=0).tolist(),
            **{STAGES: np.stack([np.sum(clocks, axis=0), np.sum(waits, axis=0)], axis=1).tolist()},
        ))  # fmt: skip

    def watched(self) -> tuple[StepResult, list[Seen]]:
        """A step of the training in the model, and all steps of the stages in it: more than one where they drain."""
        seen: list[Seen] = []

        def look(step: StageStep) -> None:
            seen.append(Seen(step, copy.deepcopy(self.network.weights), self.network.saturations.sum(axis=1)))

        self.stages.watch = look
        result = self.trainer.train_step()
        self.stages.watch = None
        return result, seen

    async def play(self, seen: Seen, where: str) -> tuple[list[RanStage | None], int]:
        """A step of the stages in simulation: what every stage's program gave, and how many values were compared."""
        step, parts = seen.step, dict[int, Part]()
        images, labels = step.forward[0], step.forward[-1]
        if images is not None:
            first = self.memories[0]
            stored = first.stored(first.stage.name("image", first.slot(step.number)))
            stored[:] = images.images.reshape(stored.shape)
        if labels is not None:
            self.memories[-1]["labels"][:] = labels.labels
        for n, (came, was) in enumerate(zip(step.forward, step.backward, strict=True)):
            work = StageWork.of(came is not None, was is not None)
            if work is not None:
                parts[n] = await self.load(n, self.slot(n, step), work)
        self.watch()  # short programs end before it is called
        await self.arrays.start(parts)
        slowest = max(each.clocks.clocks for each in parts.values())
        limit = 4 * slowest + CLOCKS_TO_SPARE
        ends = await self.arrays.finish(parts, limit)
        if ends.at_fault:
            raise Mismatch(f"{where}, {_reason(ends, parts, limit)}")
        ran: list[RanStage | None] = [None] * self.schedule.stages
        for n, each in parts.items():
            host = self.simulations[n].host
            self.memories[n].memory[:] = await host.dump()
            counters = await host.counters()
            ran[n] = RanStage(counters, each.clocks, 0.0, len(each.program), await host.groups())
        values = self.compare(seen, ran, where)
        hand_over(self.memories, step.number)
        return ran, values

    def slot(self, stage: int, step: StageStep) -> int:
        """Of the maps that FF of a stage makes in a step."""
        return self.memories[stage].slot(self.schedule.forward(stage, step.number))

    async def load(self, stage: int, slot: int, work: StageWork) -> Part:
        """Memory and registers of an array for a program of its stage, which is then to be started."""
        memory, simulation = self.memories[stage], self.simulations[stage]
        mine = memory.stage
        program, address = mine.of(slot, work), mine.tensors[mine.place(slot, work)].address
        clocks = simulation.clocks.run(address, program, memory.memory)
        await simulation.host.load(memory.memory)
        await simulation.host.prepare(address, len(program), mine.read_window, mine.write_window, None)
        return Part(program, clocks)

    def compare(self, seen: Seen, ran: Sequence[Ran | None], where: str) -> int:
        """All of a step with the model; how many values. Raises Mismatch."""
        compared = 0
        for n, (memory, mine) in enumerate(zip(self.memories, ran, strict=True)):
            comparison = Comparison(f"{where}, stage {n}")
            came, was = (None if each is None else each.trace for each in (seen.step.forward[n], seen.step.backward[n]))
            for name, got, want in memory.made(came, was, self.slot(n, seen.step)):
                comparison.equal(name, got, want)
            compare_weights(comparison, memory, seen.weights)
            if mine is not None:
                compare_clocks(comparison, mine)
            compared += comparison.values
        together = Comparison(f"{where}, all stages")
        arrays = [clipped_of(each.counters) for each in ran if each is not None]
        compare_clipped(together, arrays, seen.clipped - self.clipped)
        self.clipped = seen.clipped
        return compared + together.values


@dataclass(frozen=True)
class RanStage(Ran):
    """What a stage's program gave, its length, and what the groups of PEs counted."""

    descriptors: int
    groups: list[GroupCount]


def _reason(ends: Ends, parts: Mapping[int, Part], limit: int) -> str:
    """Why the arrays were stopped, and what has become of all.

    Args:
        limit: clocks within which they must be at their end.
    """
    found = []
    for n in ends.at_fault:
        stop, why = ends.stops.get(n), ends.of(n)
        if n in ends.late:
            why = f"not at its end within {limit:,} clocks, {parts[n].clocks.clocks:,} were predicted; it {why}"
        elif stop is not None:
            why += f", {parts[n].program[stop.index]}"
        found.append(f"stage {n}: {why}")
    return "; ".join([*found, *(f"stage {n} {ends.of(n)}" for n in parts if n not in ends.at_fault)])


@cocotb.test()
async def train(dut: Any) -> None:
    """The whole job."""
    await whole(StagedTraining(Bench(dut, "train", 1, "clk"), ArrayJob.load(Path(os.environ["EDGELOOM_TRAIN"]))))
