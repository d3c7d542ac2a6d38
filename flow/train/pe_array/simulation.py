# SPDX-License-Identifier: Apache-2.0
"""Builds the array for a configuration, runs tb/pe_array/runs/train.py on it and shows how far it is."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow import build
from flow.build import Design, Options
from flow.run_directory import JOB
from flow.simulate import LOG, RESULTS, run_job
from flow.train.edge.simulation import Interrupts
from flow.train.watch import Watcher, duration
from models.pe_array.training.harness import MEMORY_IN, MEMORY_OUT
from models.pe_array.training.job import EVENTS, MISMATCH, Job

HARNESS = "array_harness"
SCRATCH = (LOG, RESULTS, MEMORY_IN, MEMORY_OUT)
"""Files that a simulation leaves where it runs."""

_BENCH = "tb.pe_array.runs.train"
_BAR = 20


@dataclass(frozen=True)
class Outcome:
    """How a simulation ended.

    Attributes:
        failure: what went wrong, None if nothing did.
        mismatches: values that differed in the comparison that failed.
        interrupted: the user stopped it.
    """

    failure: str | None = None
    mismatches: int = 0
    interrupted: bool = False


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
        filled = round(_BAR * self.done / total)
        accuracy = f"{self.correct / self.images:.2%}" if self.images else "-"
        return (
            f"[{'#' * filled}{'.' * (_BAR - filled)}] {self.done}/{total} steps and test batches  accuracy {accuracy}  "
            f"ETA {duration((total - self.done) / rate) if rate else '?'}"
        )


def simulate(job: Job, params: dict[str, int | str], sim: str, progress: Progress, design: Design | None) -> Outcome:
    """Build, run the job whose file is in run/, and judge.

    Args:
        design: another design than the harness (for tests that break it on purpose).
    """
    design = design or Design.of(HARNESS, params)
    options = Options(sim, fast=True)
    if not build.is_built(design, options):
        print("building the simulation, once per configuration …", flush=True)
    built = build.build(design, options)
    directory = Path(job.directory)
    run, mismatch = directory / "run", directory / MISMATCH
    progress.start = time.monotonic()
    with Interrupts() as interrupts, Watcher(directory / EVENTS, progress):
        failures = run_job(_BENCH, HARNESS, sim, built, run, run / JOB, design.params)
    if mismatch.is_file():
        found = json.loads(mismatch.read_text())
        return Outcome(found["text"], found["count"])
    if interrupts.count:
        return Outcome(interrupted=True)
    return Outcome("; ".join(failures.values()) or None)
