# SPDX-License-Identifier: Apache-2.0
"""`make train-cnn`: steps of a training in simulation, every bit compared, and the rest of it in the model."""

from __future__ import annotations

import json
import time
from typing import Any

from flow.build import Design
from flow.paths import alone_in, relative
from flow.train.watch import duration
from flow.train_cnn.report import write_report
from flow.train_cnn.request import Request
from flow.train_cnn.result import results, table
from flow.train_cnn.simulation import Outcome, Progress, simulate
from models.pe_array.training import Trainer
from tb.pe_array import train_job
from tb.pe_array.train_job import CHECKPOINT, simulated_steps

RESULT = "result.json"
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
    config, job = request.config, request.job
    trainer = train_job.trainer_of(config, job.samples)
    places = simulated_steps(config.training.prune_at, job.steps, job.epochs * trainer.steps_per_epoch)
    named = " and ".join(f"{steps.start:,} … {steps.stop - 1:,}" for steps in places)
    print(
        f"{config.name}: {len(config.layers)} layers, {config.pes} PEs of {config.training.batch} MACs, {request.sim}; "
        f"steps {named} of {job.epochs * trainer.steps_per_epoch:,} in simulation",
        flush=True,
    )
    begin = time.monotonic()
    progress = Progress(sum(map(len, places)), job.batches)
    outcome = simulate(job, request.params, request.sim, progress, design)
    simulated = time.monotonic() - begin
    curve: list[dict[str, Any]] = []
    accuracy = None
    if outcome.failure is None:
        trainer.load(request.directory / CHECKPOINT)
        curve = _rest(trainer, job.epochs)
        accuracy = trainer.accuracy(train_job.images_to_test())
    result = results(request, outcome, curve, accuracy) | {"simulation_wall_seconds": simulated}
    (request.directory / RESULT).write_text(json.dumps(result, indent=1) + "\n")
    if outcome.steps:
        write_report(request.directory / REPORT, request, trainer.network, outcome, result)
    print("\n".join(f"  {what:30} {value}" for what, value in table(result)))
    for path in (request.directory / RESULT, request.directory / REPORT, request.directory / CHECKPOINT):
        if path.is_file():
            print(f"  {relative(path)}")
    return _verdict(request, outcome)


def _rest(trainer: Trainer, epochs: int) -> list[dict[str, Any]]:
    """Train in the model to the end; what each epoch, or what was left of it, gave. Leaves the trained network."""
    curve = []
    while trainer.step < epochs * trainer.steps_per_epoch:
        first = trainer.step
        result = trainer.train_epoch()
        curve.append({"epoch": result.epoch + 1, "first_step": first, "correct": result.correct,
                      "density": result.density})  # fmt: skip
        print(
            f"epoch {result.epoch + 1} of {epochs}, in the model from step {first:,}: {result.correct:.2%} right while "
            f"training, {result.density:.1%} of the weights, {duration(result.seconds)}",
            flush=True,
        )
    return curve


def _verdict(request: Request, outcome: Outcome) -> int:
    if outcome.failure is not None:
        print(f"FAIL  {request.config.name}: {outcome.failure}")
        print(f"  log: {relative(request.directory / 'run' / 'run.log')}")
        print(f"replay: {request.replay}")
        return 1
    print(f"pass  {request.config.name}: simulation and model are equal in every bit")
    return 0
