# SPDX-License-Identifier: Apache-2.0
"""Layers on array_harness, phase by phase: the whole memory and the counters compared with the models after each.

Run by flow/full_size, which writes the job to the file that EDGELOOM_TRAIN names. What must be in memory comes from the
layers' definition (models/pe_array/network/layers.py, weight_update.py), not from what the phases before left.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from models.lib.job_file import EVENTS, Mismatch
from models.pe_array.clocks.step import ProgramRun
from models.pe_array.isa.csb import Csb
from models.pe_array.isa.registers import Counter
from models.pe_array.training.layer_job import LayerJob, LayerMemory, LayersJob, PhaseRun
from tb.lib.bench import Bench
from tb.pe_array.drivers.array_host import ArrayHost

_CLIPPED = (Counter.CLIPPED_OUTPUTS, Counter.CLIPPED_MASTERS, Counter.CLIPPED_WEIGHTS)
_EXACT = {
    Counter.CLOCKS: "clocks", Counter.BUSY_PES: "busy", Counter.STALL_PES: "stalls",
    Counter.LOAD_CLOCKS: "load_clocks", Counter.COMPUTE_CLOCKS: "compute_clocks",
    Counter.STORE_CLOCKS: "store_clocks", Counter.FETCH_BEATS: "fetch_beats", Counter.LOAD_BEATS: "load_beats",
    Counter.STORE_BEATS: "store_beats", Counter.WRITTEN_BEATS: "written_beats",
}  # fmt: skip
"""Counters that the cycle model predicts."""


class FullSize:
    """The array, out of reset, and the job."""

    def __init__(self, b: Bench, job: LayersJob) -> None:
        self.host, self.job, self.directory = ArrayHost(b), job, Path(job.directory)
        self.events = (self.directory / EVENTS).open("w")
        self.model = job.clocks

    async def run(self) -> None:
        """The chosen layers, in their order."""
        await self.host.reset(0, stalls=False)
        matrices = self.job.matrices()
        layers = {layer.name: layer for layer in self.job.network}
        for name in self.job.chosen:
            await self.layer(layers[name], matrices[name])

    async def layer(self, layer: LayerJob, csb: Csb) -> None:
        """All phases of a layer, in the memory that the ones before left."""
        memory = LayerMemory(self.job, layer, csb)
        await self.host.load(memory.memory)
        for run in memory.runs:
            where = f"{layer.name} {run.phase}"
            predicted = self.model.run(run.address, run.program, memory.memory)
            begin = time.perf_counter()
            counters = await self.phase(memory, run, predicted, where)
            seconds = time.perf_counter() - begin
            kind = {"event": "phase", "layer": layer.name, "phase": run.phase}
            clocks = counters[Counter.CLOCKS]
            found = {
                "clocks": clocks, "predicted": predicted.clocks, "difference": predicted.clocks - clocks,
                "macs": predicted.macs, "utilisation": predicted.macs / (self.job.pes * clocks),
                "elements": len(csb.coordinates), "descriptors": len(run.program), "compared": len(memory.memory),
                "written": sum(len(each.values) for each in run.written), "seconds": seconds,
                "counters": {counter.name: value for counter, value in counters.items()},
                "groups": [(group.busy, group.stalled) for group in await self.host.groups()],
            }  # fmt: skip
            self.events.write(json.dumps(kind | found) + "\n")
            self.events.flush()

    async def phase(self, memory: LayerMemory, run: PhaseRun, predicted: ProgramRun, where: str) -> dict[Counter, int]:
        """Run a phase and compare; what the array counted. Raises Mismatch."""
        await self.host.start(run.address, len(run.program), memory.read_window, run.write_window, None)
        stop = await self.host.finish(4 * predicted.clocks + 10_000)
        if stop is not None:
            raise Mismatch(f"{where}: the array stopped: {stop}")
        memory.expect(run)
        got, expected = await self.host.dump(), memory.memory
        wrong = np.flatnonzero(got != expected)
        if len(wrong):
            first = int(wrong[0])
            raise Mismatch(
                f"{where}: {memory.name_of(run, first)} is {got[first]}, expected {expected[first]}; "
                f"{len(wrong)} of {len(expected)} bytes differ",
                len(wrong),
            )
        counters = await self.host.counters()
        clipped = tuple(counters[counter] for counter in _CLIPPED)
        if clipped != run.clipped:
            raise Mismatch(f"{where}: outputs, masters and MAC weights clipped: {clipped}, expected {run.clipped}")
        for counter, name in _EXACT.items():
            if counters[counter] != getattr(predicted, name):
                raise Mismatch(f"{where}: {counter.name} is {counters[counter]}, predicted {getattr(predicted, name)}")
        return counters


@cocotb.test()
async def full_size(dut: Any) -> None:
    """The whole job."""
    job = LayersJob.load(Path(os.environ["EDGELOOM_TRAIN"]))
    try:
        await FullSize(Bench(dut, "full_size", 1, "clk"), job).run()
    except Mismatch as mismatch:
        mismatch.write(Path(job.directory))
        raise
