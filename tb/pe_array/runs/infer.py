# SPDX-License-Identifier: Apache-2.0
"""Inference in simulation: batch after batch on array_harness, every output and every clock compared with the models.

Run by flow/infer, which writes the job to the file that EDGELOOM_TRAIN names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from models.lib.job_file import EVENTS, Mismatch
from models.pe_array.frontend import program_file
from models.pe_array.frontend.job import InferenceJob
from tb.lib.bench import Bench
from tb.pe_array.drivers.array_host import ArrayHost
from tb.pe_array.runs.train import Comparison, Simulation, compare_clocks


async def _run(b: Bench, job: InferenceJob) -> None:
    """All batches. Raises Mismatch at the first that differs."""
    program, image = program_file.load(Path(job.program))
    descriptors = program.descriptors(image)
    simulation = Simulation(ArrayHost(b), program.grid)
    memory = np.zeros(simulation.host.size, dtype=np.uint8)
    await simulation.begin()
    batches = np.load(job.batches)
    with (Path(job.directory) / EVENTS).open("w") as events:
        for number, (images, outputs) in enumerate(zip(batches["images"], batches["outputs"], strict=True)):
            memory[: len(image)] = image
            program.put(memory, images)
            ran = await simulation.play(
                memory, program.address, descriptors, program.read_window, program.write_window
            )  # fmt: skip
            comparison = Comparison(f"batch {number}")
            comparison.equal("outputs", program.outputs(memory), outputs)
            compare_clocks(comparison, ran)
            counters = {counter.name: value for counter, value in ran.counters.items()}
            told = {
                "event": "batch", "batch": number, "compared": comparison.values, "clocks": ran.clocks.clocks,
                "seconds": ran.seconds, "counters": counters,
                "groups": [(each.busy, each.stalled) for each in await simulation.host.groups()],
            }  # fmt: skip
            events.write(json.dumps(told) + "\n")
            events.flush()


@cocotb.test()
async def infer(dut: Any) -> None:
    """The whole job."""
    job = InferenceJob.load(Path(os.environ["EDGELOOM_TRAIN"]))
    try:
        await _run(Bench(dut, "infer", 1, "clk"), job)
    except Mismatch as mismatch:
        mismatch.write(Path(job.directory))
        raise
