# SPDX-License-Identifier: Apache-2.0
"""`make train`: train in simulation, compare every bit with the model, report."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np

from flow import build
from flow.build import Design
from flow.paths import FlowError, alone_in, relative
from flow.provenance import provenance
from flow.train.report import write_report
from flow.train.request import Request
from flow.train.result import results, table
from flow.train.simulation import Outcome, design_of, options, simulate
from flow.train.twin import TwinProcess
from models.checkpoint import CheckpointError
from models.edge.interleaver import Connectivity
from tb.edge.train_files import PARAMS_IN, PREDICTIONS, SAMPLES
from tb.edge.train_state import CHECKPOINT, identity, load_checkpoint, steps

RESULT = "result.json"
WEIGHTS = "weights.npz"
REPORT = "report.html"


def train(request: Request, design: Design | None = None) -> int:
    """The whole job; exit status 0, 1 after a failure, 130 after an interrupt.

    Args:
        design: another design than the configuration's own (for tests that break it on purpose).

    Raises:
        FlowError: the user can mend it.
    """
    with alone_in(request.directory):
        return _train(request, design)


def _train(request: Request, design: Design | None) -> int:
    begin = time.monotonic()
    key = identity(request.config, request.samples)
    history: list[dict[str, Any]] = []
    if request.resume:
        history = _done_before(request)
    _headline(request)
    design = design or design_of(request.config)
    if not build.is_built(design, options(request.sim)):
        print("building the simulation, once per configuration …", flush=True)
    built = build.build(design, options(request.sim))
    build_seconds = time.monotonic() - begin
    with TwinProcess(request.path, request.samples, request.epochs) as twin:
        outcome = simulate(request, built, key, history)
        stopped = outcome.failure is not None or outcome.interrupted
        accuracies = [] if stopped else twin.result()
    result = results(request, outcome, accuracies)
    result |= provenance(request.replay(resume=False), request.path, request.sim)
    result |= {"build_seconds": build_seconds, "wall_seconds": time.monotonic() - begin - build_seconds}
    _save(request, outcome, result)
    print("\n".join(f"  {what:28} {value}" for what, value in table(result)))
    for name in (RESULT, WEIGHTS, REPORT):
        print(f"  {relative(request.directory / name)}")
    return _verdict(request, outcome)


def _done_before(request: Request) -> list[dict[str, Any]]:
    try:
        state = load_checkpoint(request.directory / CHECKPOINT, request.config, request.samples)[0]
    except CheckpointError as error:
        raise FlowError(str(error)) from None
    if state.next_step >= len(list(steps(request.config, request.data, request.samples, request.epochs))):
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


def _save(request: Request, outcome: Outcome, result: dict[str, Any]) -> None:
    directory = request.directory
    (directory / RESULT).write_text(json.dumps(result, indent=1) + "\n")
    connectivity = Connectivity.generate(request.config)
    arrays = dict(outcome.parameters)
    for i in range(len(request.config.junctions)):
        arrays[f"left_neuron_{i + 1}"] = connectivity.left_neuron(i)
    np.savez_compressed(directory / WEIGHTS, **arrays)
    if outcome.parameters:
        write_report(directory / REPORT, request.config, connectivity, outcome, result)
    if outcome.failure is None:
        for name in (SAMPLES, PREDICTIONS, PARAMS_IN):
            (directory / "run" / name).unlink(missing_ok=True)


def _verdict(request: Request, outcome: Outcome) -> int:
    done = outcome.state.next_step
    if outcome.failure is not None:
        print(f"FAIL  {request.config.name}: {outcome.failure}")
        print(f"  log: {relative(request.directory / 'run' / 'run.log')}")
        print(f"replay: {request.replay(resume=done > 0)}")
        return 1
    if outcome.interrupted:
        advice = f"go on with: {request.replay(resume=True)}" if outcome.parameters else "nothing to go on from"
        print(f"interrupted after {done} runs; {advice}")
        return 130
    print(f"pass  {request.config.name}: simulation and model are equal in every bit")
    return 0
