# SPDX-License-Identifier: Apache-2.0
"""Builds the harness for a configuration and runs tb/edge/runs/train.py on it."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from flow.build import Design, Options
from flow.simulate import LOG, RESULTS, run_job
from flow.train.edge.request import Request
from flow.train.watch import Progress, Watcher
from models.edge.activation import SigmoidTable
from models.edge.config import EdgeConfig
from models.edge.harness_files import PARAMS_IN, PARAMS_OUT, PREDICTIONS, SAMPLES
from models.edge.job import CHECKPOINT, EVENTS, MISMATCH, State, load_checkpoint
from models.lib.array_file import Arrays

HARNESS = "train_harness"
SIGMOID_FILE = "sigmoid.hex"
SCRATCH = (LOG, RESULTS, SIGMOID_FILE, SAMPLES, PREDICTIONS, PARAMS_IN, PARAMS_OUT)
"""Files that a simulation leaves where it runs."""

_BENCH = "tb.edge.runs.train"


@dataclass(frozen=True)
class Outcome:
    """How a simulation ended.

    Attributes:
        state, parameters: the checkpoint.
        failure: what went wrong, None if nothing did.
        mismatches: values that differed in the comparison that failed.
        interrupted: the user stopped it.
    """

    state: State
    parameters: dict[str, Any]
    failure: str | None
    mismatches: int
    interrupted: bool


class Interrupts:
    """While the simulator runs, the first Ctrl-C is left to it (it gets it as well); the second one ends all."""

    def __init__(self) -> None:
        self.count = 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt

    def __enter__(self) -> Interrupts:
        self.old = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.old)


def design_of(config: EdgeConfig) -> Design:
    """The harness with the parameters of a configuration."""
    return Design.of(HARNESS, config.verilog_parameters(SIGMOID_FILE))


def write_sigmoid(config: EdgeConfig, directory: Path) -> None:
    """The table that the simulated engine reads when it starts."""
    (directory / SIGMOID_FILE).write_text(SigmoidTable.build(config.format).hex_text())


def options(sim: str) -> Options:
    """How the harness is built."""
    return Options(sim, fast=True, own_clock=True)


def simulate(request: Request, job: Path, built: Path, key: str, history: list[dict[str, Any]]) -> Outcome:
    """Run what was built in directory `built` on a job, and judge.

    Args:
        job: its file, in the directory where it runs.
        history: what was done before.
    """
    run = job.parent
    checkpoint, mismatch = request.directory / CHECKPOINT, request.directory / MISMATCH
    write_sigmoid(request.config, run)
    tests = min(request.samples, len(request.data.test_x))
    progress = Progress(request.epochs, request.samples, tests, history)
    with Interrupts() as interrupts, Watcher(request.directory / EVENTS, progress):
        failures = run_job(_BENCH, HARNESS, request.sim, built, run, job, {})
    state, parameters = State(key), Arrays()
    if checkpoint.is_file():
        state, parameters = load_checkpoint(checkpoint, request.config, request.samples)
    if mismatch.is_file():
        found = json.loads(mismatch.read_text())
        return Outcome(state, parameters, found["text"], found["count"], False)
    if interrupts.count:
        return Outcome(state, parameters, None, 0, True)
    failure = "; ".join(failures.values())
    return Outcome(state, parameters, failure or None, 0, False)
