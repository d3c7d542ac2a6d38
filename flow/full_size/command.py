# SPDX-License-Identifier: Apache-2.0
"""`make full-size`: builds the array, runs tb/pe_array/runs/full_size.py on it, and leaves figures and a page."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from flow import build
from flow.build import Design, Options
from flow.full_size.request import replay
from flow.full_size.result import HEAD, document, notes, results, table
from flow.paths import relative
from flow.run_directory import JOB, RESULT, RunDirectory, alone_in, text_writer
from flow.runners import require_tools
from flow.simulate import LOG, RESULTS, run_job
from flow.train.watch import Watcher
from models.pe_array.training.harness import MEMORY_IN, MEMORY_OUT
from models.pe_array.training.layer_job import EVENTS, MISMATCH, Job
from studies.scoreboard_page import text

HARNESS = "array_harness"
REPORT = "report.html"
_BENCH = "tb.pe_array.runs.full_size"


class Progress:
    """The phases, as they end."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0

    def take(self, event: dict[str, Any]) -> str:
        """The line of a phase that is right."""
        self.done += 1
        return (
            f"{event['layer']} {event['phase']}: {event['clocks']:,} clocks, predicted {event['predicted']:,} "
            f"({event['difference']:+,}), MACs in use {event['utilisation']:.1%}, {event['compared']:,} bytes equal, "
            f"{event['seconds']:.1f} s"
        )

    def line(self) -> str:
        """Where the simulation is now."""
        return f"{self.done} of {self.total} phases"


def full_size(job: Job, sim: str = "verilator", design: Design | None = None) -> int:
    """The whole job; exit status 0, or 1 after a failure.

    Args:
        design: another design than the harness (for tests that break it on purpose).

    Raises:
        FlowError: the user can mend it.
    """
    require_tools(sim)  # before results of the run before are gone
    with alone_in(Path(job.directory)):
        directory = RunDirectory(Path(job.directory), {"command": replay(job)})
        with directory.run(REPORT, MISMATCH, EVENTS):
            failure, result = _full_size(job, sim, design, directory)
    if failure is not None:
        log = relative(directory.directory / "run" / LOG)
        print(f"FAIL  full-size: {failure}\n  log: {log}\nreplay: {replay(job)}")
        return 1
    print(f"pass  full-size: {result['bytes_compared']:,} bytes of memory equal to the model's")
    return 0


def _full_size(
    job: Job, sim: str, design: Design | None, directory: RunDirectory
) -> tuple[str | None, dict[str, Any]]:  # fmt: skip
    """What went wrong, and the results."""
    total = sum(len(job.phases(name)) for name in job.chosen)
    print(f"{', '.join(job.chosen)}: {total} phases on {job.pes} PEs of {job.lanes} MACs, {sim}", flush=True)
    begin = time.monotonic()
    run = directory.scratch(job.save, (LOG, RESULTS, MEMORY_IN, MEMORY_OUT))
    phases, failure = _simulate(job, sim, design, Progress(total), run)
    result = results(job, phases, failure, time.monotonic() - begin)
    directory.publish(result, {REPORT: text_writer(document(result))})
    print(text(HEAD, table(result)), *notes(result), sep="\n")
    for name in (RESULT, REPORT):
        print(f"  {relative(directory.directory / name)}")
    return failure, result


def _simulate(
    job: Job, sim: str, design: Design | None, progress: Progress, run: Path
) -> tuple[list[dict[str, Any]], str | None]:  # fmt: skip
    """Events of the phases that are right, and what went wrong."""
    design = design or Design.of(HARNESS, dict(job.parameters))
    options = Options(sim, fast=True, blocks=("pe",) if sim == "verilator" else ())
    if not build.is_built(design, options):
        print("building the simulation, once per size; many PEs take some minutes …", flush=True)
    built = build.build(design, options)
    directory = Path(job.directory)
    with Watcher(directory / EVENTS, progress):
        failures = run_job(_BENCH, HARNESS, sim, built, run, run / JOB, design.params)
    events = directory / EVENTS
    phases = [json.loads(line) for line in events.read_text().splitlines()] if events.is_file() else []
    failure = "; ".join(failures.values()) or None
    if (directory / MISMATCH).is_file():
        failure = str(json.loads((directory / MISMATCH).read_text())["text"])
    if failure is None and len(phases) != progress.total:
        failure = f"{len(phases)} phases ran, not {progress.total}"
    return phases, failure
