# SPDX-License-Identifier: Apache-2.0
"""A job in a simulator, whatever it is: the program is built, plays the job and is judged by what it leaves."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import FrameType

from flow import build
from flow.build import Design, Options
from flow.simulate import LOG, Params, run_job
from flow.train.watch import Shown, Watcher
from models.lib.job_file import EVENTS, MISMATCH
from models.lib.telling import silent


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a simulation ended.

    Attributes:
        failure: what went wrong, None if nothing did.
        mismatches: values that differed in the comparison that failed.
        interrupted: the user stopped it.
        logs: of the simulators that failed.
    """

    failure: str | None = None
    mismatches: int = 0
    interrupted: bool = False
    logs: tuple[Path, ...] = ()

    @property
    def is_well(self) -> bool:
        """It came to its end."""
        return self.failure is None and not self.interrupted


class Interrupts:
    """While the simulator runs, the first Ctrl-C is left to it (it gets it as well); the second one ends all."""

    def __init__(self) -> None:
        self.count = 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt

    def __enter__(self) -> Interrupts:
        self.old = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.old)


def built(design: Design, options: Options, per: str = "configuration") -> Path:
    """Where the program of a design is, which is built if it is not there."""
    if not build.is_built(design, options):
        print(f"building the simulation, once per {per} …", flush=True)
    return build.build(design, options)


def _alone(bench: str, top: str, sim: str, program: Path, params: Params, job: Path) -> dict[str, str]:
    """The message of every failure of a job that is played in its directory."""
    return run_job(bench, top, sim, program, job.parent, job, params)


def _message(run: Future[dict[str, str]]) -> str:
    """What went wrong in a process, if anything did; raises what it raised."""
    try:
        return "; ".join(run.result().values())
    except BrokenProcessPool:
        return "a process of a simulation was killed, perhaps for want of memory"


def play(
    bench: str, design: Design, sim: str, program: Path, job: Path, progress: Shown, *others: Path,
    ended: Callable[[str], None] = silent,
) -> Outcome:  # fmt: skip
    """Let a program play a job, show how far it is, and judge.

    Args:
        bench: module that plays it.
        job: its file, in the directory where the program runs; that above it is the job's own.
        others: of jobs that are played at the same time, each in a process; they are judged with it.
        ended: is told when one of several has failed, so that the others need not wait for it.
    """

    def judge(run: Future[dict[str, str]]) -> None:
        error = run.exception()  # of a process that was killed, too
        if why := repr(error) if error else _message(run):
            ended(why)

    failures: dict[Path, str] = {}
    how = bench, design.top, sim, program, design.params
    for each in others:
        (each.parents[1] / MISMATCH).unlink(missing_ok=True)
    with Interrupts() as interrupts, Watcher(job.parents[1] / EVENTS, progress), contextlib.ExitStack() as pools:
        runs: dict[Path, Future[dict[str, str]]] = {}
        if others:  # processes, not threads: a simulator has an environment of its own, the process's meanwhile
            pool = pools.enter_context(ProcessPoolExecutor(len(others), get_context("fork")))
            runs = {each: pool.submit(_alone, *how, each) for each in others}
        for run in runs.values():
            run.add_done_callback(judge)
        try:
            failures[job] = "; ".join(_alone(*how, job).values())
        except BaseException as error:  # the others would wait for it, and leaving the pool for them
            ended(repr(error))
            raise
        if failures[job]:
            ended(failures[job])
        failures |= {each: _message(run) for each, run in runs.items()}
    for each in (job, *others):
        if (each.parents[1] / MISMATCH).is_file():
            found = json.loads((each.parents[1] / MISMATCH).read_text())
            return Outcome(failure=found["text"], mismatches=found["count"], logs=(each.with_name(LOG),))
    if interrupts.count:
        return Outcome(interrupted=True)
    logs = tuple(each.with_name(LOG) for each, why in failures.items() if why)
    return Outcome(failure="; ".join(dict.fromkeys(filter(None, failures.values()))) or None, logs=logs)
