# SPDX-License-Identifier: Apache-2.0
"""docs/adding_a_register.md works as it is written, and a register is no more than three files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.worked_example import followed, python

FILES_MAX = 3


def test_a_new_register_is_what_the_page_says(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    touched = followed("adding_a_register.md", root)
    assert len([file for file in touched if "edge" not in file]) <= FILES_MAX
    assert len([file for file in touched if "edge" in file]) <= FILES_MAX
    assert sorted(python(root, "-m", "flow", "generate").splitlines()) == [
        "written: docs/reference/array_registers.md",
        "written: docs/reference/edge_registers.md",
        "written: rtl/edge/edge_registers.vh",
        "written: rtl/pe_array/array_registers.vh",
        "written: sw/include/edgeloom_array.h",
        "written: sw/include/edgeloom_edge.h",
    ]
    assert "| `3C` | NOTE |" in (root / "docs/reference/array_registers.md").read_text()
    register = root / "models/pe_array/isa/registers.py"
    text = register.read_text()
    register.write_text(text.replace("    NOTE = 0x3C,", '    NOTE = 0x3C, READ, "other"\n    CLASH = 0x3C,'))
    command = [sys.executable, "-E", "-X", "utf8", "-m", "flow", "generate"]
    variables = {name: value for name, value in os.environ.items() if name != "EDGELOOM_BUILD"}
    refused = subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (1, "error: ArrayReg: CLASH lies where NOTE is\n")
    register.write_text(text)
    python(root, "-m", "flow", "sim", "array_regs", "--sim", "icarus", "--set", "p4", "--test", "register_map")
    python(root, "-m", "flow", "sim", "axil_regs", "--sim", "icarus", "--set", "l2", "--test", "register_map")
