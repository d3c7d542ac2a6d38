# SPDX-License-Identifier: Apache-2.0
"""What the user asked `make train` for, checked before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from flow.ask import simulator
from flow.config_file import load_edge
from flow.paths import BUILD, FlowError, relative
from flow.train.request import TrainingRequest, count, given, resumes
from models.edge.config import EPOCHS_MAX, EdgeConfig
from models.edge.training import RawData
from models.lib.data_sets.data_set import DataError
from models.lib.data_sets.source import NONE
from models.lib.toml_section import ConfigError


@dataclass(frozen=True, kw_only=True)
class Request(TrainingRequest[EdgeConfig]):
    """A training, and what is trained on."""

    command: ClassVar[str] = "train"
    data: RawData


def request(
    config: str, epochs: str = "", samples: str = "", sim: str = "verilator", resume: str = "",
    directory: Path | None = None,
) -> Request:  # fmt: skip
    """Check the variables of the make command line; empty ones have their default. Raises FlowError."""
    simulator(sim)
    going_on = resumes(resume)
    file = load_edge(config)
    loaded = file.config
    if loaded.data.set == NONE:
        raise FlowError(f'{relative(file.path)} names no data: add [data] set = "mnist"')
    try:
        data = RawData.load(loaded)
    except (ConfigError, DataError) as error:
        raise FlowError(f"{relative(file.path)}: {error}") from None
    rows = len(data.train_x)
    return Request(
        path=file.path,
        text=file.text,
        config=loaded,
        sim=sim,
        epochs=count("EPOCHS", epochs, loaded.training.epochs, 1, EPOCHS_MAX, "epochs of the whole training"),
        samples=count("SAMPLES", samples, rows, 1, rows, "training samples per epoch"),
        resume=going_on,
        asked=given(file.path, sim, EPOCHS=epochs, SAMPLES=samples),
        directory=directory or BUILD / "train" / loaded.name,
        data=data,
    )
