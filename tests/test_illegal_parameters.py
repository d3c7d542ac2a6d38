# SPDX-License-Identifier: Apache-2.0
"""Illegal parameters of RTL modules stop both simulators with the message that names parameter, value and rule.

The rows are in illegal_parameters.toml; a module with a `REQUIRE that has no row there fails this test.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from flow import build, verilog
from flow.build import BuildError, Design, Options
from flow.paths import ROOT

TABLE = ROOT / "tests" / "illegal_parameters.toml"
_REQUIRE = re.compile(r"^`REQUIRE\(\s*(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """Parameters that break one rule of a module, and what the module must say."""

    module: str
    label: str
    params: dict[str, int | str]
    message: str
    own_words: tuple[str, ...] = ()


ROWS = [Row(module, **entry) for module, entries in tomllib.loads(TABLE.read_text()).items() for entry in entries]


@pytest.fixture(params=ROWS, ids=[f"{row.module}-{row.label}" for row in ROWS])
def row(request: pytest.FixtureRequest) -> Row:
    chosen: Row = request.param
    return chosen


def test_verilator_stops(row: Row) -> None:
    """Verilator stops while it elaborates; it names the source line where %m should be."""
    design, options = Design.of(row.module, row.params), Options("verilator")
    with pytest.raises(BuildError):
        build.build(design, options)
    log = (build.directory(design, options) / "build.log").read_text()
    if "verilator" not in row.own_words:
        assert re.search(rf"USERERROR: \S*/{row.module}\.v:[\d:]+ %m: {re.escape(row.message)}\n", log), log


def test_icarus_stops(row: Row) -> None:
    """Icarus knows no elaboration-time error in Verilog-2005: its program stops before the first clock."""
    if "icarus" in row.own_words:
        with pytest.raises(BuildError):
            build.build(Design.of(row.module, row.params), Options("icarus"))
        return
    directory = build.build(Design.of(row.module, row.params), Options("icarus"))
    program = subprocess.run(
        ["vvp", "-n", "sim.vvp"], cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )
    assert f"{row.module}.{row.label}: {row.message}" in program.stdout, program.stdout + program.stderr
    assert program.returncode == 2


def test_other_tools_miss_a_module(tmp_path: Path) -> None:
    """Synthesis may ignore system tasks, but no tool goes on without a module."""
    text = 'module x #(parameter A = 1) ();\n`REQUIRE(g_a, A < 2, ("%m: A = %0d must be 1", A))\nendmodule\n'
    (tmp_path / "x.v").write_text(f'`undef __ICARUS__\n`include "require.vh"\n{text}')
    for a, stops in ((1, False), (2, True)):
        command = ["iverilog", "-g2005", "-I", str(ROOT / "rtl/lib"), f"-Px.A={a}", "-s", "x", "-o", "x.vvp", "x.v"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (result.returncode != 0) == stops
        assert ("Unknown module type: edgeloom_illegal_parameter" in result.stderr) == stops


def test_every_rule_has_a_row() -> None:
    rules = {
        (name, label) for name, file in verilog.library().items() for label in _REQUIRE.findall(file.path.read_text())
    }
    tested = {(row.module, row.label) for row in ROWS}
    missing = sorted(f"{module}.{label}" for module, label in rules - tested)
    assert not missing, f"add rows to {TABLE.relative_to(ROOT)} for {', '.join(missing)}"
    stale = sorted(f"{module}.{label}" for module, label in tested - rules)
    assert not stale, f"rows of {TABLE.relative_to(ROOT)} without a `REQUIRE: {', '.join(stale)}"
