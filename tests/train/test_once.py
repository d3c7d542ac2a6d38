# SPDX-License-Identifier: Apache-2.0
"""Software looks at a piece of data once: in each process of a training one trainer, one data set, each batch once.

Programs run on the bit-exact machine in place of the simulator.
"""

from __future__ import annotations

import asyncio
import signal
from collections import Counter as Count
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from small_cnn import small_cnn

from flow.train import simulation
from flow.train.pe_array import command
from flow.train.pe_array.request import Request, request
from models.lib.data_sets import catalogue
from models.lib.data_sets.data_set import DataSet
from models.pe_array.clocks.step import predicted
from models.pe_array.isa.descriptors import Descriptor
from models.pe_array.isa.registers import Counter
from models.pe_array.machine.machine import Machine
from models.pe_array.training.images import Batch, Images, LabelArray
from models.pe_array.training.job import ArrayJob
from models.pe_array.training.trainer import Trainer
from tb.pe_array.drivers.array_host import ArrayHost
from tb.pe_array.runs import train as run

STEPS, EPOCH, BATCH = 2, 8, 8


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Count[str]:
    """How often the data set was opened, a trainer made, and each batch."""
    found: Count[str] = Count()
    whole = catalogue.load("mnist")
    few = replace(whole, train=whole.train[: EPOCH * BATCH], test=whole.test[:32])
    begin, batch = Trainer.__init__, Images.batch

    def load(*_: Any) -> DataSet:
        found["data set"] += 1
        return few

    def make(self: Trainer, *arguments: Any, **more: Any) -> None:
        found["trainer"] += 1
        begin(self, *arguments, **more)

    def cut(self: Images, rows: LabelArray, epoch: int | None = None) -> Batch:
        found[f"batch {rows.tolist()} of {len(self)} images"] += 1
        return batch(self, rows, epoch)

    monkeypatch.setattr(catalogue, "load", load)
    monkeypatch.setattr(Trainer, "__init__", make)
    monkeypatch.setattr(Images, "batch", cut)
    return found


def asked(directory: Path) -> Request:
    """A training of one epoch, some of its steps in simulation."""
    path = directory / "small.toml"
    path.write_text(small_cnn(epochs=1))
    return request(str(path), f"{STEPS}", samples=f"{EPOCH * BATCH}", directory=directory / "out")


def on_the_machine(
    self: run.Simulation, memory: np.ndarray, address: int, program: list[Descriptor], *_: Any
) -> run.Ran:
    """What the array would have done."""
    clocks = self.clocks.run(address, program, memory)
    machine = Machine(self.grid.pes, self.grid.shape, memory, delta_frac=4)
    assert machine.run(address, len(program)) is None
    counters = dict.fromkeys(Counter, 0) | {Counter[name]: value for name, value in predicted(clocks).items()}
    clipped = machine.clipped
    counters[Counter.CLIPPED_OUTPUTS], counters[Counter.CLIPPED_MASTERS] = clipped.outputs, clipped.masters
    counters[Counter.CLIPPED_MOMENTA] = clipped.momenta
    return run.Ran(counters, clocks, 0.0)


async def play(simulation: run.Simulation, *program: Any) -> run.Ran:
    return on_the_machine(simulation, *program)


async def nothing(*_: Any, **__: Any) -> list[Any]:
    return []


def test_simulator(tmp_path: Path, made: Count[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps 0, 1 and 4, 5 and two batches of the test are simulated, steps 2 and 3 are the model's alone."""
    todo = asked(tmp_path)
    made.clear()
    monkeypatch.setattr(run.Simulation, "play", play)
    for name in ("reset", "groups"):
        monkeypatch.setattr(ArrayHost, name, nothing)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    todo.directory.mkdir()
    training = run.Training(MagicMock(params=todo.params), todo.job)
    asyncio.run(training.run())
    training.events.close()
    assert [step["step"] for step in training.record.steps] == [0, 1, 4, 5]
    assert len(training.record.tests) == STEPS
    assert (made.pop("data set"), made.pop("trainer")) == (1, 1)
    assert len(made) == 6 + STEPS
    assert set(made.values()) == {1}, made


def test_flow(tmp_path: Path, made: Count[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """From the request to the page; the simulator does nothing, so that all steps are the model's."""
    jobs: list[ArrayJob] = []

    def run_job(*arguments: Any) -> dict[str, str]:
        jobs.append(ArrayJob.load(arguments[5]))
        return {}

    monkeypatch.setattr(simulation, "run_job", run_job)
    built: dict[str, Callable[..., Any]] = {"is_built": lambda *_: True, "build": lambda *_: Path()}
    for name, stub in built.items():
        monkeypatch.setattr(simulation.build, name, stub)
    assert command.train(asked(tmp_path)) == 0
    assert len(jobs) == 1
    assert (made.pop("data set"), made.pop("trainer")) == (1, 1)
    assert len(made) == EPOCH + 32 // BATCH
    assert set(made.values()) == {1}, made
