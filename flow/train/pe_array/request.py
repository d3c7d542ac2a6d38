# SPDX-License-Identifier: Apache-2.0
"""What the user asked `make train-cnn` for, checked before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flow.ask import simulator, whole_number
from flow.config_file import load_pe
from flow.paths import BUILD, FlowError, in_build, make_command, relative
from flow.train.edge.request import resumes
from models.lib import mnist
from models.lib.mnist import DataError, Mnist
from models.lib.telling import Telling
from models.pe_array.network.config import EPOCHS_MAX, PeConfig
from models.pe_array.training import job as train_job
from models.pe_array.training.job import Job
from models.pe_array.training.weights_file import WeightsError

STEPS = 10
"""Simulated steps in each place, where the user does not say."""
TRAINING_IMAGES = 60_000


@dataclass(frozen=True)
class Request:
    """A training.

    Attributes:
        path, config: the configuration file and what it says.
        params: HDL parameters of the array.
        sim: simulator.
        job: for the simulation.
        asked: the variables that the user gave, for the replay line.
        text: of the configuration file, as it was read.
        data: what is trained and tested on.
    """

    path: Path
    config: PeConfig
    params: dict[str, int | str]
    sim: str
    job: Job
    asked: tuple[str, ...]
    text: str
    data: Mnist

    @property
    def directory(self) -> Path:
        """Where everything is left."""
        return Path(self.job.directory)

    def replay(self, resume: bool) -> str:
        """The command that does it again, or goes on."""
        return make_command("train-cnn", *self.asked, *(["RESUME=1"] if resume else []))


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
    batch = loaded.training.batch
    count = whole_number("STEPS", steps, 1, 100_000, "simulated steps in each place") if steps else STEPS
    images = TRAINING_IMAGES
    if samples:
        images = whole_number("SAMPLES", samples, batch, TRAINING_IMAGES, "training images, at least a batch")
    number = loaded.training.epochs
    if epochs:
        number = whole_number("EPOCHS", epochs, 1, EPOCHS_MAX, "epochs of the whole training")
    if loaded.training.initial is not None:
        loaded = train_job.with_initial(loaded, in_build(loaded.training.initial))
    try:
        with Telling() as tell:
            tell(f"{loaded.name}: making the network")
            data = mnist.load()
            train_job.trainer_of(loaded, images, data)
            params: dict[str, int | str] = dict(
                train_job.parameters(loaded, lambda what: tell(f"{loaded.name}: {what}"))
            )
    except (DataError, ValueError, WeightsError) as error:
        raise FlowError(f"{relative(path)}: {error}") from None
    given = (("STEPS", steps), ("EPOCHS", epochs), ("SAMPLES", samples), ("SIM", sim if sim != "verilator" else ""))
    asked = [f"CONFIG={relative(path)}", *(f"{name}={value}" for name, value in given if value)]
    target = directory or BUILD / "train" / loaded.name
    job = Job(str(path), str(target), number, count, min(count, 8), images, going_on)
    return Request(path, loaded, params, sim, job, tuple(asked), file.text, data)
