# SPDX-License-Identifier: Apache-2.0
"""`make infer`: test pictures through the array in simulation or the model of the machine, all outputs compared."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import Any

import numpy as np

from flow import build
from flow.build import Design, Options
from flow.compile.command import compiled_of, reference, versions
from flow.compile.command import origin as origin_of
from flow.infer.report import page
from flow.infer.request import MODEL, Request
from flow.infer.result import results, table
from flow.paths import FlowError, relative
from flow.run_directory import JOB, RESULT, RunDirectory, alone_in, text_writer
from flow.runners import require_tools
from flow.simulate import LOG, RESULTS
from flow.train.command import REPORT
from flow.train.simulation import Outcome, built, play
from flow.train.watch import bar, duration
from models.lib.checkpoint import CheckpointError
from models.lib.command_line import INTERRUPTED
from models.lib.job_file import CHECKPOINT, EVENTS, MISMATCH
from models.lib.telling import Telling
from models.pe_array.frontend.api import Compiled
from models.pe_array.frontend.job import BATCHES, InferenceJob, parameters, save_batches
from models.pe_array.frontend.program_file import MEMORY, PROGRAM, Bytes, InferenceProgram, Int8Array
from models.pe_array.machine.machine import Machine
from models.pe_array.training.harness import HARNESS, MEMORY_IN, MEMORY_OUT

_BENCH = "tb.pe_array.runs.infer"
_WHOLE = 128
"""MACs of the largest array that Verilator compiles as one; of larger ones a PE is compiled once, for all of them."""
_FILES = (LOG, RESULTS, MEMORY_IN, MEMORY_OUT, BATCHES, PROGRAM, MEMORY)
"""What a run leaves in its scratch directory."""


class Progress:
    """The batches, as they end."""

    def __init__(self, batches: int, before: int = 0) -> None:
        """
        Args:
            before: batches that are not to be done again.
        """
        self.batches, self.before, self.done, self.start = batches, before, before, time.monotonic()

    def take(self, event: dict[str, Any]) -> str:
        """The line of a batch that is right."""
        self.done += 1
        return (
            f"batch {event['batch']:,}: {event['compared']:,} values equal, {event['clocks']:,} clocks as predicted, "
            f"{event['seconds']:.1f} s"
        )

    def line(self) -> str:
        """Where the simulation is now."""
        rate = (self.done - self.before) / (time.monotonic() - self.start)
        left = duration((self.batches - self.done) / rate) if rate else "?"
        return f"{bar(self.done, self.batches)} {self.done}/{self.batches} batches  ETA {left}"


def run(request: Request, design: Design | None = None) -> int:
    """The whole command; exit status 0, 1 after a failure, 130 after an interrupt.

    Args:
        design: another design than the harness (for tests that break it on purpose).

    Raises:
        FlowError: the user can mend it.
    """
    if request.sim != MODEL:
        require_tools(request.sim)  # before results of the run before are gone
    with alone_in(request.directory):
        directory = RunDirectory(request.directory, origin_of(request.compilation) | {"command": request.replay()})
        begun = () if request.resume or request.sim == MODEL else (CHECKPOINT,)
        with directory.run(REPORT, MISMATCH, EVENTS, *begun):
            outcome, result = _run(request, design, directory)
    print("\n".join(f"  {what:34} {value}" for what, value in table(result)))
    for name in (RESULT, REPORT):
        print(f"  {relative(request.directory / name)}")
    if outcome.failure is not None:
        print(f"FAIL  {request.name}: {outcome.failure}")
        if request.sim != MODEL:
            print(f"  log: {relative(request.directory / 'run' / LOG)}")
        print(f"replay: {request.replay()}")
        return 1
    if outcome.interrupted:
        print(f"interrupted; go on with: {request.replay(resume=True)}")
        return INTERRUPTED
    print(f"pass  {request.name}: {_who(request)} and model are equal in every output")
    return 0


def _who(request: Request) -> str:
    return "machine" if request.sim == MODEL else "simulation"


def _run(request: Request, design: Design | None, directory: RunDirectory) -> tuple[Outcome, dict[str, Any]]:
    """How it ended, and what result.json holds."""
    begin, compilation = time.monotonic(), request.compilation
    compiled = compiled_of(compilation)
    source, pictures = compilation.source, request.pictures
    assert source is not None
    x = source.floats(pictures.images)
    with Telling() as tell:
        compiled.tell = lambda what: tell(f"{request.name}: {what}")
        try:
            clocks = compiled.clocks().clocks
            compiled.tell(f"classifying {len(x):,} pictures")
            q = compiled.quantise_pictures(x)
            outputs = compiled.predict_bytes(q)
            classes = {"array": outputs.argmax(axis=1)}
            classes |= {name: each.classes(x) for name, each in reference(compiled).items()}
        except ValueError as error:
            raise FlowError(f"{relative(compilation.path)}: {error}") from None
    images, expected = _batched(compiled, q, outputs)
    print(
        f"{request.name}: {len(x):,} pictures, {len(images):,} batches on {compilation.pes} PEs of {compilation.batch} "
        f"MACs, {request.sim}",
        flush=True,
    )
    if request.sim == MODEL:
        outcome, events = _machine(compiled, images, expected)
    else:
        outcome, events = _simulated(request, design, directory, compiled, images, expected)
    result = results(request, compiled, outcome, events, classes, clocks)
    result |= {"versions": versions(), "wall_seconds": time.monotonic() - begin}
    directory.publish(result, {REPORT: text_writer(page(result | directory.origin))})
    return outcome, result


def _batched(compiled: Compiled, q: Int8Array, outputs: Int8Array) -> tuple[Int8Array, Int8Array]:
    """Whole batches: images int8 (n, C, H, W, B), outputs int8 (n, classes, B); the last has its first again."""
    size = compiled.network.config.batch
    rows = np.arange(-(-len(q) // size) * size)
    rows[len(q) :] = (len(q) - 1) // size * size
    return (
        np.ascontiguousarray(q[rows].reshape(-1, size, *q.shape[1:]).transpose(0, 2, 3, 4, 1)),
        np.ascontiguousarray(outputs[rows].reshape(-1, size, outputs.shape[1]).transpose(0, 2, 1)),
    )


def _machine(compiled: Compiled, images: Int8Array, expected: Int8Array) -> tuple[Outcome, list[dict[str, Any]]]:
    """The program, executed by the machine's model."""
    program, image = compiled.program(), compiled.memory.memory
    memory = image.copy()
    machine = Machine(program.pes, program.grid.shape, memory, program.base, widths=program.widths)
    machine.memory.read_window, machine.memory.write_window = program.read_window, program.write_window
    events: list[dict[str, Any]] = []
    progress = Progress(len(images))
    with Telling() as tell:
        for number, (batch, outputs) in enumerate(zip(images, expected, strict=True)):
            memory[:] = image
            program.put(memory, batch)
            begin = time.monotonic()
            stop = machine.run(program.address, program.length)
            if stop is not None:
                return Outcome(failure=f"batch {number}: the machine stopped: {stop}"), events
            wrong = int((program.outputs(memory) != outputs).sum())
            if wrong:
                failure = f"batch {number}: {wrong} of {outputs.size} outputs differ"
                return Outcome(failure=failure, mismatches=wrong), events
            events.append({
                "batch": number, "compared": outputs.size, "clocks": program.clocks,
                "seconds": time.monotonic() - begin,
            })  # fmt: skip
            progress.done += 1
            tell(progress.line())
    return Outcome(), events


