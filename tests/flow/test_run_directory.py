# SPDX-License-Identifier: Apache-2.0
"""Results of a run are never stale, cut, another configuration's, or in the place of what a run did not make."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flow import __main__, suite
from flow.coverage import report
from flow.paths import FlowError, relative
from flow.run_directory import RESULT, RunDirectory, alone_in, text_writer
from models.lib import checkpoint
from models.lib.whole_file import write_text, written
from studies import scoreboard

DONE = {"complete": True, "failure": None}


@contextlib.contextmanager
def small_disk(size: int) -> Iterator[None]:
    """Files larger than `size` bytes cannot be written, as where a disk has no room left."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def told(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / RESULT).read_text())
    return found


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def write_two(first: Path, second: Path) -> None:
    """The second file fits on the disk, the first does not."""
    with small_disk(100), written(first, second) as (one, other):
        other.write(b"new")
        one.write(bytes(1000))


def publish_two(directory: Path) -> None:
    """The page fits on the disk, the weights do not."""
    weights = np.random.default_rng(1).random(10_000)
    with alone_in(directory):
        results = RunDirectory(directory, {})
        with results.run("page", "weights"), small_disk(1000):
            page = text_writer("<p>")
            results.publish(DONE, {"page": page, "weights": lambda file: np.savez_compressed(file, weights)})


def of_configuration(directory: Path, path: Path) -> RunDirectory:
    return RunDirectory(directory, {"configuration_file": str(path), "configuration": path.read_text()})


def test_whole_file_or_none(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_text(path, "old")
    with pytest.raises(OSError, match="too large"):
        write_two(path, tmp_path / "b")
    assert (path.read_text(), files(tmp_path)) == ("old", {"a"})
    with pytest.raises(OSError, match="too large"), small_disk(1000):
        checkpoint.write(path, "identity", {}, {"array": np.zeros(10_000)})
    assert (path.read_text(), files(tmp_path)) == ("old", {"a"})


def test_old_results_are_gone_from_the_first_moment(tmp_path: Path) -> None:
    """A run that is killed leaves what is there before its end."""
    directory = RunDirectory(tmp_path, {"command": "make it"})
    with directory.run("page"):
        directory.publish({**DONE, "accuracy": 0.5}, {"page": text_writer("<p>")})
    assert told(tmp_path) == {"command": "make it", **DONE, "state": "complete", "accuracy": 0.5}
    assert (tmp_path / "page").read_text() == "<p>"
    (tmp_path / "page.part").touch()
    killed = RunDirectory(tmp_path, {"command": "make it again"}).run("page")
    killed.__enter__()
    assert told(tmp_path) == {"complete": False, "state": "running", "failure": None, "command": "make it again"}
    assert files(tmp_path) == {RESULT}


@pytest.mark.parametrize(
    ("end", "state", "failure"),
    [(KeyboardInterrupt(), "interrupted", None), (FlowError("no disk"), "failed", "no disk"), (None, "failed", None)],
)
def test_state_of_a_run_without_results(
    end: BaseException | None, state: str, failure: str | None, tmp_path: Path
) -> None:
    with contextlib.suppress(KeyboardInterrupt, FlowError), RunDirectory(tmp_path, {}).run():
        if end:
            raise end
    assert told(tmp_path) == {"complete": False, "state": state, "failure": failure}


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (DONE, "complete"),
        ({"complete": False, "failure": None}, "interrupted"),
        ({"complete": False, "failure": "x"}, "failed"),
    ],
)
def test_state_of_results(result: dict[str, Any], state: str, tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path, {})
    with contextlib.suppress(ValueError), directory.run():
        directory.publish(result, {})
        raise ValueError("after the results")
    assert told(tmp_path) == {**result, "state": state}


