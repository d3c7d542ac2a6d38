# SPDX-License-Identifier: Apache-2.0
"""Inference in simulation: batch after batch on array_harness, every output and every clock compared with the models.

Run by flow/infer, which writes the job to the file that EDGELOOM_TRAIN names. The checkpoint is written after every
batch: an inference that was interrupted repeats the batch that it was in.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from models.lib.job_file import EVENTS, Mismatch
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.frontend import program_file
from models.pe_array.frontend.job import InferenceJob
from tb.lib.bench import Bench
from tb.pe_array.drivers.array_host import ArrayHost
from tb.pe_array.runs.train import Comparison, Interrupted, Simulation, compare_clocks


async def _run(b: Bench, job: InferenceJob) -> None:
    """All batches that the checkpoint does not have. Raises Mismatch at the first that differs, Interrupted."""
    program, image = program_file.load(Path(job.program))
    descriptors = program.descriptors(image)
    simulation = Simulation(ArrayHost(b), program.grid)
    memory = np.zeros(simulation.host.size, dtype=np.uint8)
    await simulation.begin()
    simulation.host.watch = _interrupts()
    with np.load(job.batches) as file:
        batches = list(zip(file["images"], file["outputs"], strict=True))
    done = job.load_done()
    before: ProgramRun | None = None
    steady: ProgramRun | None = None
    with (Path(job.directory) / EVENTS).open("w") as events:
        for number, (images, outputs) in list(enumerate(batches))[len(done) :]:
            memory[: len(image)] = image
            program.put(memory, images)
            ran = await simulation.play(
                memory, program.address, descriptors, program.read_window, program.write_window, clocks=steady
            )  # fmt: skip
            comparison = Comparison(f"batch {number}")
            comparison.equal("outputs", program.outputs(memory), outputs)
            compare_clocks(comparison, ran)
            # A batch finds the array as the one before left it. Where all operations of two end in the same clocks,
            # those of the others are not predicted again; they are measured all the same.
            steady, before = ran.clocks if ran.clocks == before else None, ran.clocks
            counters = {counter.name: value for counter, value in ran.counters.items()}
            told = {
                "event": "batch", "batch": number, "compared": comparison.values, "clocks": ran.clocks.clocks,
                "seconds": ran.seconds, "counters": counters,
                "groups": [(each.busy, each.stalled) for each in await simulation.host.groups()],
            }  # fmt: skip
            done.append(told)
            job.save_done(done)
            events.write(json.dumps(told) + "\n")
            events.flush()


def _interrupts() -> Callable[[], None]:
    """What raises Interrupted after a Ctrl-C. Not before the simulation has started: Icarus sets a handler then."""
    seen: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: seen.append(number))

    def watch() -> None:
        if seen:
            raise Interrupted

    return watch


@cocotb.test()
async def infer(dut: Any) -> None:
    """The whole job."""
    job = InferenceJob.load(Path(os.environ["EDGELOOM_TRAIN"]))
    try:
        with contextlib.suppress(Interrupted):  # flow knows of it
            await _run(Bench(dut, "infer", 1, "clk"), job)
    except Mismatch as mismatch:
        mismatch.write(Path(job.directory))
        raise
