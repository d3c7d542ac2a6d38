# SPDX-License-Identifier: Apache-2.0
"""`make example`: the C driver of sw/ trains a few samples on edge_top in a simulation; the model has to agree."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flow.build import Design, Options
from flow.paths import BUILD, ROOT, FlowError, relative
from flow.run_directory import alone_in
from flow.train.edge.program import build_program
from flow.train.edge.simulation import SIGMOID_FILE, write_sigmoid
from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.registers import EdgeStatus
from models.edge.schedule import Schedule
from models.edge.training import RawData

CONFIG = ROOT / "configs" / "edge" / "tiny.toml"
SAMPLES = 20
PATIENCE = 120
"""Seconds that the program may take."""

_SW = ROOT / "sw"
_TOP = "edge_top"
_PARTS = (_SW / "examples" / "train_tiny.c", _SW / "edgeloom_edge_driver.c")
_HEADERS = (
    _SW / "examples" / "edge_bus.h", _SW / "edgeloom_edge_driver.h", _SW / "include" / "edgeloom_edge.h",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What the program said, and what the model says.

    Attributes:
        counters, expected_counters: by name; those of the program without the ones that no model predicts.
        numbers, expected: weights and biases of all junctions after the run, then the class of every sample.
    """

    counters: dict[str, int]
    expected_counters: dict[str, int]
    numbers: list[int]
    expected: list[int]

    @property
    def agrees(self) -> bool:
        """Every counter, bit and class."""
        return self.counters == self.expected_counters and self.numbers == self.expected


def build(config: EdgeConfig) -> Path:
    """Compile driver, example and engine; the program. Raises BuildError."""
    design = Design.of(_TOP, config.verilog_parameters(SIGMOID_FILE))
    flags = ["-CFLAGS", f"-DIN_LANES={config.in_lanes}", "-CFLAGS", f"-DWIDTH={config.format.width}"]
    return build_program(design, Options("verilator"), _SW / "examples" / "edge_bus.cpp", flags, _PARTS, _HEADERS)


def run(config: EdgeConfig, images: npt.NDArray[np.int16], labels: npt.NDArray[np.integer], place: Path) -> Outcome:
    """Train once on raw images (n, N0) with labels (n,), by the program in the folder `place` and by the model.

    Raises:
        FlowError: the program fails.
    """
    program = build(config)
    place.mkdir(parents=True, exist_ok=True)
    connectivity = Connectivity.generate(config)
    network = EdgeNetwork(config, connectivity)
    training = config.training
    mode, lr_shift = training.mode(0), training.lr_shift(0)
    words = [int(mode), int(training.stochastic), lr_shift, len(images), training.rng_seed]
    for i in range(len(config.junctions)):
        words += connectivity.seeds[i].ravel().tolist()
        words += connectivity.perms[i].ravel().tolist() if config.dither else []
        words += network.weights[i].tolist() + network.biases[i].tolist()
    for image, label in zip(images, labels, strict=True):
        words += [int(label), *image.tolist()]
    write_sigmoid(config, place)
    (place / "inputs.txt").write_text("".join(f"{word}\n" for word in words))
    said = _program([str(program), "inputs.txt", "outputs.txt"], place)
    result = network.run(images, labels, mode, lr_shift, training.stochastic, training.rng_seed)
    counters = {name: int(value, 0) for name, value in (line.split() for line in said.splitlines())}
    counters["CLOCKS"] = counters.pop("CYCLES") - counters.pop("STALLS")
    expected_counters = {
        "STATUS": int(EdgeStatus.DONE), "SAMPLES": len(images), "CORRECT": result.correct,
        "CLOCKS": Schedule(config).clocks(len(images), mode),
    }  # fmt: skip
    return Outcome(
        counters, expected_counters, [int(word) for word in (place / "outputs.txt").read_text().split()],
        [*_parameters(network), *result.classes.tolist()],
    )  # fmt: skip


def _parameters(network: EdgeNetwork) -> Iterator[int]:
    for weights, biases in zip(network.weights, network.biases, strict=True):
        yield from weights.tolist()
        yield from biases.tolist()


def _program(command: list[str], place: Path) -> str:
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise FlowError(f"{relative(Path(command[0]))} is not done after {PATIENCE} s") from None
    if done.returncode:
        raise FlowError(f"{relative(Path(command[0]))} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def example() -> bool:
    """Run it on the first images of the configuration's data set and print what came out; True if all agrees.

    Raises:
        DataError: the data set is damaged, or missing.
        FlowError: the program fails, or another example runs.
    """
    config = EdgeConfig.load(CONFIG)
    data = RawData.load(config)
    place = BUILD / "example"
    with alone_in(place):
        outcome = run(config, data.train_x[:SAMPLES], data.train_labels[:SAMPLES], place)
    for name, value in outcome.counters.items():
        print(f"{name:8} {value:8}   model {outcome.expected_counters[name]:8}")
    wrong = sum(a != b for a, b in zip(outcome.numbers, outcome.expected, strict=False))
    print(f"{len(outcome.numbers)} weights, biases and classes in {relative(place)}/outputs.txt, {wrong} differ")
    print("the program and the model agree" if outcome.agrees else "FAIL: the program and the model differ")
    return outcome.agrees
