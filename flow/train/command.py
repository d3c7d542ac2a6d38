# SPDX-License-Identifier: Apache-2.0
"""From the request to the results: what every engine does alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flow.paths import relative
from flow.provenance import origin
from flow.run_directory import RESULT, RunDirectory, Writer, alone_in
from flow.runners import require_tools
from flow.train.request import Config, TrainingRequest
from flow.train.simulation import Outcome
from models.lib.command_line import INTERRUPTED
from models.lib.job_file import CHECKPOINT, EVENTS, MISMATCH

WEIGHTS = "weights.npz"
REPORT = "report.html"


def train(request: TrainingRequest[Config], work: Callable[[RunDirectory], int]) -> int:
    """``work`` in the directory of the request; its exit status: 0, 1 after a failure, 130 after an interrupt.

    Raises:
        FlowError: the user can mend it.
    """
    require_tools(request.sim)  # before results of the run before are gone
    with alone_in(request.directory):
        return work(RunDirectory(request.directory, origin(request.replay(resume=False), request.path, request.text)))


def stale(request: TrainingRequest[Config]) -> tuple[str, ...]:
    """What the training before left and this one will make."""
    return WEIGHTS, REPORT, MISMATCH, EVENTS, *([] if request.resume else [CHECKPOINT])


def publish(
    directory: RunDirectory, result: Mapping[str, Any], files: Mapping[str, Writer], table: list[tuple[str, str]]
) -> None:
    """Put the results in their places, and show the table of them."""
    directory.publish(result, files)
    print("\n".join(f"  {what:30} {value}" for what, value in table))
    for name in (RESULT, WEIGHTS, REPORT, CHECKPOINT):
        if (directory.directory / name).is_file():
            print(f"  {relative(directory.directory / name)}")


def verdict(request: TrainingRequest[Config], name: str, outcome: Outcome, left: bool, done: str = "") -> int:
    """Say how it ended; the exit status.

    Args:
        name: of the configuration.
        left: there is a checkpoint to go on from.
        done: how far it has come, for a line.
    """
    if outcome.failure is not None:
        print(f"FAIL  {name}: {outcome.failure}")
        for log in outcome.logs:
            print(f"  log: {relative(log)}")
        print(f"replay: {request.replay(resume=left)}")
        return 1
    if outcome.interrupted:
        advice = f"go on with: {request.replay(resume=True)}" if left else "nothing to go on from"
        print(f"interrupted{done}; {advice}")
        return INTERRUPTED
    print(f"pass  {name}: simulation and model are equal in every bit")
    return 0
