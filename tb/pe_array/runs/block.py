# SPDX-License-Identifier: Apache-2.0
"""A compiled network on array_harness, a batch of it: the whole memory and the clocks compared with the models.

Run by flow/full_size, which writes the job to the file that EDGELOOM_TRAIN names.
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
from models.pe_array.frontend.block_job import BlockJob
from tb.lib.bench import Bench
from tb.pe_array.drivers.array_host import ArrayHost
from tb.pe_array.runs.train import Comparison, Simulation, compare_clocks


async def _run(b: Bench, job: BlockJob) -> None:
    """Raises Mismatch."""
    program, image = program_file.load(Path(job.program))
    simulation = Simulation(ArrayHost(b), program.grid)
    await simulation.begin()
    memory = np.zeros(simulation.host.size, dtype=np.uint8)
    memory[: len(image)] = image
    ran = await simulation.play(
        memory, program.address, program.descriptors(image), program.read_window, program.write_window
    )
    comparison = Comparison("block")
    comparison.equal("memory", memory[: len(image)], job.after)
    comparison.equal("behind it", memory[len(image) :], np.zeros(len(memory) - len(image), dtype=np.uint8))
    compare_clocks(comparison, ran)
    clocks = ran.clocks
    told = {
        "event": "block", "compared": len(memory), "clocks": clocks.clocks, "macs": clocks.macs, "seconds": ran.seconds,
        "counters": {counter.name: value for counter, value in ran.counters.items()},
    }  # fmt: skip
    (Path(job.directory) / EVENTS).write_text(json.dumps(told) + "\n")


@cocotb.test()
async def block(dut: Any) -> None:
    """The whole job."""
    job = BlockJob.load(Path(os.environ["EDGELOOM_TRAIN"]))
    try:
        await _run(Bench(dut, "block", 1, "clk"), job)
    except Mismatch as mismatch:
        mismatch.write(Path(job.directory))
        raise
