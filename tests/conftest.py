# SPDX-License-Identifier: Apache-2.0
"""Options of the test run, and the tools' environment for every test."""

from __future__ import annotations

import codecs
import locale
import sys

import pytest

from flow import environment, paths
from models.lib import threads

paths.set_environment(keep=("PYTEST_", "COVERAGE_"))


def pytest_addoption(parser: pytest.Parser) -> None:
    from flow.regress import RUNS

    group = parser.getgroup("edgeloom")
    group.addoption("--seeds", type=int, default=5, help="seeds per parameter set in the regression (default 5)")
    group.addoption("--runs", choices=RUNS, default="plain", help="which runs of the regression (default plain)")


def pytest_configure(config: pytest.Config) -> None:
    if sys.flags.optimize:
        raise pytest.UsageError(environment.WITHOUT_ASSERTS)
    if codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8":
        raise pytest.UsageError("files of the tests are UTF-8 and this locale is not: export PYTHONUTF8=1")
    if hasattr(config, "workerinput"):
        threads.use(1)  # the cores have a test process each
