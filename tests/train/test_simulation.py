# SPDX-License-Identifier: Apache-2.0
"""Jobs of several arrays, each in a process: whoever ends early, the others are told, and all that failed is said.

There is no simulator here: a job does what its file says. One that waits, as an array does for the others, gives up
after a time.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flow.build import Design
from flow.paths import relative
from flow.simulate import LOG
from flow.train import command, simulation
from flow.train.simulation import Outcome, play
from models.lib.job_file import MISMATCH

STOP, TOLD = "stop", "told"
_WAIT_SECONDS = 20.0
_DESIGN = Design("none", {}, ())


class _Shown:
    """Of jobs that tell nothing."""

    def take(self, event: dict[str, Any]) -> str | None:
        raise AssertionError(event)

    def line(self) -> str:
        raise AssertionError


def _job(bench: str, top: str, sim: str, program: Path, params: dict[str, Any], job: Path) -> dict[str, str]:
    """In place of a simulation."""
    do, stop = job.read_text(), program / STOP
    if do == "wait":
        end = time.monotonic() + _WAIT_SECONDS
        while not stop.is_file():
            if time.monotonic() > end:
                return {"train": "nobody told it"}
            time.sleep(0.01)
        job.with_name(TOLD).write_text(stop.read_text())
    elif do == "raise":
        raise OSError("no room")
    elif do == "interrupt":
        raise KeyboardInterrupt
    elif do == "kill":
        os.kill(os.getpid(), 9)
    elif do == "mismatch":
        (job.parents[1] / MISMATCH).write_text('{"text": "they differ", "count": 3}')
        return {"train": "Mismatch"}
    elif do != "well":
        return {"train": do}
    return {}


def _jobs(directory: Path, *what: str) -> list[Path]:
    made = []
    for number, do in enumerate(what):
        job = directory / f"array{number}" / "run" / "job.json"
        job.parent.mkdir(parents=True)
        job.write_text(do)
        made.append(job)
    return made


def _play(directory: Path, jobs: list[Path]) -> Outcome:
    def ended(why: str) -> None:
        (directory / "why").write_text(why)
        (directory / "why").replace(directory / STOP)

    return play("none", _DESIGN, "none", directory, jobs[0], _Shown(), *jobs[1:], ended=ended)


@pytest.fixture(autouse=True)
def _no_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "_alone", _job)


def test_all_is_well(tmp_path: Path) -> None:
    assert _play(tmp_path, _jobs(tmp_path, "well", "well", "well")) == Outcome()
    assert not (tmp_path / STOP).exists()


def test_a_process_that_raises(tmp_path: Path) -> None:
    jobs = _jobs(tmp_path, "wait", "raise", "wait")
    with pytest.raises(OSError, match="no room"):
        _play(tmp_path, jobs)
    for job in (jobs[0], jobs[2]):
        assert "no room" in job.with_name(TOLD).read_text()


def test_a_process_that_is_killed(tmp_path: Path) -> None:
    jobs = _jobs(tmp_path, "wait", "kill")
    outcome = _play(tmp_path, jobs)
    assert outcome.failure == "a process of a simulation was killed, perhaps for want of memory"
    assert outcome.logs == (jobs[1].with_name(LOG),)
    assert jobs[0].with_name(TOLD).is_file()


@pytest.mark.parametrize(("do", "error"), [("raise", OSError), ("interrupt", KeyboardInterrupt)])
def test_the_first_array_raises(tmp_path: Path, do: str, error: type[BaseException]) -> None:
    """It runs in no process of its own, but the others wait for it, and it for their ends."""
    jobs = _jobs(tmp_path, do, "wait", "wait")
    with pytest.raises(error):
        _play(tmp_path, jobs)
    for job in jobs[1:]:
        assert job.with_name(TOLD).is_file()


def test_all_failures_are_told(tmp_path: Path) -> None:
    """Tests have the same name in all simulations."""
    jobs = _jobs(tmp_path, "it stalls", "well", "it is broken")
    outcome = _play(tmp_path, jobs)
    assert outcome.failure == "it stalls; it is broken"
    assert outcome.logs == (jobs[0].with_name(LOG), jobs[2].with_name(LOG))


def test_the_log_of_the_array_that_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = _jobs(tmp_path, "wait", "mismatch")
    outcome = _play(tmp_path, jobs)
    assert (outcome.failure, outcome.mismatches) == ("they differ", 3)
    request: Any = SimpleNamespace(directory=tmp_path, replay=lambda resume: "make it")
    assert command.verdict(request, "two", outcome, left=False) == 1
    assert f"log: {relative(tmp_path / 'array1' / 'run' / LOG)}\n" in capsys.readouterr().out
