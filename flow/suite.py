# SPDX-License-Identifier: Apache-2.0
"""`make test` and `make check`: pytest over two processes or more, JUnit XML in the build directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from flow.ask import whole_number
from flow.paths import BUILD, ROOT, relative
from models.lib.threads import cores
from models.lib.whole_file import part_of

PYTEST_CACHE = ("-o", f"cache_dir={BUILD / 'cache' / 'pytest'}")
UNIT_TESTS = ("tests/models", "tests/studies", "tests/train/test_once.py", "tests/train/test_train_parts.py")
"""Tests of models and studies, whose lines are counted."""


def processes() -> int:
    """How many processes: one per core, or JOBS."""
    jobs = os.environ.get("JOBS")
    return whole_number("JOBS", jobs, 1, 256, "processes") if jobs else cores()


def run_pytest(arguments: Sequence[str], junit: Path, tool: Sequence[str] = ()) -> bool:
    """Run pytest in parallel with these arguments; True if everything passed.

    Args:
        tool: module, and its arguments, that runs pytest; none: Python alone.
    """
    junit.parent.mkdir(parents=True, exist_ok=True)
    junit.unlink(missing_ok=True)
    command = [sys.executable, *tool, "-m", "pytest", "-n", str(processes()), "--dist", "load", "--maxschedchunk=1"]
    command += [f"--junitxml={part_of(junit)}", "-o", "junit_family=xunit2", *PYTEST_CACHE, *arguments]
    passed = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    if part_of(junit).is_file():
        part_of(junit).replace(junit)
        print(f"results: {relative(junit)}")
    return passed


def test(seeds: int) -> bool:
    """All tests of the project, with the regression on `seeds` seeds."""
    return run_pytest([f"--seeds={seeds}", "tests"], BUILD / "junit.xml")


def check() -> bool:
    """The first look of who edits: unit tests that are quick, and one seed and set of each module on Verilator."""
    chosen = ["--runs=first", "--seeds=1", "-m", "not slow", *UNIT_TESTS, "tests/test_regression.py"]
    return run_pytest(chosen, BUILD / "junit-check.xml")
