# SPDX-License-Identifier: Apache-2.0
"""`make full-size`: builds the array, runs tb/pe_array/runs/full_size.py on it, and leaves figures and a page."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from flow.build import Design, Options
from flow.full_size.request import replay
from flow.full_size.result import HEAD, document, notes, results, table
from flow.paths import relative
from flow.run_directory import JOB, RESULT, RunDirectory, alone_in, text_writer
from flow.runners import require_tools
from flow.simulate import LOG, RESULTS
from flow.train.command import REPORT
from flow.train.simulation import built, play
from models.lib.job_file import EVENTS, MISMATCH
from models.pe_array.training.harness import HARNESS, MEMORY_IN, MEMORY_OUT
from models.pe_array.training.layer_job import LayersJob
from studies.html import text

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


def full_size(job: LayersJob, sim: str = "verilator", design: Design | None = None) -> int:
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
    job: LayersJob, sim: str, design: Design | None, directory: RunDirectory
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
    job: LayersJob, sim: str, design: Design | None, progress: Progress, run: Path
) -> tuple[list[dict[str, Any]], str | None]:  # fmt: skip
    """Events of the phases that are right, and what went wrong."""
    design = design or Design.of(HARNESS, dict(job.parameters))
    options = Options(sim, fast=True, blocks=("pe",) if sim == "verilator" else ())
    program = built(design, options, "size; many PEs take some minutes")
    outcome = play(_BENCH, design, sim, program, run / JOB, progress)
    if outcome.interrupted:
        raise KeyboardInterrupt
    events = Path(job.directory) / EVENTS
    phases = [json.loads(line) for line in events.read_text().splitlines()] if events.is_file() else []
    failure = outcome.failure
    if failure is None and len(phases) != progress.total:
        failure = f"{len(phases)} phases ran, not {progress.total}"
    return phases, failure
