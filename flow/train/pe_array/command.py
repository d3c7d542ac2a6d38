# SPDX-License-Identifier: Apache-2.0
"""`make train-cnn`: steps of a training in simulation, every bit compared, and the rest of it in the model."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from flow.build import Design
from flow.paths import FlowError, relative
from flow.provenance import origin, versions
from flow.run_directory import CONFIG, RESULT, RunDirectory, Writer, alone_in, text_writer
from flow.runners import require_tools
from flow.train.edge.command import REPORT, WEIGHTS
from flow.train.edge.simulation import Interrupts
from flow.train.pe_array.report import report
from flow.train.pe_array.request import Request
from flow.train.pe_array.result import results, table
from flow.train.pe_array.simulation import SCRATCH, Outcome, Progress, simulate
from flow.train.watch import duration
from models.lib.checkpoint import CheckpointError
from models.lib.whole_file import write_text
from models.pe_array.training import job as train_job
from models.pe_array.training.job import CHECKPOINT, EVENTS, MISMATCH, Job, Record, places_of, simulation_is_over
from models.pe_array.training.trainer import Trainer, accuracies_of_pruning
from models.pe_array.training.weights_file import WeightsError, weight_arrays

_INITIAL = "initial.npz"


def train(request: Request, design: Design | None = None) -> int:
    """The whole job; exit status 0, 1 after a failure, 130 after an interrupt.

    Args:
        design: another design than the configuration's own (for tests that break it on purpose).

    Raises:
        FlowError: the user can mend it.
    """
    require_tools(request.sim)  # before results of the run before are gone
    with alone_in(request.directory):
        return _train(request, design)


def _train(request: Request, design: Design | None) -> int:
    directory = RunDirectory(request.directory, origin(request.replay(resume=False), request.path, request.text))
    request = _frozen(request, directory)
    try:
        trainer = train_job.trainer_of(request.config, request.job.samples, request.data)
    except WeightsError as error:
        raise FlowError(str(error)) from None
    record = _done_before(request.job, trainer)
    with directory.run(WEIGHTS, REPORT, MISMATCH, EVENTS, *([] if request.job.resume else [CHECKPOINT])):
        outcome = _run(request, design, directory, trainer, record)
    return _verdict(request, outcome)


def _frozen(request: Request, directory: RunDirectory) -> Request:
    """The request with copies of the user's files, which nobody edits while it runs. Raises FlowError."""
    run, initial = request.directory / "run", request.config.training.initial
    job = replace(request.job, config=str(run / CONFIG), initial=None if initial is None else str(run / _INITIAL))
    directory.scratch(job.save, (*SCRATCH, _INITIAL))
    write_text(run / CONFIG, request.text)
    config = request.config
    if initial is not None:
        config = train_job.with_initial(config, run / _INITIAL)
        try:
            weights = initial.read_bytes()
        except OSError as error:
            raise FlowError(f"{relative(initial)} cannot be read: {error.strerror}") from None
        (run / _INITIAL).write_bytes(weights)
    return replace(request, config=config, job=job)


def _run(
    request: Request, design: Design | None, directory: RunDirectory, trainer: Trainer, record: Record
) -> Outcome:  # fmt: skip
    """All that the checkpoint does not have yet, and the results."""
    begin, job = time.monotonic(), request.job
    _headline(request, trainer)
    outcome = Outcome()
    if not train_job.simulation_is_over(job, trainer, record):
        steps = sum(len(range(max(trainer.step, place.start), place.stop)) for place in places_of(job, trainer))
        outcome = simulate(job, request.params, request.sim, Progress(steps, job.batches), design)
        if (request.directory / CHECKPOINT).is_file():
            record = train_job.load(job, trainer)
    if outcome == Outcome() and not train_in_model(trainer, job, record):
        outcome = Outcome(interrupted=True)
    test = trainer.classes(train_job.images_to_test(request.config, request.data)) if outcome == Outcome() else None
    result = results(request, outcome, trainer, record, test)
    result |= _start(request) | directory.origin | {"versions": versions(request.sim)}
    result |= {"wall_seconds": time.monotonic() - begin}
    arrays = weight_arrays(trainer.network)
    files: dict[str, Writer] = {WEIGHTS: lambda file: np.savez_compressed(file, **arrays)}  # type: ignore[arg-type]
    if record.steps:
        files[REPORT] = text_writer(report(request, trainer.network, result))
    directory.publish(result, files)
    print("\n".join(f"  {what:30} {value}" for what, value in table(result)))
    for name in (RESULT, WEIGHTS, REPORT, CHECKPOINT):
        if (request.directory / name).is_file():
            print(f"  {relative(request.directory / name)}")
    return outcome


def _done_before(job: Job, trainer: Trainer) -> Record:
    """Go on from the checkpoint if the user wants that; what was simulated. Raises FlowError."""
    if not job.resume:
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
    dense, pruned = accuracies_of_pruning(request.config, train_job.images_to_test(request.config, request.data))
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
