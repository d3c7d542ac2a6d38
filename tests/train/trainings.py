# SPDX-License-Identifier: Apache-2.0
"""Small trainings for the tests of `make train`."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from flow.paths import ROOT
from flow.run_directory import RESULT
from flow.train.command import WEIGHTS
from flow.train.edge.request import Request, request
from models.edge.comparison import busy_units
from models.edge.config import EdgeConfig
from models.edge.history import CURVE
from models.edge.interleaver import Connectivity
from models.edge.job import EdgeState, identity, steps
from models.edge.network import EdgeNetwork
from models.edge.training import RawData
from models.pe_array.isa.registers import Counter

TINY = ROOT / "configs" / "edge" / "tiny.toml"


def variant(directory: Path, name: str, base: Path = TINY, **changes: str) -> Path:
    """A copy of a configuration under another name, with the lines of some keys replaced (key = TOML value)."""
    lines = base.read_text().splitlines()
    for key, value in {"name": f'"{name}"', **changes}.items():
        found = [i for i, line in enumerate(lines) if line.split("=")[0].strip() == key]
        assert len(found) == 1, f"{base} has {len(found)} lines for {key}"
        lines[found[0]] = f"{key} = {value}"
    path = directory / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def training(config: Path, directory: Path, **variables: str) -> Request:
    """A request that leaves its results in a directory of its own."""
    return request(str(config), directory=directory, **variables)


def result_of(directory: Path) -> dict[str, Any]:
    """What result.json holds."""
    result: dict[str, Any] = json.loads((directory / RESULT).read_text())
    return result


def weights_of(directory: Path) -> dict[str, np.ndarray[Any, Any]]:
    """What weights.npz holds."""
    with np.load(directory / WEIGHTS) as file:
        return dict(file)


def edge_checkpoint(path: Path, config: EdgeConfig, samples: int, done: int) -> EdgeState:
    """Write the checkpoint of a training in which so many steps are done; what it says is made up."""
    units = busy_units(config)
    reading = [[[n + k, n] for k in range(len(units))] for n in (0, 9)]
    profile = {"units": units, "fill": reading[:1], "drain": reading[1:]} if done else {}
    tests, junctions = RawData.load(config), len(config.junctions)
    state = EdgeState(identity(config, samples, tests), done, profile=profile)
    for step in itertools.islice(steps(config, tests, samples, 10_000), done):
        busy = {unit: [5] * junctions for unit in ("FF", "BP", "UP")}
        state.add(step.known | {
            "correct": 3, "model_correct": 3, "compared": 99, "clocks_predicted": 9, "clocks": 9, "stalls": 1,
            "simulated_clocks": 12, "all_clocks": 20, "simulation_seconds": 0.25, "processor_seconds": 0.25,
            "seconds": 0.5, "busy": busy, "saturations": busy, "curve": [] if step.tests else [[2, 1]] * CURVE,
        })  # fmt: skip
        if step.tests:
            state.confusion = [[1, 2, len(step.run.order)]]
    state.save(path, EdgeNetwork(config, Connectivity.generate(config)))
    return state


def step_event(number: int) -> dict[str, Any]:
    """What a simulated step of the PE array leaves in a checkpoint; made up."""
    event = batch_event(number)
    del event["batch"]
    return event | {
        "event": "step", "step": number, "density": 0.5, "seconds": 0.25, "descriptors": 7, "parts": {"ff0": 9},
        "groups": [[1, 2]],
    }  # fmt: skip


def batch_event(number: int) -> dict[str, Any]:
    """The same of a batch of test images."""
    counters = dict.fromkeys(Counter.__members__, 3)
    return {
        "event": "test", "batch": number, "correct": 1, "images": 8, "compared": 99, "clocks": 9, "counters": counters
    }  # fmt: skip
