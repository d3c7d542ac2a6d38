# SPDX-License-Identifier: Apache-2.0
"""Generated files: what stands in them, and that a stale one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.generate import files, parts, verilog
from flow.generate.parts import Codes
from models.lib.registers import Code
from models.pe_array.isa.descriptors import Collect, Delta, Slot


def test_none_is_stale() -> None:
    assert files.complaints() == []


def test_a_stale_or_missing_file_is_told_and_mended(tmp_path: Path) -> None:
    assert files.write(tmp_path) == list(files.FILES)
    header = tmp_path / "rtl/pe_array/descriptors.vh"
    header.write_text(header.read_text().replace("107:96", "108:96", 1))
    (tmp_path / "docs/reference/descriptors.md").unlink()
    assert files.complaints(tmp_path) == [
        f"{name} is stale: run `make generate` and commit it"
        for name in ("rtl/pe_array/descriptors.vh", "docs/reference/descriptors.md")
    ]
    assert files.write(tmp_path) == ["rtl/pe_array/descriptors.vh", "docs/reference/descriptors.md"]
    assert files.complaints(tmp_path) == []


def test_lines_are_short_enough() -> None:
    long = [(name, line) for name, make in files.FILES.items() for line in make().splitlines() if len(line) > 120]
    assert long == []


def test_bits_that_no_field_has() -> None:
    assert parts.unused((Delta,)) == [(255, 204), (95, 0)]
    assert parts.unused((Slot, Collect)) == [(255, 152), (95, 62), (55, 8)]  # which of them is in the opcode


class Long(Code):
    """Codes with a meaning that no line has room for."""

    ONE = 1, 30 * "much "


def test_what_is_too_long_loses_its_comment() -> None:
    text = verilog.header("X_VH", "Test", ["x.py"], [Codes("X", Long, 4)])
    assert "`define X_ONE 4'd1\n" in text


def test_a_name_that_stands_for_two_things_is_refused() -> None:
    part = Codes("X", Long, 4)
    with pytest.raises(ValueError, match="Test: X_ONE stands for two things"):
        verilog.header("X_VH", "Test", ["x.py"], [part, part])
