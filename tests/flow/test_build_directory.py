# SPDX-License-Identifier: Apache-2.0
"""BUILD= puts all outputs elsewhere, `make clean` removes only what is ours, and a disk that fails is one line."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flow import __main__, modules, paths, runners
from flow.full_size import request as full_size
from flow.modules import TestSet
from flow.paths import ROOT, FlowError
from flow.simulate import Run

COMMANDS = [
    "train", "train-cnn", "bench", "synth", "full-size", "scoreboard", "coverage", "test", "regress", "lint",
    "sim popcount",
]  # fmt: skip


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """As nearly as a limit of file sizes can be one."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def output_of(command: list[str], build: str, directory: Path) -> str:
    done = subprocess.run(
        command, cwd=directory, env=os.environ | {"EDGELOOM_BUILD": build}, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_build_directory_is_relative_to_where_make_runs(tmp_path: Path) -> None:
    show = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); from flow import paths as p; "
            "print(p.BUILD, p.RUNS, p.make_command('lint'))"]  # fmt: skip
    there = f"{tmp_path}/some/where"
    words = ["make", "lint", f"BUILD={paths.relative(Path(there))}"]
    assert output_of(show, "some/where/", tmp_path).split() == [there, f"{there}/runs", *words]
    for build in ("", "build", str(ROOT / "build")):
        assert output_of(show, build, ROOT).split() == [str(ROOT / "build"), f"{ROOT}/build/runs", "make", "lint"]


@pytest.mark.parametrize("given", ["a b", "it's", "ä;ls"])
def test_make_hands_the_directory_over_as_it_is(given: str) -> None:
    command = ["make", "-s", "--eval=show:;@printenv EDGELOOM_BUILD", "show"]
    assert output_of([*command, f"BUILD={given}"], "", ROOT) == f"{given}\n"
    assert output_of(command, given, ROOT) == f"{given}\n", "make within make"


@pytest.mark.usefixtures("environment")
def test_everything_is_written_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = tmp_path / "new" / "build"
    monkeypatch.setattr(paths, "BUILD", build)
    paths.set_environment()
    paths.set_environment()  # another command
    assert os.environ["EDGELOOM_BUILD"] == str(build)
    assert (build / paths.MARK).is_file()
    for variable in ("RUFF_CACHE_DIR", "MYPY_CACHE_DIR", "NUMBA_CACHE_DIR", "CCACHE_DIR", "TMPDIR"):
        assert Path(os.environ[variable]).is_relative_to(build)
    job, _ = full_size.request("conv1")
    assert job is not None
    replays = [
        full_size.replay(job),
        Run(modules.find_module("popcount"), TestSet("n7", {"N": 7}, None), "icarus", (1,)).replay,
    ]
    assert all(replay.endswith(f" BUILD={paths.relative(build)}") for replay in replays)
    assert paths.in_build(ROOT / "configs" / ".." / "build" / "train" / "x.npz") == build / "train" / "x.npz"
    for elsewhere in (ROOT / "configs" / "x.npz", build / "x.npz"):
        assert paths.in_build(elsewhere) == elsewhere


@pytest.mark.usefixtures("environment")
def test_a_kill_while_it_is_made_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each step."""
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    made: list[str] = []

    def killed_after(steps: int) -> bool:
        def step(path: Path, name: str, *args: object, **kwargs: object) -> object:
            if path.is_relative_to(tmp_path) and len(made) >= steps:
                raise KeyboardInterrupt
            made.append(path.name)
            return originals[name](path, *args, **kwargs)

        made.clear()
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            for name in originals:
                patch.setattr(Path, name, functools.partialmethod(step, name))
            paths.set_environment()
            return False
        return True

    originals = {name: getattr(Path, name) for name in ("mkdir", "touch", "write_text")}
    for steps in range(9):
        if not killed_after(steps):
            break
        paths.set_environment()  # whatever the kill left
        shutil.rmtree(tmp_path / "build")
    assert steps > 3
    assert "tmp" in made


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("look", ["iterdir", "is_file"])
def test_two_commands_may_make_it_at_once(look: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one makes it right after this one has looked whether it is there, or what is in it."""
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    paths.BUILD.mkdir()
    original = getattr(Path, look)

    def looked(path: Path) -> object:
        seen = original(path)
        seen = seen if isinstance(seen, bool) else iter(list(seen))
        monkeypatch.undo()
        monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
        paths.set_environment()
        return seen

    monkeypatch.setattr(Path, look, looked)
    paths.set_environment()


@pytest.mark.parametrize("character", [*paths.PLAIN, *" $'=é"])
@pytest.mark.parametrize("check", [paths._check_foreign, runners.require_place])
def test_characters_of_its_name(character: str, check: Callable[[Path], None], tmp_path: Path) -> None:
    """Those of the checkout's place, and no others."""
    with pytest.raises(FlowError) if paths.ODD.search(character) else contextlib.nullcontext():
        check(tmp_path / f"a{character}b")


