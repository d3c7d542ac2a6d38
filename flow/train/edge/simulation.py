# SPDX-License-Identifier: Apache-2.0
"""Builds the harness for a configuration and runs tb/edge/runs/train.py on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow.build import Design, Options
from flow.simulate import LOG, RESULTS
from flow.train.edge.progress import Progress
from flow.train.edge.request import Request
from flow.train.simulation import Outcome, play
from models.edge.activation import SigmoidTable
from models.edge.config import EdgeConfig
from models.edge.harness_files import PARAMS_IN, PARAMS_OUT, PREDICTIONS, SAMPLES
from models.edge.job import EdgeState, load_checkpoint
from models.lib.array_file import Arrays
from models.lib.job_file import CHECKPOINT

HARNESS = "train_harness"
SIGMOID_FILE = "sigmoid.hex"
SCRATCH = (LOG, RESULTS, SIGMOID_FILE, SAMPLES, PREDICTIONS, PARAMS_IN, PARAMS_OUT)
"""Files that a simulation leaves where it runs."""

_BENCH = "tb.edge.runs.train"


@dataclass(frozen=True, kw_only=True)
class EdgeOutcome(Outcome):
    """How a simulation ended, and the checkpoint that it left."""

    state: EdgeState
    parameters: dict[str, Any]


def design_of(config: EdgeConfig) -> Design:
    """The harness with the parameters of a configuration."""
    return Design.of(HARNESS, config.verilog_parameters(SIGMOID_FILE))


def write_sigmoid(config: EdgeConfig, directory: Path) -> None:
    """The table that the simulated engine reads when it starts."""
    (directory / SIGMOID_FILE).write_text(SigmoidTable.build(config.format).hex_text())


def options(sim: str) -> Options:
    """How the harness is built."""
    return Options(sim, fast=True, own_clock=True)


def simulate(
    request: Request, job: Path, design: Design, program: Path, key: str, history: list[dict[str, Any]]
) -> EdgeOutcome:  # fmt: skip
    """Run what was built of a design on a job, and judge.

    Args:
        job: its file, in the directory where it runs.
        history: what was done before.
    """
    checkpoint = request.directory / CHECKPOINT
    write_sigmoid(request.config, job.parent)
    tests = min(request.samples, len(request.data.test_x))
    outcome = play(_BENCH, design, request.sim, program, job, Progress(request.epochs, request.samples, tests, history))
    state, parameters = EdgeState(key), Arrays()
    if checkpoint.is_file():
        state, parameters = load_checkpoint(checkpoint, request.config, request.samples, request.data)
    return EdgeOutcome(**vars(outcome), state=state, parameters=parameters)
