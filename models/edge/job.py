# SPDX-License-Identifier: Apache-2.0
"""What a training in simulation is to do, and how far it has come: the job and the checkpoint, both files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.edge.config import EPOCHS_MAX, EdgeConfig, Mode
from models.edge.history import CURVE, SAME, check_state
from models.edge.network import EdgeNetwork
from models.edge.training import EdgeRun, RawData, plan
from models.lib import checkpoint
from models.lib.array_file import Arrays, Expected
from models.lib.confusion import Cells
from models.lib.data_sets.source import NO_DATA
from models.lib.job_file import JobFile
from models.lib.toml_section import ConfigError, Section

_LAYOUT = 2
"""Of the checkpoint's state: one of another layout is refused."""


@dataclass(frozen=True)
class EdgeJob(JobFile):
    """What to do.

    Attributes:
        config: path of the TOML file, a copy that nobody edits meanwhile.
        directory: where checkpoint, events and, on failure, the mismatch are written.
        samples: training samples per epoch, the first ones of the set; as many test images, or all there are.
        epochs: epochs of the whole training, those before a resumption included.
        resume: go on from the checkpoint.
        base: what paths in the TOML file are relative to.
        source: of the data, as they were when the training was asked for.
    """

    config: str
    directory: str
    samples: int
    epochs: int
    resume: bool
    base: str
    source: str

    def configuration(self) -> EdgeConfig:
        """What the TOML file says. Raises ConfigError."""
        return EdgeConfig.load(self.config, Path(self.base))


@dataclass(frozen=True)
class Step:
    """A run of the engine: of the training, or the test at the end of an epoch (mode INFERENCE)."""

    number: int
    run: EdgeRun

    @property
    def tests(self) -> bool:
        return self.run.mode == Mode.INFERENCE

    @property
    def known(self) -> dict[str, Any]:
        """Fields of its record that are known before it is played."""
        return {
            "epoch": self.run.epoch, "tests": self.tests, "mode": self.run.mode.name.lower(),
            "samples": len(self.run.order), "lr_shift": self.run.lr_shift,
        }  # fmt: skip


def steps(config: EdgeConfig, data: RawData, samples: int, epochs: int) -> Iterator[Step]:
    """All runs of a training in order: those of the plan, and a test after the last one of each epoch."""
    return _steps(config, len(data.test_x), samples, epochs)


def _steps(config: EdgeConfig, tests: int, samples: int, epochs: int) -> Iterator[Step]:
    number = 0
    for run in plan(config, samples, epochs):
        yield Step(number, run)
        number += 1
        if run.first + len(run.order) == samples:
            images = np.arange(min(samples, tests))
            yield Step(number, replace(run, first=0, order=images, mode=Mode.INFERENCE))
            number += 1


def identity(config: EdgeConfig, samples: int, data: RawData) -> str:
    """What two trainings must share for the one to go on where the other stopped: all but the number of epochs."""
    same = replace(config, training=replace(config.training, epochs=1), clock_mhz=1.0, data=NO_DATA)
    return hashlib.sha256(f"{_LAYOUT} {same!r} {samples} {data.source}".encode()).hexdigest()


def curve(first: int, right: npt.NDArray[np.bool_], samples: int) -> list[list[int]]:
    """[samples, right ones] of a run in each of the CURVE parts of its epoch.

    Args:
        first: samples of the epoch before the run.
        right: shape (samples of the run,).
        samples: of the epoch.
    """
    part = np.arange(first, first + len(right)) * CURVE // samples
    counts = [np.bincount(part, minlength=CURVE), np.bincount(part[right], minlength=CURVE)]
    points: list[list[int]] = np.stack(counts, axis=1).tolist()
    return points


def _sum(left: Any, right: Any) -> Any:
    """Element by element."""
    if isinstance(left, dict):
        return {key: _sum(value, right[key]) for key, value in left.items()}
    if isinstance(left, list):
        return [_sum(*pair) for pair in zip(left, right, strict=True)]
    return left + right


@dataclass
class EdgeState:
    """How far a training has come.

    Attributes:
        next_step: steps done.
        history: what the runs gave and cost, all that an epoch trained in one record and its test in another, so that
            short runs do not make it longer.
        profile: clocks and busy counters while the first run filled, ran and drained.
        confusion: of the last test.
    """

    identity: str
    next_step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    profile: dict[str, Any] = field(default_factory=dict)
    confusion: Cells = field(default_factory=list)

    def add(self, record: dict[str, Any]) -> None:
        """Note what a run gave: numbers, and lists and dicts of numbers, which add up over the runs of an epoch."""
        last = self.history[-1] if self.history else {}
        if all(last.get(key) == record[key] for key in SAME):
            shared = {key: record[key] for key in SAME}
            self.history[-1] = {key: _sum(last[key], value) for key, value in record.items()} | shared
        else:
            self.history.append(record)

    def save(self, path: Path, network: EdgeNetwork) -> None:
        """Write state and parameters."""
        arrays = {f"weights_{i + 1}": values for i, values in enumerate(network.weights)}
        arrays |= {f"biases_{i + 1}": values for i, values in enumerate(network.biases)}
        checkpoint.write(path, self.identity, asdict(self), arrays)


def load_checkpoint(path: Path, config: EdgeConfig, samples: int, data: RawData) -> tuple[EdgeState, Arrays]:
    """State and arrays (``weights_1`` …, ``biases_1`` …) of a checkpoint of a training. Raises CheckpointError."""
    expected, limit = {}, config.format
    for i, shape in enumerate(config.junctions, 1):
        expected[f"weights_{i}"] = Expected(np.int16, (shape.edges,), limit.min_raw, limit.max_raw)
        expected[f"biases_{i}"] = Expected(np.int16, (shape.n_right,), limit.min_raw, limit.max_raw)
    key = identity(config, samples, data)
    given, arrays = checkpoint.read(path, key, expected)
    plan = (step.known for step in _steps(config, len(data.test_x), samples, EPOCHS_MAX))
    try:
        check_state(Section(given, "state"), config, key, plan)
    except ConfigError as error:
        raise checkpoint.damaged(path, error) from None
    return EdgeState(**given), arrays
