# SPDX-License-Identifier: Apache-2.0
"""What of the user's environment reaches a tool: where things are on this machine, and nothing that changes a run.

A run is defined by its command alone. cocotb, Python, pytest, Verilator, make and compilers all read variables that
change what runs (COCOTB_TEST_FILTER, PYTHONOPTIMIZE, PYTEST_ADDOPTS, CXXFLAGS, …), and cocotb lets those of the
environment win over those that it is told. So a list says what stays, and all the rest goes.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping

_STAYS = {
    "HOME", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER",
    "LANG", "LANGUAGE", "NO_COLOR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_DIR", "SSL_CERT_FILE",
    # kernels of BLAS that compute right on this machine's processor
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE",
    # where this machine has its compiler's headers and libraries
    "C_INCLUDE_PATH", "CPATH", "CPLUS_INCLUDE_PATH",
    "LIBRARY_PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DEVELOPER_DIR", "SDKROOT",
    # what the flow reads or sets itself
    "CCACHE_DIR", "EDGELOOM_BUILD", "JOBS", "MPLCONFIGDIR", "MYPY_CACHE_DIR", "NUMBA_CACHE_DIR",
    "NUMBA_CACHE_LOCATOR_CLASSES", "PYTHONUTF8", "RUFF_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    "YOWASP_CACHE_DIR",
}  # fmt: skip

WITHOUT_ASSERTS = (
    "Python runs without its asserts (-O or PYTHONOPTIMIZE), and benches and models check with them: run it without"
)


def kept(environment: Mapping[str, str], prefixes: tuple[str, ...] = ()) -> dict[str, str]:
    """The variables that stay, and those whose names begin with one of `prefixes`."""
    begins = ("LC_", *prefixes)
    return {name: value for name, value in environment.items() if name in _STAYS or name.startswith(begins)}


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Only the variables that stay, for as long as the context lasts."""
    before = dict(os.environ)
    _replace(kept(before))
    try:
        yield
    finally:
        _replace(before)


def clear(prefixes: tuple[str, ...] = ()) -> None:
    """Take everything else out of this process's environment, and have every Python below it read and write UTF-8."""
    _replace(kept(os.environ, prefixes) | {"PYTHONUTF8": "1"})


def _replace(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def restart_as_make_does() -> None:
    """Start this Python again without the user's PYTHON… variables and in UTF-8 mode, unless make has done so.

    Files and messages here have characters beyond ASCII; in the mode of an 8-bit locale the first of them is an error.
    """
    if not (sys.flags.ignore_environment and "utf8" in sys._xoptions):
        os.execv(sys.executable, [sys.executable, "-E", "-X", "utf8", *sys.orig_argv[1:]])
