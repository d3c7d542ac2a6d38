# SPDX-License-Identifier: Apache-2.0
"""Options of the test run, and the tools' environment for every test."""

from __future__ import annotations

import pytest

from flow import paths

paths.set_environment()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("edgeloom")
    group.addoption("--seeds", type=int, default=5, help="seeds per parameter set in the regression (default 5)")
    group.addoption("--rtl-coverage", action="store_true", help="regression on the Verilator coverage build")
