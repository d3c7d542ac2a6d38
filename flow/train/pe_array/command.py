# SPDX-License-Identifier: Apache-2.0
"""`make train-cnn`: steps of a training in simulation, every bit compared, and the rest of it in the model."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from flow.build import Design
from flow.paths import FlowError
from flow.provenance import versions
from flow.run_directory import CONFIG, RunDirectory, Writer, text_writer
from flow.train import command
from flow.train.command import REPORT, WEIGHTS
from flow.train.pe_array.report import report
from flow.train.pe_array.request import Request
from flow.train.pe_array.result import results, table
from flow.train.pe_array.simulation import SCRATCH, Progress, simulate
from flow.train.simulation import Interrupts, Outcome
from flow.train.watch import duration
from models.lib.checkpoint import CheckpointError
from models.lib.job_file import CHECKPOINT
from models.lib.whole_file import write_text
from models.pe_array.network.config import PeConfig
from models.pe_array.training.job import ArrayJob, Record, load, places_of, save, simulation_is_over, with_initial
from models.pe_array.training.trainer import Trainer, accuracies_of_pruning
from models.pe_array.training.weights_file import save_weights, weight_arrays

_INITIAL = "initial.npz"


def train(request: Request, design: Design | None = None) -> int:
    """The whole job; exit status 0, 1 after a failure, 130 after an interrupt.

    Args:
        design: another design than the configuration's own (for tests that break it on purpose).

    Raises:
        FlowError: the user can mend it.
    """
    return command.train(request, lambda directory: _train(request, design, directory))


def _train(request: Request, design: Design | None, directory: RunDirectory) -> int:
    request = _frozen(request, directory)
    record = _done_before(request.job, request.trainer)
    with directory.run(*command.stale(request)):
        outcome = _run(request, design, directory, record)
    return command.verdict(request, request.config.name, outcome, (request.directory / CHECKPOINT).is_file())


def _frozen(request: Request, directory: RunDirectory) -> Request:
    """The request with files of what was read, which nobody edits while it runs: text, and weights to begin with."""
    run, config = request.directory / "run", request.config
    begins = config.training.initial is not None
    job = replace(request.job, config=str(run / CONFIG), initial=str(run / _INITIAL) if begins else None)
    directory.scratch(job.save, (*SCRATCH, _INITIAL))
    write_text(run / CONFIG, request.text)
    if begins:
        save_weights(run / _INITIAL, request.trainer.network)
        config = with_initial(config, run / _INITIAL)
    return replace(request, config=config, job=job)


def _run(request: Request, design: Design | None, directory: RunDirectory, record: Record) -> Outcome:
    """All that the checkpoint does not have yet, and the results."""
    begin, job, trainer = time.monotonic(), request.job, request.trainer
    _headline(request)
    outcome = Outcome()
    if not simulation_is_over(job, trainer, record):
        steps = sum(len(range(max(trainer.step, place.start), place.stop)) for place in places_of(job, trainer))
        outcome = simulate(request, Progress(steps, job.batches), design)
        if (request.directory / CHECKPOINT).is_file():
            record = load(job, trainer)
    if outcome.is_well and not train_in_model(trainer, job, record):
        outcome = Outcome(interrupted=True)
    test = trainer.classes(request.data.test) if outcome.is_well else None
    result = results(request, outcome, record, test) | _start(request)
    result |= directory.origin | {"versions": versions(request.sim), "wall_seconds": time.monotonic() - begin}
    arrays = weight_arrays(trainer.network)
    files: dict[str, Writer] = {WEIGHTS: lambda file: np.savez_compressed(file, **arrays)}  # type: ignore[arg-type]
    if record.steps:
        files[REPORT] = text_writer(report(request, trainer.network, result))
    command.publish(directory, result, files, table(result))
    return outcome


def _done_before(job: ArrayJob, trainer: Trainer) -> Record:
    """Go on from the checkpoint if the user wants that; what was simulated. Raises FlowError."""
    if not job.resume:
        return Record()
    try:
        record = load(job, trainer)
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
    """Accuracy on the test set of trained weights that the training began with, dense and, if ever, pruned at once."""
    if request.config.training.initial is None:
        return {}
    dense, pruned = accuracies_of_pruning(request.config, request.data.test)
    return {"initial_test_accuracy": dense} | ({} if pruned is None else {"pruned_test_accuracy": pruned})


def _headline(request: Request) -> None:
    config, job, trainer = request.config, request.job, request.trainer
    named = " and ".join(f"{steps.start:,} … {steps.stop - 1:,}" for steps in places_of(job, trainer))
    print(
        f"{config.name}: {len(config.layers)} layers, {_arrays(config)}{config.pes} PEs "
        f"of {config.training.batch} MACs, {request.sim}; "
        f"steps {named} of {job.epochs * trainer.steps_per_epoch:,} in simulation"
        + (f"; going on from step {trainer.step:,}" if job.resume else ""),
        flush=True,
    )


def _arrays(config: PeConfig) -> str:
    return "" if config.arrays == 1 else f"{config.arrays} arrays of "


def train_in_model(trainer: Trainer, job: ArrayJob, record: Record) -> bool:
    """Train in the model to the end, with a checkpoint after every epoch; False if the user stopped it."""
    with Interrupts() as interrupts:
        begin, first = time.monotonic(), trainer.step
        while trainer.step < job.epochs * trainer.steps_per_epoch:
            trainer.train_step()
            if interrupts.count:
                if trainer.empty:
                    save(job, trainer, record)
                else:  # batches under way are not kept: results are of where RESUME=1 goes on
                    load(job, trainer)
                return False
            if trainer.step % trainer.steps_per_epoch == 0:
                save(job, trainer, record)
                epoch = trainer.history[-1]
                print(
                    f"epoch {len(trainer.history)} of {job.epochs}, in the model from step {first:,}: "
                    f"{epoch.correct / epoch.images:.2%} right while training, loss {epoch.loss / epoch.images:.3f}, "
                    f"{epoch.density:.1%} of the weights, {duration(time.monotonic() - begin)}",
                    flush=True,
                )
                begin, first = time.monotonic(), trainer.step
    return True
