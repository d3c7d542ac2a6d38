# SPDX-License-Identifier: Apache-2.0
"""`make coverage`: run the benches on the coverage build and the unit tests under coverage.py, then report.

`make test COVERAGE=1` does that together with all other tests, and runs nothing twice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from flow.coverage import report
from flow.paths import BUILD, ROOT, RUNS, relative
from flow.suite import UNIT_TESTS, run_pytest
from models.lib.whole_file import written

PAGES = BUILD / "coverage"
_PYTHON = PAGES / "python"
_RUNS = RUNS / "coverage-verilator"


def _coverage(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "coverage", *arguments], cwd=ROOT, check=False)


@contextmanager
def _data_file() -> Iterator[None]:
    """While it lasts, coverage.py writes to a place of its own."""
    before = os.environ.get("COVERAGE_FILE")
    os.environ["COVERAGE_FILE"] = str(_PYTHON / "data")
    try:
        yield
    finally:
        del os.environ["COVERAGE_FILE"]
        if before is not None:
            os.environ["COVERAGE_FILE"] = before


def measure_models(junit: Path) -> float | None:
    """Covered lines of models/ and studies/ in percent, from their unit tests; None if they fail.

    Lines of compiled kernels count because the tests run those as plain Python too, on small cases.
    """
    shutil.rmtree(_PYTHON, ignore_errors=True)
    _PYTHON.mkdir(parents=True)
    with _data_file():
        if not run_pytest(UNIT_TESTS, junit, ("-m", "coverage", "run")):
            return None
        _coverage("combine", "--quiet")
        _coverage("json", "--quiet", "-o", str(_PYTHON / "coverage.json"))
        _coverage("html", "--quiet", "-d", str(_PYTHON))
    percent = json.loads((_PYTHON / "coverage.json").read_text())["totals"]["percent_covered"]
    return float(percent)


def run(seeds: int) -> bool:
    """The whole campaign; True if every test passed and every gate is met."""
    return _campaign(["--runs=coverage", f"--seeds={seeds}", "tests/test_regression.py"], BUILD / "junit-coverage.xml")


def test(seeds: int) -> bool:
    """All tests of the project and the campaign; True if every test passed and every gate is met."""
    others = [f"--ignore={folder}" for folder in UNIT_TESTS]
    return _campaign(["--runs=both", f"--seeds={seeds}", *others, "tests"], BUILD / "junit.xml")


def _campaign(arguments: list[str], junit: Path) -> bool:
    """Tests with these arguments, the unit tests under coverage.py, and the report on both."""
    shutil.rmtree(_RUNS, ignore_errors=True)
    report.remove(PAGES)
    parts = [junit.with_stem(f"{junit.stem}-{part}") for part in ("benches", "models")]
    passed = run_pytest(arguments, parts[0])
    models = measure_models(parts[1])
    join(parts, junit)
    functional = sorted(_RUNS.rglob("functional.json"))
    result = report.make(sorted(_RUNS.rglob("coverage.dat")), functional, models)
    report.write(result, PAGES)
    print(report.table(result))
    print(f"results: {relative(junit)}")
    print(f"pages: {relative(PAGES / 'index.html')}")
    if not passed:
        print("tests have failed")
    return passed and not result.problems


def join(parts: list[Path], whole: Path) -> None:
    """Make one file of JUnit XML of several, which are removed; one that was never written is left out."""
    root = ElementTree.Element("testsuites")
    for part in parts:
        if part.is_file():
            root.extend(ElementTree.parse(part).getroot())
    with written(whole) as (file,):
        ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    for part in parts:
        part.unlink(missing_ok=True)
