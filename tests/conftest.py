# SPDX-License-Identifier: Apache-2.0
"""Options of the test run, and the tools' environment for every test."""

from __future__ import annotations

import codecs
import locale
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from flow import environment, paths
from models.lib import threads

paths.set_environment(keep=("PYTEST_", "COVERAGE_"))


def pytest_addoption(parser: pytest.Parser) -> None:
    from flow.regression.cases import RUNS

    group = parser.getgroup("edgeloom")
    group.addoption("--seeds", type=int, default=5, help="seeds per parameter set in the regression (default 5)")
    group.addoption("--runs", choices=RUNS, default="plain", help="which runs of the regression (default plain)")


def pytest_configure(config: pytest.Config) -> None:
    if sys.flags.optimize:
        raise pytest.UsageError(environment.WITHOUT_ASSERTS)
    if codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8":
        raise pytest.UsageError("files of the tests are UTF-8 and this locale is not: export PYTHONUTF8=1")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # a shell that ran the tests in the background: what they start and stop by Ctrl-C would not hear it either
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        threads.use(1)  # the cores have a test process each


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    """No test leaves variables to those that come after it in the same process: which ones these are is chance."""
    before = _variables()
    yield
    after = _variables()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name in changed:
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]
    assert not changed, f"the test leaves other variables in the environment than it found: {', '.join(changed)}"


def _variables() -> dict[str, str]:
    """The environment, without pytest's own name of the test that runs and of its phase."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
