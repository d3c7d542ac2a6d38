# SPDX-License-Identifier: Apache-2.0
"""`make train-cnn`: steps of a training in simulation, every bit compared, and the rest of it in the model."""

from __future__ import annotations

import json
import time
from pathlib import Path

from flow.build import Design
from flow.paths import FlowError, alone_in, relative
from flow.provenance import provenance
from flow.train.simulation import Interrupts
from flow.train.watch import duration
from flow.train_cnn.report import write_report
from flow.train_cnn.request import Request
from flow.train_cnn.result import results, table
from flow.train_cnn.simulation import Outcome, Progress, simulate
from models.checkpoint import CheckpointError
from models.pe_array.training import Trainer, accuracies_of_pruning
from models.pe_array.weights_file import save_weights
from tb.pe_array import train_job
from tb.pe_array.train_job import CHECKPOINT, Job, Record, places_of, simulation_is_over

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
    config, job = request.config, request.job
    begin = time.monotonic()
    trainer = train_job.trainer_of(config, job.samples)
    record = _done_before(job, trainer)
    _headline(request, trainer)
    outcome = Outcome()
    if not train_job.simulation_is_over(job, trainer, record):
        steps = sum(len(range(max(trainer.step, place.start), place.stop)) for place in places_of(job, trainer))
        outcome = simulate(job, request.params, request.sim, Progress(steps, job.batches), design)
        if (request.directory / CHECKPOINT).is_file():
            record = train_job.load(job, trainer)
    if outcome == Outcome() and not train_in_model(trainer, job, record):
        outcome = Outcome(interrupted=True)
    test = trainer.classes(train_job.images_to_test(config)) if outcome == Outcome() else None
    result = results(request, outcome, trainer, record, test)
    result |= _start(request)
    result |= provenance(request.replay(resume=False), request.path, request.sim)
    result |= {"wall_seconds": time.monotonic() - begin}
    save_weights(request.directory / WEIGHTS, trainer.network)
    (request.directory / RESULT).write_text(json.dumps(result, indent=1) + "\n")
    if record.steps:
        write_report(request.directory / REPORT, request, trainer.network, result)
    print("\n".join(f"  {what:30} {value}" for what, value in table(result)))
    for name in (RESULT, WEIGHTS, REPORT, CHECKPOINT):
        if (request.directory / name).is_file():
            print(f"  {relative(request.directory / name)}")
    return _verdict(request, outcome)


def _done_before(job: Job, trainer: Trainer) -> Record:
    """Go on from the checkpoint if the user wants that, else remove it; what was simulated. Raises FlowError."""
    if not job.resume:
        (Path(job.directory) / CHECKPOINT).unlink(missing_ok=True)
        return Record()
    try:
        record = train_job.load(job, trainer)
    except CheckpointError as error:
        raise FlowError(str(error)) from None
    simulated = {step["step"] for step in record.steps}
    skipped = [n for place in places_of(job, trainer) for n in place if n < trainer.step and n not in simulated]
    if skipped:
        raise FlowError(
            f"RESUME=1: the training is at step {trainer.step:,}, but step {skipped[0]:,} was not simulated: "
            f"give STEPS and EPOCHS as before, or train anew without RESUME"
        )
    if trainer.step >= job.epochs * trainer.steps_per_epoch and simulation_is_over(job, trainer, record):
        raise FlowError(
            f"RESUME=1: nothing is left to do, {len(trainer.history)} of EPOCHS={job.epochs} are done; give more EPOCHS"
        )
    return record


def _start(request: Request) -> dict[str, float]:
    """Accuracy on the test set of trained weights that the training began with, dense and pruned at once."""
    if request.config.training.initial is None:
        return {}
    dense, pruned = accuracies_of_pruning(request.config, train_job.images_to_test(request.config))
    return {"initial_test_accuracy": dense, "pruned_test_accuracy": pruned}


def _headline(request: Request, trainer: Trainer) -> None:
    config, job = request.config, request.job
    named = " and ".join(f"{steps.start:,} … {steps.stop - 1:,}" for steps in places_of(job, trainer))
    print(
        f"{config.name}: {len(config.layers)} layers, {config.pes} PEs of {config.training.batch} MACs, {request.sim}; "
        f"steps {named} of {job.epochs * trainer.steps_per_epoch:,} in simulation"
        + (f"; going on from step {trainer.step:,}" if job.resume else ""),
        flush=True,
    )


def train_in_model(trainer: Trainer, job: Job, record: Record) -> bool:
    """Train in the model to the end, with a checkpoint after every epoch; False if the user stopped it."""
    with Interrupts() as interrupts:
        begin, first = time.monotonic(), trainer.step
        while trainer.step < job.epochs * trainer.steps_per_epoch:
            trainer.train_step()
            if interrupts.count:
                train_job.save(job, trainer, record)
                return False
            if trainer.step % trainer.steps_per_epoch == 0:
                train_job.save(job, trainer, record)
                epoch = trainer.history[-1]
                print(
                    f"epoch {len(trainer.history)} of {job.epochs}, in the model from step {first:,}: "
                    f"{epoch.correct / epoch.images:.2%} right while training, loss {epoch.loss / epoch.images:.3f}, "
                    f"{epoch.density:.1%} of the weights, {duration(time.monotonic() - begin)}",
                    flush=True,
                )
                begin, first = time.monotonic(), trainer.step
    return True


def _verdict(request: Request, outcome: Outcome) -> int:
    left = (request.directory / CHECKPOINT).is_file()
    if outcome.failure is not None:
        print(f"FAIL  {request.config.name}: {outcome.failure}")
        print(f"  log: {relative(request.directory / 'run' / 'run.log')}")
        print(f"replay: {request.replay(resume=left)}")
        return 1
    if outcome.interrupted:
        print(f"interrupted; {f'go on with: {request.replay(resume=True)}' if left else 'nothing to go on from'}")
        return 130
    print(f"pass  {request.config.name}: simulation and model are equal in every bit")
    return 0
