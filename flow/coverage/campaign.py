# SPDX-License-Identifier: Apache-2.0
"""`make coverage`: run the benches on the coverage build and the unit tests under coverage.py, then report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

from flow.coverage import report
from flow.paths import BUILD, ROOT, RUNS, relative
from flow.regress import PYTEST_CACHE, processes, run_pytest

PAGES = BUILD / "coverage"
_PYTHON = PAGES / "python"
_RUNS = RUNS / "coverage-verilator"


def measure_models() -> float | None:
    """Covered lines of models/ and studies/ in percent, from their unit tests; None if they fail.

    Lines of compiled kernels count because the tests run those as plain Python too, on small cases.
    """
    shutil.rmtree(_PYTHON, ignore_errors=True)
    _PYTHON.mkdir(parents=True)
    environment = os.environ | {"COVERAGE_FILE": str(_PYTHON / "data")}
    pytest = ["-m", "pytest", "-q", "-n", str(processes()), *PYTEST_CACHE]
    pytest += ["tests/models", "tests/studies"]

    def coverage(*arguments: str) -> int:
        command = [sys.executable, "-m", "coverage", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode

    if coverage("run", *pytest):
        return None
    coverage("combine", "--quiet")
    coverage("json", "--quiet", "-o", str(_PYTHON / "coverage.json"))
    coverage("html", "--quiet", "-d", str(_PYTHON))
    percent = json.loads((_PYTHON / "coverage.json").read_text())["totals"]["percent_covered"]
    return float(percent)


def run(seeds: int) -> bool:
    """The whole campaign; True if every test passed and every gate is met."""
    shutil.rmtree(_RUNS, ignore_errors=True)
    report.remove(PAGES)
    arguments = ["--rtl-coverage", f"--seeds={seeds}", "tests/test_regression.py"]
    passed = run_pytest(arguments, BUILD / "junit-coverage.xml")
    models = measure_models()
    functional = sorted(_RUNS.rglob("functional.json"))
    result = report.make(sorted(_RUNS.rglob("coverage.dat")), functional, models)
    report.write(result, PAGES)
    print(report.table(result))
    print(f"pages: {relative(PAGES / 'index.html')}")
    if not passed:
        print("the benches failed on the coverage build")
    return passed and not result.problems
