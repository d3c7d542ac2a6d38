# SPDX-License-Identifier: Apache-2.0
"""Training of a CNN on several arrays in simulation: one of them, of which every step is compared with the model.

Run by flow/train/pe_array, in a process for each array. They meet behind every segment of a step. Each brings the
gradients that the others add, as they are in its memory, and the MAC weights that it has made of sums; last what it
counted and compared. The link moves what lies in these memories to others, and its clocks are those of its model. So
what an array gets is what another one has computed. It gets it as late as may be: gradients before the segment that
adds them, weights at the end. The first array writes the checkpoint and classifies test images.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from models.lib.job_file import Mismatch
from models.pe_array.clocks.step import clocks_of_parts
from models.pe_array.compiler.shared.plan import LATER
from models.pe_array.compiler.shared.segments import UPDATES, SegmentProgram
from models.pe_array.compiler.shared.shared_memory import SharedMemory
from models.pe_array.compiler.shared.shared_step import Transfer
from models.pe_array.isa.registers import Counter
from models.pe_array.isa.shapes import Pair
from models.pe_array.training.job import ArrayJob
from tb.lib.bench import Bench
from tb.pe_array.runs.meetings import Meetings, Stopped
from tb.pe_array.runs.train import (
    Comparison,
    Interrupted,
    Ran,
    Training,
    clipped_of,
    compare_clipped,
    compare_clocks,
    compare_maps,
)


class ParallelTraining(Training):
    """A training of the model, of which an array is simulated."""

    def __init__(self, b: Bench, job: ArrayJob) -> None:
        super().__init__(b, job)
        self.link = self.config.link
        self.meetings = Meetings(job.link, job.array, self.link.arrays, self.watch)

    def save(self) -> None:
        """Write the checkpoint, which is the same for all."""
        if not self.job.array:
            super().save()

    async def step(self) -> None:
        """A step in simulation and in the model, and the comparison."""
        trainer, array, simulation = self.trainer, self.job.array, self.simulation
        if trainer.prune_if_due() or simulation.made is None:
            simulation.prepare(self.network, trainer.rate_shift)
        memory, number = simulation.memory, trainer.step
        assert isinstance(memory, SharedMemory)
        step = memory.shared
        batch, part = trainer.next_batch(), trainer.parts[array]
        memory.put_program(trainer.rate_shift)
        memory.put_batch(np.ascontiguousarray(batch.images[..., part]), batch.labels[part])
        comparison = Comparison(f"step {number}, array {array}")
        programs = step.programs(array, trainer.rate_shift)
        ran, groups = await self.segments(memory, programs)
        clipped = self.network.saturations.sum(axis=1)
        result = trainer.train_step()
        compare_maps(comparison, memory, result.traces[array])
        expected = SharedMemory(step, array)
        expected.put_weights(self.network)
        for (name, got), (_, want) in zip(memory.states(), expected.states(), strict=True):
            comparison.equal(name, got, want)
        for each in ran.values():
            compare_clocks(comparison, each)
        counters = {counter: sum(each.counters[counter] for each in ran.values()) for counter in Counter}
        all_ = self.together(number, ran, comparison, counters)
        expected_clipped = self.network.saturations.sum(axis=1) - clipped
        compare_clipped(comparison, [each["clipped"] for each in all_], expected_clipped)
        slowest = [max(each) for each in zip(*(each["clocks"] for each in all_), strict=True)]
        predicted, parts = sum(each.clocks.clocks for each in ran.values()), {UPDATES: 0}
        for n, each in ran.items():
            mine = clocks_of_parts(programs[n].parts, programs[n].descriptors, each.clocks)
            parts |= {name: parts.get(name, 0) + clocks for name, clocks in mine.items()}
        parts |= {"waiting": sum(slowest) - predicted, "link": step.timed(slowest).waits}
        self.record.steps.append(self.event(
            "step", step=number, correct=result.correct, images=len(batch.labels), density=self.network.density,
            compared=sum(each["compared"] for each in all_), seconds=sum(each.seconds for each in ran.values()),
            descriptors=sum(len(each.descriptors) for each in programs), clocks=predicted, parts=parts,
            counters={counter.name: value for counter, value in counters.items()}, groups=groups,
        ))  # fmt: skip

    async def segments(self, memory: SharedMemory, programs: list[SegmentProgram]) -> tuple[dict[int, Ran], list[Pair]]:
        """All programs of a step, by number those that have something to do; busy and stalled clocks of groups of PEs.

        What comes is in memory as late as it may be: if somebody needs it earlier, results are wrong.
        """
        step, simulation = memory.shared, self.simulation
        ran, groups = dict[int, Ran](), list[list[Pair]]()
        coming: list[tuple[list[Transfer], list[bytes]]] = []
        weights: list[tuple[list[Transfer], list[bytes]]] = []
        for n, program in enumerate(programs):
            if n >= LATER:
                memory.take(*coming[n - LATER])
            if program.descriptors:
                address = step.tensors[step.place(n)].address
                ran[n] = await simulation.play(
                    memory.memory, address, program.descriptors, step.read_window, step.write_window
                )
                groups.append([(each.busy, each.stalled) for each in await simulation.host.groups()])
            coming.append(self.exchange(f"gradients{self.trainer.step}.{n}", memory, step.gradient_transfers(n)))
            weights.append(self.exchange(f"weights{self.trainer.step}.{n}", memory, step.weight_transfers(n)))
        for each in weights:
            memory.take(*each)
        busy, stalled = np.sum(groups, axis=0).T.tolist()
        return ran, [*zip(busy, stalled, strict=True)]

    def exchange(
        self, name: str, memory: SharedMemory, transfers: list[Transfer]
    ) -> tuple[list[Transfer], list[bytes]]:  # fmt: skip
        """What the link moves: transfers, and the bytes that every array sends."""
        return transfers, self.meetings.meet(name, memory.sent(transfers)) if transfers else []

    def together(
        self, number: int, ran: dict[int, Ran], comparison: Comparison, counters: dict[Counter, int]
    ) -> list[dict[str, Any]]:  # fmt: skip
        """What all arrays have counted in a step, which all have compared."""
        assert isinstance(self.simulation.memory, SharedMemory)
        clocks = [
            ran[n].counters[Counter.CLOCKS] if n in ran else 0 for n in self.simulation.memory.shared.segments
        ]  # fmt: skip
        mine = {"clocks": clocks, "compared": comparison.values, "clipped": clipped_of(counters)}
        return [json.loads(each) for each in self.meetings.meet(f"compared{number}", json.dumps(mine).encode())]


async def whole(training: ParallelTraining, ends: Callable[[str], None]) -> None:
    """The whole job. Raises Mismatch; whatever ends it early is told to the others."""
    job = training.job
    try:
        await training.run()
    except (Interrupted, Stopped) as end:
        training.event("interrupted")
        ends(f"array {job.array}: {end or 'interrupted'}")
    except Mismatch as mismatch:
        ends(f"array {job.array}: {mismatch}")
        mismatch.write(job.place)
        raise
    except BaseException as error:
        ends(f"array {job.array}: {error!r}")
        raise
    finally:
        training.events.close()


@cocotb.test()
async def train(dut: Any) -> None:
    """The whole job of an array."""
    training = ParallelTraining(Bench(dut, "train", 1, "clk"), ArrayJob.load(Path(os.environ["EDGELOOM_TRAIN"])))
    await whole(training, training.meetings.stop)