def _simulated(
    request: Request, design: Design | None, directory: RunDirectory, compiled: Compiled, images: Int8Array,
    expected: Int8Array,
) -> tuple[Outcome, list[dict[str, Any]]]:  # fmt: skip
    """The program in a simulator."""
    program, run = compiled.program(), request.directory / "run"
    made = design or Design.of(HARNESS, dict(parameters(program)))
    whole = request.sim != "verilator" or request.compilation.batch * request.compilation.pes <= _WHOLE
    options = Options(request.sim, fast=True, blocks=() if whole else ("pe",))
    identity = _identity(program, compiled.memory.memory, images, expected, build.directory(made, options).name)
    job = InferenceJob(str(request.directory), str(run), str(run / BATCHES), identity, request.resume)
    done = _done(job)
    directory.scratch(job.save, _FILES)
    program.save(run, compiled.memory.memory)
    save_batches(run / BATCHES, images, expected)
    if len(done) == len(images):
        return Outcome(), done
    if done:
        print(f"going on behind batch {len(done) - 1:,}", flush=True)
    progress = Progress(len(images), len(done))
    outcome = play(_BENCH, made, request.sim, built(made, options, "network"), run / JOB, progress)
    if (request.directory / CHECKPOINT).is_file():
        done = _done(replace(job, resume=True))
    if outcome.is_well and len(done) != len(images):
        outcome = Outcome(failure=f"{len(done)} batches ran, not {len(images)}")
    return outcome, done


def _done(job: InferenceJob) -> list[dict[str, Any]]:
    """Events of the batches in the checkpoint. Raises FlowError."""
    try:
        return job.load_done()
    except CheckpointError as error:
        raise FlowError(str(error)) from None


def _identity(
    program: InferenceProgram, memory: Bytes, images: Int8Array, expected: Int8Array, simulator: str
) -> str:  # fmt: skip
    """A digest of all that the outcome depends on; ``simulator``: name of the build, a digest of the RTL itself."""
    digest = hashlib.sha256(f"{program} {simulator}".encode())
    for each in (memory, images, expected):
        digest.update(each.tobytes())
    return digest.hexdigest()