def test_disk_that_fills_leaves_no_results(tmp_path: Path) -> None:
    """All results or none."""
    with pytest.raises(FlowError) as caught:
        publish_two(tmp_path / "x")
    assert str(caught.value).startswith(
        f"{relative(tmp_path / 'x')} cannot be written (File too large): raise the limit of file"
    )
    assert "\n" not in str(caught.value)
    assert files(tmp_path / "x") == {RESULT}
    assert told(tmp_path / "x")["state"] == "failed"
    assert not told(tmp_path / "x")["complete"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_disk_that_takes_nothing(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: Any, **__: Any) -> None:
        raise OSError(code, "refused", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(FlowError, match=r"/out cannot be written \(refused\): ma.*, or name another directory"):
        alone_in(tmp_path / "out").__enter__()


def test_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    for place in (tmp_path / "out", tmp_path / "out" / "train"):
        with pytest.raises(FlowError, match=r"/out.* cannot be written .*: remove or rename the file"):
            alone_in(place).__enter__()


def test_other_errors_are_not_those_of_a_disk(tmp_path: Path) -> None:
    """They are faults of ours, or elsewhere: naming the build directory would lead astray."""
    for error in (OSError(errno.ENOENT, "missing", str(tmp_path / "x")), OSError(errno.EACCES, "not", "/elsewhere")):
        with pytest.raises(type(error), match=r"missing|not"), alone_in(tmp_path):
            raise error


def test_configurations_of_one_name_do_not_share_results(tmp_path: Path) -> None:
    out, mine, other = tmp_path / "out", tmp_path / "mine.toml", tmp_path / "other.toml"
    out.mkdir()
    mine.write_text("a = 1\n")
    other.write_text("b = 1\n")
    with of_configuration(out, mine).run():
        pass
    with pytest.raises(FlowError, match=r"/out has the results of .*/mine\.toml, .* as .*/other\.toml: give one of"):
        of_configuration(out, other)
    other.write_text("a = 1\n")
    of_configuration(out, other)  # a copy
    mine.write_text("a = 2\n")
    of_configuration(out, mine)  # the same file, edited
    other.write_text("b = 1\n")
    mine.unlink()
    of_configuration(out, other)  # the file was renamed
    (out / RESULT).write_text('{"complete": tr')
    mine.write_text("a = 1\n")
    of_configuration(out, other)  # nobody knows whose it is


def test_nothing_is_removed_that_no_run_made(tmp_path: Path) -> None:
    directory, run = RunDirectory(tmp_path, {}), tmp_path / "run"

    def job(path: Path) -> None:
        write_text(path, "{}")

    run.mkdir()
    (run / "notes").touch()
    (run / "samples").write_text("of a user")
    with pytest.raises(FlowError, match=r"run/samples was not made by a run: move it away"):
        directory.scratch(job, ["samples"])
    assert (run / "samples").read_text() == "of a user"
    (run / "samples").rename(run / "other")
    assert directory.scratch(job, ["samples"]) == run
    (run / "samples").write_text("of the run")
    (run / "samples.part").write_text("of a run that was killed")
    directory.scratch(job, ["samples"])
    assert files(run) == {"notes", "other", "job.json"}


def test_scoreboard_that_is_stopped_leaves_no_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        assert files(tmp_path) == {RESULT}
        raise KeyboardInterrupt

    for play, state in ((lambda *_: ({"latency": 48}, "page"), "complete"), (stop, "interrupted")):
        monkeypatch.setattr(scoreboard, "play", play)
        with contextlib.suppress(KeyboardInterrupt):
            __main__._scoreboard(argparse.Namespace(out=tmp_path))
        assert (told(tmp_path)["complete"], told(tmp_path)["state"]) == (state == "complete", state)
        assert (tmp_path / "scoreboard.html").is_file() == (state == "complete")


def test_verdicts_of_the_tests_before_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the next ones run, and if those are killed."""
    junit = tmp_path / "junit.xml"

    def pytest_run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert not junit.exists()
        given = next(word for word in command if word.startswith("--junitxml="))
        assert not given.endswith("=" + str(junit)), "it is written in parts"
        if "passes" in command:
            Path(given.partition("=")[2]).write_text("<new>")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", pytest_run)
    for arguments, left in ((["passes"], {"junit.xml"}), ([], set())):
        junit.write_text("<old>")
        assert suite.run_pytest(arguments, junit)
        assert files(tmp_path) == left


def test_coverage_of_an_earlier_campaign_is_removed(tmp_path: Path) -> None:
    for name in ("index.html", "coverage.json"):
        (tmp_path / name).touch()
    report.remove(tmp_path)
    report.remove(tmp_path)
    assert not files(tmp_path)
