# SPDX-License-Identifier: Apache-2.0
"""A run is defined by its command: what the user's environment may say, and that asserts and UTF-8 are on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flow import environment
from flow.paths import ROOT

CHANGES_RUNS = (
    "COCOTB_TEST_FILTER", "COVERAGE_PROCESS_START", "CFLAGS", "CXXFLAGS", "LDFLAGS", "MAKEFLAGS", "MAKEOVERRIDES",
    "PYTHONPATH", "PYTHONOPTIMIZE", "PYTEST_ADDOPTS", "PYGPI_PYTHON_BIN", "GPI_EXTRA", "LIBPYTHON_LOC", "RANDOM_SEED",
    "TOPLEVEL", "TESTCASE", "VERILATOR_ROOT", "IVERILOG_VPI_MODULE_PATH", "CCACHE_DISABLE", "EDGELOOM_SEEDS", "WAVES",
    "GUI", "SIM_CMD_PREFIX", "NUMBA_DISABLE_JIT", "MYPYPATH", "RUFF_CONFIG", "GIT_DIR", "OMP_NUM_THREADS",
)  # fmt: skip


def test_what_stays() -> None:
    stays = {"PATH": "p", "HOME": "h", "LC_ALL": "C", "LANG": "C", "https_proxy": "x", "TMPDIR": "t", "JOBS": "2"}
    stays |= {"SSL_CERT_FILE": "c", "OPENBLAS_CORETYPE": "Haswell"}
    assert environment.kept(stays | dict.fromkeys(CHANGES_RUNS, "1")) == stays
    assert environment.kept({"PYTEST_X": "1", "PATHS": "1"}, ("PYTEST_",)) == {"PYTEST_X": "1"}


def test_alone_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COCOTB_TEST_FILTER", "x")
    before = dict(os.environ)
    with environment.alone():
        assert "COCOTB_TEST_FILTER" not in os.environ
        assert os.environ["PATH"] == before["PATH"]
    assert dict(os.environ) == before


def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["-O", "-m", "flow", "modules"], {}),
        (["-OO", "-E", "-X", "utf8", "-m", "flow", "modules"], {}),
        (["-m", "pytest", "-p", "no:cacheprovider", "tests/test_lint.py"], {"PYTHONOPTIMIZE": "2"}),
    ],
)
def test_nothing_runs_without_asserts(arguments: list[str], variables: dict[str, str]) -> None:
    done = start(*arguments, **variables)
    assert done.returncode != 0
    assert environment.WITHOUT_ASSERTS in done.stderr.decode()


def test_messages_are_utf8_in_an_8_bit_locale() -> None:
    done = start("-m", "flow", "sim", "pe", "--seed", "0", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.stderr.decode() == "error: SEED=0 must be 1 … 2147483647 (one seed, or several as in 1,2,3)\n"


def test_pytest_in_an_8_bit_locale_says_what_to_do() -> None:
    ascii_ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = start("-m", "pytest", "-p", "no:cacheprovider", "tests/test_lint.py", **ascii_)
    assert b"export PYTHONUTF8=1" in done.stderr
    assert done.returncode != 0


def as_make() -> list[str]:
    """Options and module with which the Makefile starts Python."""
    command = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("FLOW "))
    return command.split(".venv/bin/python ")[1].split()


@pytest.mark.parametrize(
    ("command", "more"), [(["-m", "flow"], {}), (as_make(), {"PYTHONHOME": "/nonexistent", "PYTHONSAFEPATH": "1"})]
)
def test_the_flow_ignores_the_users_python_variables(command: list[str], more: dict[str, str]) -> None:
    done = start(*command, "modules", **({"PYTHONOPTIMIZE": "1", "PYTHONUTF8": "0"} | more))
    assert done.returncode == 0, done.stderr
    assert "round_sat" in done.stdout.decode()
