# SPDX-License-Identifier: Apache-2.0
"""Pages and results of trainings of the edge engine that never were, for the tests of what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from flow.train.edge import request as edge
from flow.train.edge.report import report as edge_report
from flow.train.edge.result import results as edge_results
from flow.train.edge.simulation import EdgeOutcome
from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity
from models.edge.job import EdgeState, curve
from models.edge.parameters import initial_parameters
from models.edge.training import RawData

UNITS = ("FF", "BP", "UP")
MADE_BY = {"command": "make", "configuration_file": "a.toml", "configuration": "", "versions": {"commit": "0"}}


def note(written: str) -> str:
    """The line below a page's heading."""
    found = re.search('<p class="note">(.*?)</p>', written)
    assert found
    return found[1]


def edge_config(**tables: dict[str, Any]) -> EdgeConfig:
    """Three junctions, 7 x 7 pixels."""
    values: dict[str, Any] = {
        "name": "unusual",
        "network": {
            "layers": [49, 14, 14, 16], "fan_out": [2, 7, 8], "z": [7, 7, 14],
            "activation": ["relu", "relu", "sigmoid"], "classes": 16,
        },
        "format": {"width": 9, "frac": 5},
        "training": {"mode": "sequential", "rounding": "half_up"},
        "data": {"set": "mnist", "pool": 4},
        "clock": {"mhz": 62.5},
    }  # fmt: skip
    return EdgeConfig.from_dict(values | tables)


def edge_record(config: EdgeConfig, samples: int, tests: bool = False, first: int = 0, of: int = 0) -> dict[str, Any]:
    """What a run leaves, half of its samples right."""
    count = range(len(config.junctions))
    right = np.arange(first, first + samples) % 2 == 0
    return {
        "curve": [] if tests else curve(first, right, of or samples),
        "epoch": 0, "tests": tests, "mode": "inference" if tests else config.training.mode(0).name.lower(),
        "samples": samples, "correct": int(right.sum()), "model_correct": int(right.sum()), "compared": 10 * samples,
        "clocks_predicted": 64 * samples, "clocks": 64 * samples, "stalls": 3, "lr_shift": 2,
        "busy": {unit: [samples for _ in count] for unit in UNITS},
        "saturations": {unit: list(count) for unit in UNITS},
        "simulated_clocks": 65 * samples, "simulation_seconds": 0.5, "processor_seconds": 0.25,
        "all_clocks": 70 * samples, "seconds": 1.0,
    }  # fmt: skip


def edge_request(config: EdgeConfig, directory: Path, epochs: int = 1) -> edge.Request:
    """A training of 50 samples per epoch."""
    none = np.zeros((0, config.layers[0]), dtype=np.int16)
    data = RawData(none, none[:, 0].astype("u1"), none, none[:, 0].astype("u1"), "MNIST")
    return edge.Request(
        path=directory / "a.toml", text="", config=config, sim="icarus", epochs=epochs, samples=50, resume=False,
        asked=(), directory=directory, data=data,
    )  # fmt: skip


def edge_page(directory: Path, config: EdgeConfig, state: EdgeState, epochs: int = 1) -> tuple[str, dict[str, Any]]:
    """Page and result of a training that ended with a state."""
    asked = edge_request(config, directory, epochs)
    weights, biases = initial_parameters(config)
    arrays = {f"weights_{i + 1}": values for i, values in enumerate(weights)}
    arrays |= {f"biases_{i + 1}": values for i, values in enumerate(biases)}
    outcome = EdgeOutcome(state=state, parameters=arrays)
    result = edge_results(asked, outcome, []) | MADE_BY | {"wall_seconds": 1.0, "build_seconds": 1.0}
    return edge_report(config, Connectivity.generate(config), outcome, result), result
