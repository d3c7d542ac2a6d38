# SPDX-License-Identifier: Apache-2.0
"""Blocks of networks of others, compiled and simulated: every byte of the memory and every clock is compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from flow.build import Design, Options
from flow.paths import make_command, relative
from flow.run_directory import JOB, RESULT, RunDirectory, alone_in
from flow.runners import require_tools
from flow.simulate import LOG, RESULTS
from flow.train.simulation import built, play
from models.lib.job_file import EVENTS, MISMATCH
from models.pe_array.frontend.api import Compiled, compile
from models.pe_array.frontend.block_job import AFTER, BlockJob
from models.pe_array.frontend.executed import compare, execute
from models.pe_array.frontend.job import LATENCY, OUTSTANDING
from models.pe_array.frontend.program_file import MEMORY, PROGRAM
from models.pe_array.isa import assumed
from models.pe_array.training import harness
from models.pe_array.training.harness import HARNESS, MEMORY_IN, MEMORY_OUT
from studies import full_size, published

_BENCH = "tb.pe_array.runs.block"
_CALIBRATION = 4
"""Batches of inputs that scales follow from."""


@dataclass(frozen=True)
class Block:
    """What is simulated.

    Attributes:
        name, what: of the block.
        model: makes it, as ONNX.
        directory: where the results go.
        pes, lanes: of the array; words: beats of its memory.
    """

    name: str
    what: str
    model: Callable[[], onnx.ModelProto]
    directory: Path
    pes: int = published.PES
    lanes: int = published.LANES
    words: int = full_size.WORDS

    @classmethod
    def named(cls, name: str, directory: Path) -> Block:
        """One of ``studies.full_size.BLOCKS``."""
        return cls(name, *full_size.BLOCKS[name], directory / name)

    @property
    def replay(self) -> str:
        """The command that does it again."""
        return make_command("full-size", f"LAYERS={self.name}")


class _Progress:
    """The batch, as it ends."""

    def take(self, event: dict[str, Any]) -> str:
        """Its line."""
        return f"{event['clocks']:,} clocks as predicted, {event['compared']:,} bytes equal, {event['seconds']:.1f} s"

    def line(self) -> str:
        """Where the simulation is now."""
        return "one batch"


def simulate(blocks: Iterable[Block], sim: str = "verilator", design: Design | None = None) -> int:
    """All of them; exit status 0, or 1 after a failure.

    Args:
        design: another design than the harness (for tests that break it on purpose).

    Raises:
        FlowError: the user can mend it.
    """
    require_tools(sim)  # before results of the run before are gone
    for block in blocks:
        block.directory.mkdir(parents=True, exist_ok=True)
        with alone_in(block.directory):
            directory = RunDirectory(block.directory, {"command": block.replay})
            with directory.run(MISMATCH, EVENTS):
                failure = _simulate(block, sim, design, directory)
        if failure is not None:
            log = relative(block.directory / "run" / LOG)
            print(f"FAIL  {block.name}: {failure}\n  log: {log}\nreplay: {block.replay}")
            return 1
    return 0


def _simulate(block: Block, sim: str, design: Design | None, directory: RunDirectory) -> str | None:
    """What went wrong."""
    print(f"{block.name}: {block.what}, on {block.pes} PEs of {block.lanes} MACs, {sim}", flush=True)
    compiled, memory, after, values = _executed(block)
    job = BlockJob(str(block.directory), str(block.directory / "run"))
    run = directory.scratch(job.save, (LOG, RESULTS, MEMORY_IN, MEMORY_OUT, PROGRAM, MEMORY, AFTER))
    compiled.program().save(run, memory)
    job.save_after(after)
    made = design or Design.of(HARNESS, _parameters(block, compiled))
    options = Options(sim, fast=True, blocks=("pe",) if sim == "verilator" else ())
    outcome = play(_BENCH, made, sim, built(made, options, "size; many PEs take some minutes"), run / JOB, _Progress())
    if outcome.interrupted:
        raise KeyboardInterrupt
    path = block.directory / EVENTS
    events = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    failure = outcome.failure or (None if events else "the batch did not run")
    result: dict[str, Any] = {
        "complete": failure is None, "failure": failure, "name": block.name, "what": block.what, "pes": block.pes,
        "lanes": block.lanes, "latency": LATENCY, "values": values, "mismatches": outcome.mismatches,
        "clocks_predicted": compiled.clocks().clocks, "report": compiled.report(),
    }  # fmt: skip
    if failure is None:
        result |= {"bytes_compared": events[0]["compared"], "clocks": events[0]["clocks"], "event": events[0]}
        _print(result)
    directory.publish(result, {})
    print(f"  {relative(directory.directory / RESULT)}")
    return failure


def _executed(block: Block) -> tuple[Compiled, Any, Any, int]:
    """The compiled block, its memory with a batch in it, the same after the machine, and values of maps compared."""
    model, rng = block.model(), np.random.default_rng(1)
    shape = [each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    x = np.abs(rng.normal(0.0, 1.0, (_CALIBRATION * block.lanes, *shape))).astype(np.float32)  # as behind a ReLU
    compiled = compile(model, x, batch=block.lanes, pes=block.pes)
    images = np.ascontiguousarray(compiled.quantise_pictures(x[: block.lanes]).transpose(1, 2, 3, 0))
    after = execute(compiled, images)
    memory = compiled.memory.memory.copy()
    compiled.program().put(memory, images)
    return compiled, memory, after, compare(compiled, images, after)


def _parameters(block: Block, compiled: Compiled) -> dict[str, int | str]:
    """HDL parameters: those of `make full-size`, so that nothing is built twice."""
    step, widths = compiled.step, compiled.network.config.widths
    if step.allocation.size > block.words * block.lanes:
        raise ValueError(f"{block.name} needs {step.allocation.size:,} bytes of memory")
    return dict(harness.parameters(step.grid, block.words, 4, LATENCY, OUTSTANDING, widths))


def _print(result: dict[str, Any]) -> None:
    report = result["report"]
    for layer in report["layers"]:
        print(f"  {layer['name']:14} {layer['clocks']:>9,} clocks, MACs in use {layer['utilisation']:.1%}")
    micros = result["clocks"] / assumed.CLOCK_MHZ
    print(
        f"pass  {result['name']}: {result['bytes_compared']:,} bytes of memory equal to the machine's, whose "
        f"{result['values']:,} values of maps are those of the layers; {result['clocks']:,} clocks, predicted "
        f"{result['clocks_predicted']:,}; {micros:,.1f} µs at {assumed.clock()}"
    )
