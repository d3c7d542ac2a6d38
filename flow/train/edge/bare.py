# SPDX-License-Identifier: Apache-2.0
"""The same harness in a bare Verilator C++ loop: what simulation under cocotb is compared with."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flow.build import Options
from flow.paths import ROOT, FlowError, relative
from flow.train.edge.program import build_program
from flow.train.edge.request import Request
from flow.train.edge.simulation import design_of, write_sigmoid
from models.edge import harness_files as files
from models.edge.comparison import check_parameters, check_predictions
from models.edge.config import EdgeConfig
from models.edge.harness_files import Command, HarnessOp
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.training import plan

LOOP = ROOT / "tb" / "edge" / "runs" / "bare_loop.cpp"


@dataclass(frozen=True)
class Answer:
    """What the loop printed after a command: answer, AXI response, and clocks and seconds since its start."""

    value: int
    response: int
    clocks: int
    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Speed:
    """Clocks of a run, and how long they took: on the wall, and of processor time."""

    clocks: int
    seconds: float
    processor_seconds: float


def build_bare(config: EdgeConfig) -> Path:
    """Build the loop for a configuration, with the options of the simulation under cocotb; the program."""
    return build_program(design_of(config), Options("verilator", fast=True), LOOP, ["-DEXTERNAL_CLOCK=1"])


def play(program: Path, directory: Path, commands: Sequence[Command]) -> list[Answer]:
    """Play commands in a directory that has the files. Raises FlowError where the loop fails."""
    lines = [f"{int(command.op)} {int(command.address)} {int(command.data)}\n" for command in commands]
    (directory / "commands.txt").write_text("".join(lines))
    done = subprocess.run([program], cwd=directory, capture_output=True, text=True, check=False)
    answers = []
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) == 7 and words[0].isdigit():
            answers.append(Answer(int(words[2]), int(words[3]), int(words[4]), float(words[5]), float(words[6])))
    if done.returncode or len(answers) != len(commands):
        raise FlowError(f"{relative(program)} failed after {len(answers)} commands:\n{done.stdout[-500:]}{done.stderr}")
    for command, answer in zip(commands, answers, strict=True):
        if command.op in (HarnessOp.WRITE, HarnessOp.READ, HarnessOp.WAIT) and answer.response:
            raise FlowError(f"{relative(program)}: {command} was answered with AXI response {answer.response}")
    return answers


def measure(request: Request, program: Path, directory: Path) -> Speed:
    """Speed of the training's first run in the bare loop. Raises Mismatch where it is not the model's."""
    config, data = request.config, request.data
    directory.mkdir(parents=True, exist_ok=True)
    connectivity = Connectivity.generate(config)
    network = EdgeNetwork(config, connectivity)
    run = next(plan(config, request.samples, 1))
    write_sigmoid(config, directory)
    files.write_samples(directory / files.SAMPLES, config, data.inputs(run.epoch), data.train_labels, run.order)
    before = files.write_network(directory / files.PARAMS_IN, connectivity, network)
    before += files.start_commands(config, run)
    answers = play(program, directory, [*before, files.idle(), *files.dump_commands(config)])
    result = network.run(
        data.inputs(run.epoch), data.train_labels, run.mode, run.lr_shift, config.training.stochastic,
        run.rng_seed, run.order,
    )  # fmt: skip
    predictions = files.read_predictions(directory / files.PREDICTIONS, config, len(run.order))
    check_predictions("bare loop", predictions, result, data.train_labels[run.order], config.format)
    check_parameters("bare loop", files.read_parameters(directory / files.PARAMS_OUT, config), network)
    started, ended = answers[len(before) - 1], answers[len(before)]
    return Speed(
        ended.clocks - started.clocks,
        ended.seconds - started.seconds,
        ended.processor_seconds - started.processor_seconds,
    )
