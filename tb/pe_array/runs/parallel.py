# SPDX-License-Identifier: Apache-2.0
"""Training of a CNN on several arrays in simulation: one of them, of which every step is compared with the model.

Run by flow/train/pe_array, in a process for each array. They meet three times in a step. First each brings the
gradients that the others add, as they are in its memory; then the MAC weights that it made of the sums; last what it
counted and compared. The link moves what lies in these memories to others, and its clocks are those of its model. So
what an array gets is what another one has computed. The first array writes the checkpoint and classifies test images.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from models.lib.job_file import Mismatch
from models.pe_array.clocks.step import clocks_of_parts
from models.pe_array.compiler.shared_step import UPDATES, SharedStep, Transfer, put_updates, states
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.isa.registers import Counter
from models.pe_array.training.job import ArrayJob
from tb.lib.bench import Bench
from tb.pe_array.runs.meetings import Meetings, Stopped
from tb.pe_array.runs.train import Comparison, Interrupted, Ran, Training, compare_clocks, compare_maps

_CLIPPED = {
    "forward and backward": (Counter.CLIPPED_OUTPUTS,),
    "by updates": (Counter.CLIPPED_MASTERS, Counter.CLIPPED_MOMENTA),
}
"""What the arrays count together, and the model too."""


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
        memory, number, rate_shift = simulation.memory, trainer.step, trainer.rate_shift
        step = memory.step
        assert isinstance(step, SharedStep)
        batch, part = trainer.next_batch(), trainer.parts[array]
        memory.put_program(rate_shift)
        updates = put_updates(memory, array, rate_shift)
        memory.put_batch(np.ascontiguousarray(batch.images[..., part]), batch.labels[part])
        comparison = Comparison(f"step {number}, array {array}")
        ran = [await simulation.run()]
        groups = await simulation.host.groups()
        transfers = step.gradient_transfers(), step.weight_transfers()
        self.exchange(f"gradients{number}", memory, transfers[0])
        if updates:
            ran.append(await simulation.play(
                memory.memory, step.tensors[UPDATES].address, updates, step.read_window, step.write_window
            ))  # fmt: skip
        self.exchange(f"weights{number}", memory, transfers[1])
        clipped = self.network.saturations.sum(axis=1)
        result = trainer.train_step()
        compare_maps(comparison, memory, result.traces[array])
        expected = StepMemory(step)
        expected.put_weights(self.network)
        for (name, got), (_, want) in zip(states(memory, array), states(expected, array), strict=True):
            comparison.equal(name, got, want)
        for each in ran:
            compare_clocks(comparison, each)
        counters = {counter: sum(each.counters[counter] for each in ran) for counter in Counter}
        all_ = self.together(number, ran, comparison, counters)
        forward, backward, update = (self.network.saturations.sum(axis=1) - clipped).tolist()
        for (what, _), count in zip(_CLIPPED.items(), (forward + backward, update), strict=True):
            comparison.equal(f"values clipped {what}", sum(each["clipped"][what] for each in all_), count)
        parts = clocks_of_parts(step.parts, step.descriptors, ran[0].clocks)
        parts |= {UPDATES: ran[1].clocks.clocks if updates else 0}
        parts |= {
            f"link_{what}": self.link.clocks(each.ports for each in moved)
            for what, moved in zip(("gradients", "weights"), transfers, strict=True)
        }
        parts |= {"waiting": sum(map(max, zip(*(each["clocks"] for each in all_), strict=True))) - sum(_clocks(ran))}
        self.record.steps.append(self.event(
            "step", step=number, correct=result.correct, images=len(batch.labels), density=self.network.density,
            compared=sum(each["compared"] for each in all_), seconds=sum(each.seconds for each in ran),
            descriptors=step.length + len(updates), clocks=sum(each.clocks.clocks for each in ran), parts=parts,
            counters={counter.name: value for counter, value in counters.items()},
            groups=[(each.busy, each.stalled) for each in groups],
        ))  # fmt: skip

    def exchange(self, name: str, memory: StepMemory, transfers: Sequence[Transfer]) -> None:
        """What the link does for this array: bytes of its memory go to the others, and theirs come."""
        array, base = self.job.array, memory.step.allocation.base
        sent = [memory.memory[each.at - base :][: each.bytes] for each in transfers if each.source == array]
        brought = self.meetings.meet(name, b"".join(part.tobytes() for part in sent))
        places = [0] * self.link.arrays
        for each in transfers:
            first = places[each.source]
            places[each.source] += each.bytes
            if each.target == array:
                part = np.frombuffer(brought[each.source], dtype=np.uint8)[first : first + each.bytes]
                memory.memory[each.to - base :][: each.bytes] = part

    def together(
        self, number: int, ran: Sequence[Ran], comparison: Comparison, counters: dict[Counter, int]
    ) -> list[dict[str, Any]]:  # fmt: skip
        """What all arrays have counted in a step, which all have compared."""
        clipped = {what: sum(counters[each] for each in counted) for what, counted in _CLIPPED.items()}
        mine = {"clocks": _clocks(ran), "compared": comparison.values, "clipped": clipped}
        return [json.loads(each) for each in self.meetings.meet(f"compared{number}", json.dumps(mine).encode())]


def _clocks(ran: Sequence[Ran]) -> list[int]:
    """Of the step up to the gradients, and of the updates."""
    return [*(each.counters[Counter.CLOCKS] for each in ran), 0][:2]


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
