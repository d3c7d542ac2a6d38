# SPDX-License-Identifier: Apache-2.0
"""Training of a CNN in simulation: plays steps of a job on array_harness and compares every one with the model.

Run by flow/train/pe_array, which writes the job to the file that EDGELOOM_TRAIN names. After each step every map,
index, gradient, master, momentum and MAC weight in the array's memory is compared with the model, and what the array
counts. Of gradients that go to the update at once, masters and momenta tell.
Between the simulated steps the model trains alone, from the same weights. The checkpoint is written after every
simulated step and batch and every epoch of the model: a training that was interrupted repeats at most the step that it
was in, and so ends with what it would have ended with.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt

from models.lib.data_sets.source import check_unchanged
from models.lib.fixed_point import IntArray
from models.lib.job_file import EVENTS, Mismatch
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import ProgramRun, clocks_of_parts, predicted
from models.pe_array.compiler import random_programs
from models.pe_array.compiler.shared.shared_memory import memory_of
from models.pe_array.compiler.shared.shared_step import step_of
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.word_order import word_order
from models.pe_array.isa.descriptors import Descriptor
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.registers import Counter
from models.pe_array.isa.shapes import Pair
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import grid_of
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.random_words import RandomWords
from models.pe_array.network.trace import Trace
from models.pe_array.network.weights import Weights
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.job import ArrayJob, Record, load, places_of, save
from models.pe_array.training.trainer import Trainer
from tb.lib.bench import Bench
from tb.pe_array.drivers.array_host import ArrayHost, Bytes, fill

_CLIPPED = {
    "by requantise": (Counter.CLIPPED_OUTPUTS,), "by updates": (Counter.CLIPPED_MASTERS, Counter.CLIPPED_MOMENTA),
}  # fmt: skip
"""Values that arrays count, and the model too."""
CLOCKS_TO_SPARE = 10_000
"""Beside four times what is predicted, before the array is said to hang."""


class Interrupted(Exception):
    """The user wants to stop."""


class Comparison:
    """Compares arrays and counts values. Raises Mismatch at the first array that differs."""

    def __init__(self, where: str) -> None:
        self.where, self.values = where, 0

    def equal(self, what: str, got: npt.ArrayLike, expected: npt.ArrayLike) -> None:
        """Everything must be equal; the message names the first element that is not."""
        mine, model = np.asarray(got), np.asarray(expected)
        if mine.shape != model.shape:
            raise Mismatch(f"{self.where}: {what} has the shape {mine.shape}, expected {model.shape}")
        wrong = np.argwhere(mine != model)
        if len(wrong):
            index = tuple(int(n) for n in wrong[0])
            raise Mismatch(
                f"{self.where}: {what}{list(index)}: expected {model[index]}, got {mine[index]}; "
                f"{len(wrong)} of {mine.size} values differ",
                len(wrong),
            )
        self.values += mine.size


@dataclass(frozen=True)
class Ran:
    """What a program gave: what the array counted, the clocks predicted, and seconds of the simulation."""

    counters: dict[Counter, int]
    clocks: ProgramRun
    seconds: float


class Simulation:
    """The array, out of reset, and the memory of the program that it runs.

    Args:
        array: number of it, where several train.

    Attributes:
        made: None before a program is prepared.
    """

    def __init__(self, host: ArrayHost, grid: Grid, array: int = 0) -> None:
        self.host, self.grid, self.array = host, grid, array
        self.clocks = ArrayClocks(grid, Sizes.of(host.b.params))
        self.made: StepMemory | None = None

    @property
    def memory(self) -> StepMemory:
        """Of the program that was prepared last."""
        assert self.made is not None
        return self.made

    async def begin(self) -> None:
        """Reset, and fill the memories of the PEs."""
        await self.host.reset(0, stalls=False)
        await self.fill()

    async def fill(self) -> None:
        """Fill the memories of the PEs."""
        host, program = self.host, fill(self.grid, lambda _: 0)
        memory = np.zeros(host.size, dtype=np.uint8)
        code = np.frombuffer(encode(program), dtype=np.uint8)
        address = host.size - len(code) - len(code) % 64  # where beats of up to 64 bytes begin
        memory[address : address + len(code)] = code
        await self.play(memory, address, program, (0, host.size - 1), (0, 0))

    def prepare(self, network: PeNetwork, rate_shift: int, training: bool = True) -> None:
        """A program for the positions that the network's elements have now, and a memory with its weights."""
        step = step_of(network, self.grid) if training else StepProgram(network, self.grid, training=False)
        if training and network.random:
            network.random.order = word_order(step)
        self.made = memory_of(step, self.array, np.zeros(self.host.size, dtype=np.uint8))
        self.made.put(network, rate_shift)

    async def wind(self, words: RandomWords, seed: int) -> None:
        """Seed the array, and let its random words go on where those of the model are. Raises Mismatch."""
        address, last = random_programs.SCRATCH * self.grid.beat, self.host.size - 1
        for number, made in enumerate(random_programs.programs(words, self.grid)):
            memory, code = np.zeros(self.host.size, dtype=np.uint8), np.frombuffer(encode(made), dtype=np.uint8)
            memory[address : address + len(code)] = code
            await self.play(memory, address, made, (0, last), (0, address - 1), None if number else seed)

    async def run(self) -> Ran:
        """Run the program. Raises Mismatch if it stops."""
        memory, step = self.memory, self.memory.step
        return await self.play(memory.memory, step.address, step.descriptors, step.read_window, step.write_window)

    async def play(
        self, memory: Bytes, address: int, program: Sequence[Descriptor], read: Pair, write: Pair,
        seed: int | None = None, clocks: ProgramRun | None = None,
    ) -> Ran:  # fmt: skip
        """Run a program on a memory, which becomes what the array leaves. Raises Mismatch.

        Args:
            clocks: predicted, if they are known.
        """
        host, clocks = self.host, clocks or self.clocks.run(address, program, memory)
        host.watch()  # a short program ends before it is called
        begin = time.perf_counter()
        await host.load(memory)
        await host.start(address, len(program), read, write, seed)
        stop = await host.finish(4 * clocks.clocks + CLOCKS_TO_SPARE)
        if stop is not None:
            raise Mismatch(f"the array stopped: {stop}, {program[stop.index]}")
        memory[:] = await host.dump()
        return Ran(await host.counters(), clocks, time.perf_counter() - begin)


