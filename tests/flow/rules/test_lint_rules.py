# SPDX-License-Identifier: Apache-2.0
"""The lint stage sees what it should see, with the parameters that it should see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flow import lint, verilog


def test_a_warning_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = verilog.library()["lfsr16"]
    assert lint.lint_module("lfsr16", {}) == ""
    bad = tmp_path / "lfsr16.v"
    bad.write_text(clean.path.read_text().replace("reg [15:0] state_reg;", "reg [15:0] state_reg;\nwire [3:0] idle;"))
    monkeypatch.setattr(verilog, "closure", lambda _: [replace(clean, path=bad)])
    assert "Signal is not driven, nor used: 'idle'" in lint.lint_module("lfsr16", {})


def test_parameters_are_applied_and_named() -> None:
    complaint = lint.lint_module("round_sat", {"SHIFT": 0})
    assert complaint.startswith("round_sat with SHIFT=0:\n")
    assert "SHIFT = 0 must be at least 1" in complaint


def test_every_set_is_linted() -> None:
    designs = lint.designs()
    assert ("round_sat", {}) in designs
    assert sum(top == "round_sat" for top, _ in designs) > 3
    assert any(top == "edge_engine" and "LAYERS" in params for top, params in designs)
