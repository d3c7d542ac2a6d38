# SPDX-License-Identifier: Apache-2.0
"""What the user asked `make train` for, checked before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flow.ask import simulator, switch, whole_number
from flow.config_file import load_edge
from flow.paths import BUILD, FlowError, make_command, relative
from models.edge.config import EPOCHS_MAX, EdgeConfig
from models.edge.training import RawData
from models.lib.mnist import DataError


@dataclass(frozen=True)
class Request:
    """A training.

    Attributes:
        path, config: the configuration file and what it says.
        data: what is trained on.
        sim: simulator.
        epochs, samples: epochs, and training samples per epoch.
        resume: go on from the checkpoint.
        asked: the variables that the user gave, for the replay line.
        directory: where everything is left.
        text: of the configuration file, as it was read.
    """

    path: Path
    config: EdgeConfig
    data: RawData
    sim: str
    epochs: int
    samples: int
    resume: bool
    asked: tuple[str, ...]
    directory: Path
    text: str

    def replay(self, resume: bool) -> str:
        """The command that does it again."""
        return make_command("train", *self.asked, *(["RESUME=1"] if resume else []))


def resumes(text: str) -> bool:
    """What RESUME says. Raises FlowError."""
    return switch("RESUME", text, "go on from the checkpoint")


def request(
    config: str,
    epochs: str = "",
    samples: str = "",
    sim: str = "verilator",
    resume: str = "",
    directory: Path | None = None,
) -> Request:
    """Check the variables of the make command line; empty ones have their default. Raises FlowError."""
    simulator(sim)
    going_on = resumes(resume)
    file = load_edge(config)
    path, loaded = file.path, file.config
    if loaded.data.set == "none":
        raise FlowError(f'{relative(path)} names no data: add [data] set = "mnist"')
    try:
        data = RawData.load(loaded)
    except DataError as error:
        raise FlowError(str(error)) from None
    rows = len(data.train_x)
    count = whole_number("SAMPLES", samples, 1, rows, "training samples per epoch") if samples else rows
    number = loaded.training.epochs
    if epochs:
        number = whole_number("EPOCHS", epochs, 1, EPOCHS_MAX, "epochs of the whole training")
    asked = [f"CONFIG={relative(path)}"]
    asked += [f"{name}={value}" for name, value in (("EPOCHS", epochs), ("SAMPLES", samples)) if value]
    asked += [f"SIM={sim}"] if sim != "verilator" else []
    target = directory or BUILD / "train" / loaded.name
    return Request(path, loaded, data, sim, number, count, going_on, tuple(asked), target, file.text)
