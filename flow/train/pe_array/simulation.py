# SPDX-License-Identifier: Apache-2.0
"""Builds the arrays for a configuration, runs a bench of tb/pe_array/runs on them and shows how far it is."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from flow.build import Design, Options
from flow.run_directory import JOB
from flow.simulate import LOG, RESULTS
from flow.train.pe_array.request import Request
from flow.train.simulation import Outcome, built, play
from flow.train.watch import bar, duration
from models.lib.whole_file import write_text
from models.pe_array.training.harness import ARRAYS_HARNESS, HARNESS, MEMORY_IN, MEMORY_OUT
from models.pe_array.training.job import STOPPED

SCRATCH = (LOG, RESULTS, MEMORY_IN, MEMORY_OUT)
"""Files that a simulation leaves where it runs."""

_BENCH, _PARALLEL, _STAGES = (f"tb.pe_array.runs.{name}" for name in ("train", "parallel", "stages"))


class Progress:
    """What is known of a simulation under way, and how it is shown."""

    def __init__(self, steps: int, batches: int) -> None:
        self.steps, self.batches = steps, batches
        self.done = self.images = self.correct = 0
        self.model = ""
        self.start = time.monotonic()

    def take(self, event: dict[str, Any]) -> str | None:
        """Note an event; the line that is worth printing for good, if it is."""
        if event["event"] == "interrupted":
            return None
        if event["event"] == "model":
            self.model = f"model alone, step {event['step']:,} of {event['until']:,}"
            return None
        self.model = ""
        self.done += 1
        if event["event"] == "test":
            return f"test batch {event['batch']}: {event['correct']} of {event['images']} images right"
        self.images += event["images"]
        self.correct += event["correct"]
        clocks = event["counters"]["CLOCKS"]
        return (
            f"step {event['step']:,}: {event['correct']} of {event['images']} images right, {event['density']:.1%} of "
            f"the weights, {clocks:,} clocks as predicted, {event['compared']:,} values equal, {event['seconds']:.1f} s"
        )

    def line(self) -> str:
        """Where the simulation is now."""
        if self.model:
            return self.model
        total = self.steps + self.batches
        rate = self.done / (time.monotonic() - self.start)
        accuracy = f"{self.correct / self.images:.2%}" if self.images else "-"
        return (
            f"{bar(self.done, total)} {self.done}/{total} steps and test batches  accuracy {accuracy}  "
            f"ETA {duration((total - self.done) / rate) if rate else '?'}"
        )


def simulate(request: Request, progress: Progress, design: Design | None) -> Outcome:
    """Build, run the job whose file is in run/, and judge.

    Args:
        design: another design than the harness (for tests that break it on purpose).
    """
    staged = request.config.staged is not None
    design = design or Design.of(ARRAYS_HARNESS if staged else HARNESS, request.params)
    blocks = (HARNESS,) if staged and request.sim == "verilator" else ()
    program = built(design, Options(request.sim, fast=True, blocks=blocks))
    progress.start = time.monotonic()
    first = request.directory / "run" / JOB
    if request.config.link.arrays == 1:
        return play(_STAGES if staged else _BENCH, design, request.sim, program, first, progress)
    link = request.job.link
    shutil.rmtree(link, ignore_errors=True)
    link.mkdir()
    return play(
        _PARALLEL, design, request.sim, program, first, progress, *_others(request),
        ended=lambda why: write_text(link / f"{STOPPED}.process", why),
    )  # fmt: skip


def _others(request: Request) -> list[Path]:
    """Jobs of all arrays but the first, each in a directory of its own."""
    made = []
    for array in range(1, request.config.link.arrays):
        job = replace(request.job, array=array, batches=0)
        run = job.place / "run"
        run.mkdir(parents=True, exist_ok=True)
        job.save(run / JOB)
        made.append(run / JOB)
    return made