class Training:
    """A training of the model, of which some steps are simulated too.

    Attributes:
        words_before: the step before which the array has the random words that it has now.
    """

    def __init__(self, b: Bench, job: ArrayJob) -> None:
        self.job = job
        config = job.configuration()
        data = TrainingImages.load(config)
        check_unchanged(data.train.source, job.source)
        self.trainer = Trainer(config, data.train[: job.samples])
        self.config = self.trainer.config
        self.images_to_test = data.test
        self.network = self.trainer.network
        self.record = load(job, self.trainer) if job.resume else Record()
        self.simulation = Simulation(ArrayHost(b), grid_of(self.config), job.array)
        self.simulation.host.watch = self.watch
        self.interrupted = False
        self.words_before = -1
        self.events = (job.place / EVENTS).open("w")

    def event(self, kind: str, **values: Any) -> dict[str, Any]:
        """Tell whoever watches; what was told."""
        told = {"event": kind, **values}
        self.events.write(json.dumps(told) + "\n")
        self.events.flush()
        return told

    def interrupt(self, *_: Any) -> None:
        """Signal handler."""
        self.interrupted = True

    def watch(self) -> None:
        """Raises Interrupted."""
        if self.interrupted:
            raise Interrupted

    def save(self) -> None:
        """Write the checkpoint, if the training can go on from here."""
        if self.trainer.empty:
            save(self.job, self.trainer, self.record)

    async def begin(self) -> None:
        """Make the array ready for programs."""
        await self.simulation.begin()

    async def run(self) -> None:
        """All that the checkpoint does not have yet. Raises Mismatch, Interrupted."""
        await self.begin()
        signal.signal(signal.SIGINT, self.interrupt)  # not before: Icarus sets its own as the simulation starts
        self.save()
        for steps in places_of(self.job, self.trainer):
            self.alone(steps.start)
            while self.trainer.step < steps.stop:
                self.record.tests = []
                await self.step()
                self.save()
        while not self.trainer.empty:
            self.alone(self.trainer.step + 1)
        self.simulation.made = None
        for batch in range(len(self.record.tests), self.job.batches):
            await self.classify(batch)
            self.save()

    def alone(self, until: int) -> None:
        """Train in the model up to a step."""
        trainer = self.trainer
        while trainer.step < until:
            result = trainer.train_step()
            self.simulation.made = None
            self.event("model", step=trainer.step, until=until, correct=result.correct)
            if self.interrupted or trainer.step == until or trainer.step % trainer.steps_per_epoch == 0:
                self.save()
            self.watch()

    async def step(self) -> None:
        """A step in simulation and in the model, and the comparison."""
        trainer, network = self.trainer, self.network
        if trainer.prune_if_due() or self.simulation.made is None:
            self.simulation.prepare(network, trainer.rate_shift)
        memory, number = self.simulation.memory, trainer.step
        batch = trainer.next_batch()
        memory.put_program(trainer.rate_shift)
        memory.put_batch(batch.images, batch.labels)
        if network.random and self.words_before != number:
            await self.simulation.wind(network.random, self.config.training.rounding_seed)
        clipped = network.saturations.sum(axis=1)
        ran = await self.simulation.run()
        counters, result = ran.counters, trainer.train_step()
        self.words_before = trainer.step
        comparison = Comparison(f"step {number}")
        compare_maps(comparison, memory, result.traces[0])
        compare_weights(comparison, memory, network.weights)
        compare_clipped(comparison, [clipped_of(counters)], network.saturations.sum(axis=1) - clipped)
        compare_clocks(comparison, ran)
        self.record.steps.append(self.event(
            "step", step=number, correct=result.correct, images=len(batch.labels), density=network.density,
            compared=comparison.values, seconds=ran.seconds, descriptors=memory.step.length, clocks=ran.clocks.clocks,
            parts=clocks_of_parts(memory.step.parts, memory.step.descriptors, ran.clocks),
            counters={counter.name: value for counter, value in counters.items()},
            groups=[(each.busy, each.stalled) for each in await self.simulation.host.groups()],
        ))  # fmt: skip

    async def classify(self, batch: int) -> None:
        """A batch of test images in simulation and in the model."""
        if self.simulation.made is None:
            self.simulation.prepare(self.network, self.trainer.rate_shift, training=False)
        memory, size = self.simulation.memory, self.config.training.batch
        tested = self.images_to_test.batch(np.arange(batch * size, (batch + 1) * size))
        memory.put_batch(tested.images)
        ran = await self.simulation.run()
        comparison = Comparison(f"test batch {batch}")
        compare_clocks(comparison, ran)
        comparison.equal("logits", memory.logits, self.network.forward(tested.images).logits)
        self.record.tests.append(self.event(
            "test", batch=batch, correct=int((memory.logits.argmax(axis=0) == tested.labels).sum()), images=size,
            compared=comparison.values, clocks=ran.clocks.clocks,
            counters={counter.name: value for counter, value in ran.counters.items()},
        ))  # fmt: skip


