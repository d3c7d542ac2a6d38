# SPDX-License-Identifier: Apache-2.0
"""docs/adding_a_register.md works as it stands, and a register is no more than three files."""

from __future__ import annotations

from pathlib import Path

from tests.docs.worked_example import WorkedExample

PAGE = "docs/adding_a_register.md"


def test_of_the_pe_array(tmp_path: Path) -> None:
    example = WorkedExample(tmp_path, PAGE, "## PE array")
    assert len(example.files) <= 3
    assert len(example.flow("generate").splitlines()) == 3
    assert "| `3C` | NOTE |" in (tmp_path / "docs/reference/array_registers.md").read_text()
    example.flow("sim", "array_regs", "--sim", "icarus", "--set", "p4", "--test", "register_map")
