# SPDX-License-Identifier: Apache-2.0
"""docs/adding_a_register.md works as it is written, and a register is no more than three files."""

from __future__ import annotations

from pathlib import Path

from tests.docs.worked_example import followed, python

FILES_MAX = 3


def test_a_new_register_is_what_the_page_says(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    touched = followed("adding_a_register.md", root)
    assert len([file for file in touched if "edge" not in file]) <= FILES_MAX
    assert python(root, "-m", "flow", "generate").splitlines() == [
        "written: rtl/pe_array/array_registers.vh",
        "written: sw/include/edgeloom_array.h",
        "written: docs/reference/array_registers.md",
    ]
    assert "| `3C` | NOTE |" in (root / "docs/reference/array_registers.md").read_text()
    python(root, "-m", "flow", "sim", "array_regs", "--sim", "icarus", "--set", "p4", "--test", "register_map")