def compare_clocks(comparison: Comparison, ran: Ran) -> None:
    """What the array counted of its clocks, and what was predicted."""
    for name, clocks in predicted(ran.clocks).items():
        comparison.equal(f"counter {name}", ran.counters[Counter[name]], clocks)


def compare_maps(comparison: Comparison, memory: StepMemory, expected: Trace) -> None:
    """Maps, indices of maxima, gradients by maps, and those by weights that are in memory."""
    found, expected = memory.trace(), memory.in_memory(expected)
    for name in ("outputs", "indices", "deltas", "gradients", "bias_gradients"):
        for layer, (got, want) in enumerate(zip(getattr(found, name), getattr(expected, name), strict=True)):
            comparison.equal(f"{name} of layer {layer}", got, want)


def clipped_of(counters: Mapping[Counter, int]) -> dict[str, int]:
    """Values that an array has clipped, by what clips them."""
    return {what: sum(counters[each] for each in counted) for what, counted in _CLIPPED.items()}


def compare_clipped(comparison: Comparison, arrays: Sequence[Mapping[str, int]], expected: IntArray) -> None:
    """Values clipped on all arrays together.

    Args:
        arrays: ``clipped_of`` each.
        expected: forward, backward and by updates.
    """
    forward, backward, update = expected.tolist()
    for what, count in zip(_CLIPPED, (forward + backward, update), strict=True):
        comparison.equal(f"values clipped {what}", sum(each[what] for each in arrays), count)


def compare_weights(comparison: Comparison, memory: StepMemory, expected: Sequence[Weights | None]) -> None:
    """Masters, momenta, MAC weights, and zeros between the blocks, of the layers that a memory has."""
    for layer, (got, want) in enumerate(zip(memory.weights(), expected, strict=True)):
        if got and want:
            for name in ("masters", "momenta", "mac", "bias", "bias_momenta"):
                comparison.equal(f"{name} of layer {layer}", getattr(got, name), getattr(want, name))
            gaps = memory.gaps(layer)
            comparison.equal(f"space between blocks of layer {layer}", gaps, np.zeros_like(gaps))


async def whole(training: Training) -> None:
    """The whole job."""
    try:
        await training.run()
    except Interrupted:
        training.event("interrupted")
    except Mismatch as mismatch:
        mismatch.write(training.job.place)
        raise
    finally:
        training.events.close()


@cocotb.test()
async def train(dut: Any) -> None:
    """The whole job."""
    await whole(Training(Bench(dut, "train", 1, "clk"), ArrayJob.load(Path(os.environ["EDGELOOM_TRAIN"]))))
