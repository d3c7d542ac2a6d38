# SPDX-License-Identifier: Apache-2.0
"""Training in simulation: plays the runs of a job on train_harness and compares every one with the model.

Run by flow/train/, which writes the job to the file that EDGELOOM_TRAIN names. After each run all predictions,
parameters and counters are compared; then the checkpoint is written. An interrupt gives up the current run: what
is left is the checkpoint before it, from which a resumed training repeats the run, so that it gives exactly what an
uninterrupted one would have given.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import cocotb

from models.edge import harness_files as files
from models.edge.comparison import (
    check_counters,
    check_parameters,
    check_predictions,
    clocks_and_stalls,
    counter_registers,
)
from models.edge.harness_files import Command, HarnessOp
from models.edge.interleaver import Connectivity
from models.edge.job import (
    EdgeJob,
    EdgeState,
    Step,
    curve,
    identity,
    load_checkpoint,
    steps,
)
from models.edge.network import EdgeNetwork, RunResult
from models.edge.schedule import Schedule
from models.edge.training import RawData
from models.lib.confusion import cells
from models.lib.data_sets.source import check_unchanged
from models.lib.job_file import CHECKPOINT, EVENTS, Mismatch
from tb.edge.runs.train_player import Player
from tb.edge.runs.train_profile import Profile

_EVENT_SECONDS = 0.25
"""How often a run reports its progress and looks for an interrupt, roughly."""


class Interrupted(Exception):
    """The user wants to stop."""


class Trainer:
    """A training on a design out of reset."""

    def __init__(self, dut: Any, job: EdgeJob) -> None:
        self.job = job
        self.config = job.configuration()
        self.data = RawData.load(self.config)
        check_unchanged(self.data.source, job.source)
        self.connectivity = Connectivity.generate(self.config)
        self.directory = Path(job.directory)
        self.player = Player(dut)
        self.interrupted = False
        self.state = EdgeState(identity(self.config, job.samples, self.data))
        parameters: tuple[list[Any] | None, list[Any] | None] = (None, None)
        if job.resume:
            self.state, arrays = load_checkpoint(self.directory / CHECKPOINT, self.config, job.samples, self.data)
            count = range(1, len(self.config.junctions) + 1)
            parameters = [arrays[f"weights_{i}"] for i in count], [arrays[f"biases_{i}"] for i in count]
        self.network = EdgeNetwork(self.config, self.connectivity, *parameters)
        self.events = (self.directory / EVENTS).open("w")

    def event(self, kind: str, **values: Any) -> None:
        """Tell whoever watches."""
        self.events.write(json.dumps({"event": kind, **values}) + "\n")
        self.events.flush()

    async def train(self) -> None:
        """All steps that the checkpoint does not have yet. Raises Mismatch, Interrupted."""
        await self.player.reset()
        signal.signal(signal.SIGINT, self.interrupt)  # not before: Icarus sets its own as the simulation starts
        await self.player.play_all(files.write_network(Path(files.PARAMS_IN), self.connectivity, self.network))
        if not self.job.resume:
            self.state.save(self.directory / CHECKPOINT, self.network)
        for step in steps(self.config, self.data, self.job.samples, self.job.epochs):
            if self.interrupted:
                raise Interrupted
            if step.number >= self.state.next_step:
                await self.play(step)
                self.state.next_step = step.number + 1
                self.state.save(self.directory / CHECKPOINT, self.network)

    async def play(self, step: Step) -> None:
        """One run, in simulation and in the model, and the comparison."""
        begin, clock = time.perf_counter(), self.player.now
        run, tests = step.run, step.tests
        x, labels = self.data.presented(run.epoch, tests)
        files.write_samples(Path(files.SAMPLES), self.config, x, labels, run.order)
        await self.player.play_all(files.start_commands(self.config, run))
        started = time.perf_counter(), time.process_time(), self.player.now
        await self.watch(step)
        await self.player.play(files.idle())
        ended = time.perf_counter(), time.process_time(), self.player.now
        counters = await self.player.read(counter_registers(self.config))
        await self.player.play_all(files.dump_commands(self.config))

        result = self.network.run(
            x, labels, run.mode, run.lr_shift, self.config.training.stochastic, run.rng_seed, run.order
        )
        compared = self.compare(step, result, counters, labels[run.order])
        clocks, stalls = clocks_and_stalls(counters)
        right = result.classes == labels[run.order]
        if tests:
            self.state.confusion = cells(labels[run.order], result.classes)
        record = {
            "curve": [] if tests else curve(run.first, right, self.job.samples),
            "epoch": run.epoch, "tests": tests, "mode": run.mode.name.lower(), "samples": len(run.order),
            "correct": counters["CORRECT"], "model_correct": result.correct, "compared": compared,
            "clocks_predicted": Schedule(self.config).clocks(len(run.order), run.mode), "clocks": clocks,
            "stalls": stalls, "lr_shift": run.lr_shift,
            "busy": {unit: [counters[f"BUSY_{unit} {i + 1}"] for i in range(len(self.config.junctions))]
                     for unit in ("FF", "BP", "UP")},
            "saturations": {unit: [counters[f"SAT_{unit} {i + 1}"] for i in range(len(self.config.junctions))]
                            for unit in ("FF", "BP", "UP")},
            "simulated_clocks": ended[2] - started[2], "simulation_seconds": ended[0] - started[0],
            "processor_seconds": ended[1] - started[1],
            "all_clocks": self.player.now - clock, "seconds": time.perf_counter() - begin,
        }  # fmt: skip
        self.state.add(record)
        self.event("run", **{key: record[key] for key in ("epoch", "tests", "samples", "correct")})

    async def watch(self, step: Step) -> None:
        """Sleep through a run, but for reports of its progress. Raises Interrupted."""
        n = len(step.run.order)
        schedule = Schedule(self.config)
        limit = 2 * schedule.clocks(n, step.run.mode) + 10_000
        profile = Profile(self.player, self.config) if step.number == 0 else None
        if profile:
            await profile.fill(schedule, n, step.run.mode)
        await self.count(step, n - 2 * schedule.pipeline if profile else n, limit)
        if profile:
            await profile.drain(limit)
            self.state.profile = profile.result()
        while self.player.predictions[0] < n:
            await self.player.wake(limit, f"the last of {n} predictions")

    async def count(self, step: Step, until: int, limit: int) -> None:
        """Follow a run until so many predictions have come. Raises Interrupted."""
        done, correct = self.player.predictions
        pace = 16
        while done < until:
            before = time.perf_counter()
            alarm = min(done + pace, until)
            await self.player.play(Command(HarnessOp.ALARM, data=alarm))
            while done < alarm:
                await self.player.wake(limit, f"prediction {alarm} of the run")
                done, correct = self.player.predictions
            seconds = time.perf_counter() - before
            pace = max(16, min(4 * pace, int(pace * _EVENT_SECONDS / max(seconds, 1e-6))))
            self.event("progress", epoch=step.run.epoch, tests=step.tests, done=done, correct=correct)
            if self.interrupted:
                raise Interrupted

    def compare(self, step: Step, result: RunResult, counters: dict[str, int], labels: Any) -> int:
        """Compare everything that the run gave with the model; the number of values. Raises Mismatch."""
        n, run = len(step.run.order), step.run
        which = "test" if step.tests else f"run on samples {run.first} … {run.first + n - 1}"
        where = f"epoch {run.epoch + 1}, {which}"
        predictions = files.read_predictions(Path(files.PREDICTIONS), self.config, n)
        parameters = files.read_parameters(Path(files.PARAMS_OUT), self.config)
        return (
            check_predictions(where, predictions, result, labels, self.config.format)
            + check_parameters(where, parameters, self.network)
            + check_counters(where, counters, result, self.config, step.run.mode)
        )

    def interrupt(self, *_: Any) -> None:
        """Signal handler."""
        self.interrupted = True


@cocotb.test()
async def train(dut: Any) -> None:
    """The whole job."""
    trainer = Trainer(dut, EdgeJob.load(Path(os.environ["EDGELOOM_TRAIN"])))
    try:
        await trainer.train()
    except Interrupted:
        trainer.event("interrupted")
    except Mismatch as mismatch:
        mismatch.write(trainer.directory)
        raise
    finally:
        trainer.events.close()
