# SPDX-License-Identifier: Apache-2.0
"""`make train`: train in simulation, compare every bit with the model, report."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from flow.build import Design
from flow.paths import FlowError
from flow.provenance import versions
from flow.run_directory import CONFIG, JOB, RunDirectory, Writer, text_writer
from flow.train import command
from flow.train.command import REPORT, WEIGHTS
from flow.train.edge.report import report
from flow.train.edge.request import Request
from flow.train.edge.result import results, table
from flow.train.edge.simulation import SCRATCH, EdgeOutcome, design_of, options, simulate
from flow.train.edge.twin import TwinProcess
from flow.train.simulation import built
from models.edge.harness_files import PARAMS_IN, PREDICTIONS, SAMPLES
from models.edge.interleaver import Connectivity
from models.edge.job import EdgeJob, identity, load_checkpoint, steps
from models.lib.checkpoint import CheckpointError
from models.lib.job_file import CHECKPOINT
from models.lib.whole_file import write_text


def train(request: Request, design: Design | None = None) -> int:
    """The whole job; exit status 0, 1 after a failure, 130 after an interrupt.

    Args:
        design: another design than the configuration's own (for tests that break it on purpose).

    Raises:
        FlowError: the user can mend it.
    """
    return command.train(request, lambda directory: _train(request, design, directory))


def _train(request: Request, design: Design | None, directory: RunDirectory) -> int:
    key = identity(request.config, request.samples, request.data)
    history = _done_before(request) if request.resume else []
    with directory.run(*command.stale(request)):
        outcome = _run(request, design, directory, key, history)
    done = outcome.state.next_step
    left = done > 0 if outcome.failure is not None else bool(outcome.parameters)
    return command.verdict(request, request.config.name, outcome, left, f" after {done} runs")


def _run(
    request: Request, design: Design | None, directory: RunDirectory, key: str, history: list[dict[str, Any]]
) -> EdgeOutcome:  # fmt: skip
    """From the frozen configuration to the results; `history` is what was done before."""
    begin = time.monotonic()
    config = request.directory / "run" / CONFIG
    job = EdgeJob(
        str(config), str(request.directory), request.samples, request.epochs, request.resume, str(request.path.parent),
        request.data.source,
    )  # fmt: skip
    run = directory.scratch(job.save, SCRATCH)
    write_text(config, request.text)
    _headline(request)
    design = design or design_of(request.config)
    program = built(design, options(request.sim))
    build_seconds = time.monotonic() - begin
    accuracies: list[float] = []
    with TwinProcess(run / JOB) as twin:
        outcome = simulate(request, run / JOB, design, program, key, history)
        if outcome.is_well:
            try:
                accuracies = twin.result()
            except FlowError as error:
                outcome = dataclasses.replace(outcome, failure=str(error))
    result = results(request, outcome, accuracies) | directory.origin | {"versions": versions(request.sim)}
    result |= {"build_seconds": build_seconds, "wall_seconds": time.monotonic() - begin - build_seconds}
    command.publish(directory, result, _files(request, outcome, result), table(result))
    if outcome.failure is None:
        for name in (SAMPLES, PREDICTIONS, PARAMS_IN):
            (run / name).unlink(missing_ok=True)
    return outcome


def _done_before(request: Request) -> list[dict[str, Any]]:
    try:
        state = load_checkpoint(request.directory / CHECKPOINT, request.config, request.samples, request.data)[0]
    except CheckpointError as error:
        raise FlowError(str(error)) from None
    if state.next_step >= sum(1 for _ in steps(request.config, request.data, request.samples, request.epochs)):
        epochs = 1 + max(record["epoch"] for record in state.history)
        raise FlowError(
            f"RESUME=1: nothing is left to do, {epochs} of EPOCHS={request.epochs} are done; give more EPOCHS"
        )
    return state.history


def _headline(request: Request) -> None:
    config = request.config
    sizes = "-".join(map(str, config.layers))
    what = f"{request.epochs} {'epoch' if request.epochs == 1 else 'epochs'} of {request.samples:,} samples"
    print(f"{config.name}: {sizes}, {config.density:.1%} of the edges, {what}, {request.sim}", flush=True)


def _files(request: Request, outcome: EdgeOutcome, result: dict[str, Any]) -> dict[str, Writer]:
    """What writes the files beside RESULT."""
    connectivity = Connectivity.generate(request.config)
    arrays = dict(outcome.parameters)
    for i in range(len(request.config.junctions)):
        arrays[f"left_neuron_{i + 1}"] = connectivity.left_neuron(i)
    files: dict[str, Writer] = {WEIGHTS: lambda file: np.savez_compressed(file, **arrays)}
    if outcome.parameters:
        files[REPORT] = text_writer(report(request.config, connectivity, outcome, result))
    return files
