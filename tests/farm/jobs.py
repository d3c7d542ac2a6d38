# SPDX-License-Identifier: Apache-2.0
"""Jobs of tests: what workers call, and campaigns of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from flow.farm.job import Done, Job, Outcome
from flow.farm.table import Table
from flow.modules import find_module
from flow.paths import FlowError
from flow.regression.bench import outcome
from flow.regression.cases import Case
from flow.simulate import build_of, simulate
from tests.broken_copy import broken_design


def square(number: int, seconds: float = 0.0, until: str = "", makes: str = "") -> Outcome:
    """A row, after some time, when the file `until` is there; makes a file."""
    time.sleep(seconds)
    while until and not Path(until).exists():
        time.sleep(0.02)
    if makes:
        Path(makes).touch()
    return Outcome({f"n{number}": {"square": number * number}})


def raises(number: int) -> Outcome:
    """A mistake in a job."""
    raise ZeroDivisionError(f"{number} by zero")


def dies(number: int, mark: str) -> Outcome:
    """Kills its worker unless a file is there, which it makes; always where none is named."""
    if not mark or not Path(mark).exists():
        if mark:
            Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)


def ended(number: int, mark: str) -> Outcome:
    """Fails because its worker is being ended, as by a batch system: what it has started is gone first. Once."""
    if Path(mark).exists():
        return square(number)
    Path(mark).touch()
    subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -TERM {os.getpid()}"])
    raise FlowError("the compiler was terminated")


def broken_bench(module: str, test_set: str, sim: str, seeds: Sequence[int], place: str) -> Outcome:
    """The bench of round_sat on a copy that rounds the wrong way."""
    found = find_module(module)
    case = Case(found, found.find_set(test_set), sim)
    run = case.run(tuple(seeds))
    copy = broken_design(build_of(run)[0], module, "+ $signed({{(SUM_WIDTH", "- $signed({{(SUM_WIDTH", Path(place))
    return outcome(case, simulate(replace(run, design=copy, label="farm-broken-")))


def job(number: int, function: str = "square", after: str = "", **more: object) -> Job:
    """A job with one row."""
    arguments = {"number": number, **more}
    return Job(f"job {number}", f"{__name__}:{function}", arguments, {f"n{number}": {"number": number}}, after)


def breaks_off(*_: object) -> Generator[Done]:
    """In place of ``crew.work``: the scheduler goes before anything has ended."""
    yield from ()
    raise FlowError("the scheduler is gone")


def stopped(go: Path) -> list[Job]:
    """A campaign of which two jobs end, and the others when a file is there: until then it can be stopped."""
    return [job(number, until=str(go) if number > 1 else "") for number in range(5)]


if __name__ == "__main__":  # a campaign that a test stops: the directory for its rows
    Table(stopped(Path(sys.argv[1]) / "go"), Path(sys.argv[1]), "study").fill("", "squares")
