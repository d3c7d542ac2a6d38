# SPDX-License-Identifier: Apache-2.0
"""What the user asked `make train-cnn` for, checked before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from flow.ask import simulator
from flow.config_file import load_pe
from flow.paths import BUILD, FlowError, in_build, relative
from flow.train.request import TrainingRequest, count, given, resumes
from models.lib.data_sets.data_set import DataError
from models.lib.telling import Telling
from models.pe_array.network.config import EPOCHS_MAX, PeConfig
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.job import ArrayJob, parameters, with_initial
from models.pe_array.training.trainer import Trainer
from models.pe_array.training.weights_file import WeightsError

STEPS = 10
"""Simulated steps in each place, where the user does not say."""
BATCHES = 8
"""Batches of test images that are simulated, at most; no more than steps."""


@dataclass(frozen=True, kw_only=True)
class Request(TrainingRequest[PeConfig]):
    """A training.

    Attributes:
        params: HDL parameters of the array.
        job: for the simulation.
        trainer: before the first step: all of the training that is not simulated is its.
        data: what is trained on and tested with.
    """

    command: ClassVar[str] = "train-cnn"
    params: dict[str, int | str]
    job: ArrayJob
    trainer: Trainer
    data: TrainingImages


def request(
    config: str, steps: str = "", epochs: str = "", samples: str = "", sim: str = "verilator",
    resume: str = "", directory: Path | None = None,
) -> Request:  # fmt: skip
    """Check the variables of the make command line; empty ones have their default. Raises FlowError."""
    simulator(sim)
    going_on = resumes(resume)
    with Telling() as tell:
        tell(f"{config}: checking the network")
        file = load_pe(config)
    path, loaded = file.path, file.config
    at_once = count("STEPS", steps, STEPS, 1, 100_000, "simulated steps in each place")
    batch, step = loaded.training.batch, loaded.step_images
    number = count("EPOCHS", epochs, loaded.training.epochs, 1, EPOCHS_MAX, "epochs of the whole training")
    if loaded.training.initial is not None:
        loaded = with_initial(loaded, in_build(loaded.training.initial))
    try:
        with Telling() as tell:
            tell(f"{loaded.name}: making the network")
            data = TrainingImages.load(loaded)
            most = len(data.train)
            images = count("SAMPLES", samples, most, step, most, "training images, at least a batch")
            trainer = Trainer(loaded, data.train[:images])
            loaded = trainer.config
            params: dict[str, int | str] = dict(parameters(loaded, lambda what: tell(f"{loaded.name}: {what}")))
    except (DataError, ValueError, WeightsError) as error:
        raise FlowError(f"{relative(path)}: {error}") from None
    target = directory or BUILD / "train" / loaded.name
    return Request(
        path=path,
        text=file.text,
        config=loaded,
        sim=sim,
        epochs=number,
        samples=images,
        resume=going_on,
        asked=given(path, sim, STEPS=steps, EPOCHS=epochs, SAMPLES=samples),
        directory=target,
        params=params,
        job=ArrayJob(
            str(path),
            str(target),
            number,
            at_once,
            min(at_once, BATCHES, len(data.test) // batch),
            images,
            going_on,
            str(path.parent),
            data.train.source,
        ),
        trainer=trainer,
        data=data,
    )