@pytest.mark.usefixtures("environment")
def test_directory_of_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be `make clean` that finds out."""
    (tmp_path / "thesis.tex").touch()
    cases = {
        tmp_path: r"holds files of others \(there is no \.edgeloom-build\): name a new or empty directory",
        ROOT: "holds the checkout: name a new directory",
        ROOT.parent: "holds the checkout: name a new directory",
        tmp_path / "a b": "need a path of letters, digits",
    }
    for build, message in cases.items():
        monkeypatch.setattr(paths, "BUILD", build)
        with pytest.raises(FlowError, match=message):
            paths.set_environment()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("command", COMMANDS)
def test_build_that_cannot_be_written_is_one_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file in its place, one above it, and a file system that takes nothing."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["flow", *command.split()])
    for build in (tmp_path / "file", tmp_path / "file" / "build", Path("/sys/edgeloom")):
        monkeypatch.setattr(paths, "BUILD", build)
        assert __main__.main() == 1
        output, message = capsys.readouterr()
        assert (output, message.count("\n")) == ("", 1)
        assert message.startswith("error: ")
        assert "cannot be written" in message
        assert "name another directory for all that is written with BUILD=directory" in message


@pytest.mark.usefixtures("environment")
def test_disk_that_fills_meanwhile_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill() -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "argv", ["flow", "modules"])
    monkeypatch.setattr(modules, "listing", fill)
    assert __main__.main() == 1
    message = capsys.readouterr().err
    assert message.startswith("error: build cannot be written (No space left on device): make room on that disk, or")


def test_tool_that_finds_no_room() -> None:
    """What it says beside that is of no help."""
    with (
        pytest.raises(FlowError, match=r"build cannot be written \(No space left on device\)"),
        paths.writing(paths.BUILD),
    ):
        paths.check_room("cc1plus: fatal error: closing x.o: No space left on device\ncompilation terminated.\n")
    paths.check_room("cc1plus: fatal error: x.h: No such file or directory\n")
    with (
        pytest.raises(FlowError, match=r"cannot be written \(File too large\)"),
        paths.writing(paths.BUILD),
        full_disk(),
    ):
        paths.check_room("")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One with a script that may do no harm."""
    for name in ("flow", "build/sim"):
        (tmp_path / "checkout" / name).mkdir(parents=True)
    shutil.copy(ROOT / "flow" / "clean.sh", tmp_path / "checkout" / "flow")
    return tmp_path / "checkout"


def clean(checkout: Path, build: str) -> str:
    return output_of(["sh", "flow/clean.sh"], build, checkout)


def test_clean(checkout: Path) -> None:
    for build in ("", "build", "flow/../build", str(checkout / "build")):
        (checkout / "build" / "sim").mkdir(parents=True, exist_ok=True)
        assert clean(checkout, build) == ""
        assert not (checkout / "build").exists(), build
        assert clean(checkout, build) == "", "nothing is there"


def test_clean_elsewhere(checkout: Path) -> None:
    there = checkout / ".." / "a place"
    (there / "sim").mkdir(parents=True)
    (there / paths.MARK).touch()
    (there / "sim" / "link").symlink_to(checkout)
    assert clean(checkout, "../a place") == ""
    assert not there.exists()
    assert (checkout / "build").is_dir()
    assert (checkout / "flow").is_dir()


def test_a_clean_that_stops_can_be_done_again(checkout: Path) -> None:
    """The mark goes last: here it is stopped before that."""
    there = checkout / "there"
    (there / "sub").mkdir(parents=True)
    for name in (paths.MARK, f"sub/{paths.MARK}", "file"):
        (there / name).touch()
    stop = 'find() { command find "$@"; exit 1; }; . flow/clean.sh'
    output_of(["sh", "-c", stop, "flow/clean.sh"], "there", checkout)
    assert [path.name for path in there.iterdir()] == [paths.MARK]
    assert clean(checkout, "there") == ""
    assert not there.exists()


def test_clean_removes_nothing_of_others(checkout: Path) -> None:
    (checkout / "notes").mkdir()
    (checkout / "file").touch()
    assert "BUILD=notes was not made by EdgeLoom: it has no file .edgeloom-build; nothing" in clean(checkout, "notes")
    assert "BUILD=file is no directory; nothing was removed" in clean(checkout, "file")
    (checkout.parent / paths.MARK).touch()
    assert "BUILD=.. holds the checkout; nothing was removed" in clean(checkout, "..")
    assert {path.name for path in checkout.iterdir()} == {"flow", "build", "notes", "file"}
