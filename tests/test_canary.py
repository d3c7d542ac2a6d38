# SPDX-License-Identifier: Apache-2.0
"""Canaries: a deliberately broken copy of a module that the regression must catch, on each simulator.

If one of these fails, green results of the regression mean nothing.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from flow import modules, verilog
from flow.build import Design
from flow.paths import BUILD
from flow.simulate import Run, parameters, simulate

# module -> (correct text, broken text); each must be in the module exactly once
BROKEN = {
    "round_sat": ("+ $signed({{(SUM_WIDTH-SHIFT)", "- $signed({{(SUM_WIDTH-SHIFT)"),
    "lfsr16": ("TAPS = 16'hB400", "TAPS = 16'hB401"),
    "mac_lane": ("a1_reg > best2_reg", "a1_reg >= best2_reg"),
    "pe_issue": ("same1 ? 2'd1", "same1 ? 2'd0"),
    "interleaver": ("cfg_write && cfg_perms", "cfg_write"),
    "pe": ("load3_y_reg ? load3_addr_reg : d3_waddr", "load3_y_reg ? d3_waddr : d3_waddr"),
}


def broken_design(name: str, params: dict[str, int | str], sim: str) -> Design:
    """The design of a module with the fault in its copy."""
    correct, broken = BROKEN[name]
    original = verilog.library()[name]
    text = original.path.read_text()
    assert text.count(correct) == 1, f"{original.path} has changed: choose another line for the canary"
    copy = BUILD / "canary" / sim / original.path.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text.replace(correct, broken))
    design = Design.of(name, params)
    files = [replace(file, path=copy) if file.name == name else file for file in design.files]
    return replace(design, files=tuple(files))


@pytest.mark.parametrize("sim", modules.SIMULATORS)
@pytest.mark.parametrize("name", BROKEN)
def test_broken_rtl_is_caught(name: str, sim: str) -> None:
    catch(name, sim)


def test_broken_rtl_is_caught_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asserts, with a filter that no test passes, on another seed: none of it reaches the bench."""
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    monkeypatch.setenv("COCOTB_TEST_FILTER", "nothing$")
    monkeypatch.setenv("EDGELOOM_SEEDS", "7")
    catch("lfsr16", "icarus")


def catch(name: str, sim: str) -> None:
    """The regression catches the fault, in a test that compares."""
    module = modules.find_module(name)
    test_set = next(s for s in module.sets if sim in s.simulators)
    design = broken_design(name, parameters(module, test_set), sim)
    result = simulate(Run(module, test_set, sim, (1, 2), design=design, label="canary-"))
    assert not result.passed
    assert result.failures, "the run must fail in its tests, not before"
    assert any(message.startswith("ScoreboardMismatch") for message in result.failures.values()), result.report()
    assert result.report().splitlines()[-1].startswith("replay: make sim MODULE=")
