# SPDX-License-Identifier: Apache-2.0
"""Canaries: a deliberately broken copy of a module that the regression must catch, on each simulator.

If one of these fails, green results of the regression mean nothing.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from filelock import FileLock

from flow import modules, verilog
from flow.build import Design
from flow.paths import BUILD
from flow.simulate import Run, parameters, simulate
from models.lib.whole_file import write_text

# (module, correct text, broken text); each correct text must be in the module exactly once
BROKEN = (
    ("round_sat", "+ $signed({{(SUM_WIDTH-SHIFT)", "- $signed({{(SUM_WIDTH-SHIFT)"),
    ("sequencer", "mode_reg <= mode;", "mode_reg <= mode | (mode_reg & 2'd1);"),
    ("lfsr16", "TAPS = 16'hB400", "TAPS = 16'hB401"),
    ("mac_lane", "- {a1_reg[7], a1_reg};", "- {a1_reg[7], a1_reg} - 9'd1;"),
    ("pe_issue", "(same || same1 || ", "(same || "),
    ("update_store", "3'd0 : d_data[`ARRAY_D_UPDATE_ARRAYS_LOG2]", "3'd0 : d_data[`ARRAY_D_UPDATE_ARRAYS_LOG2] & 3'd5"),
    ("interleaver", "cfg_write && cfg_perms", "cfg_write"),
    ("pe", "load2_y_reg ? load2_addr_reg : d2_waddr", "load2_y_reg ? d2_waddr : d2_waddr"),
)
# the same: wrong after a reset, in its value or because the register has no reset
BROKEN_RESETS = (
    ("program_fetch", "error_reg <= 1'b0;", "error_reg <= 1'b1;"),
    ("program_fetch", "error_reg <= 1'b0;", ""),
    ("tile_drain", "read_reg <= {P{1'b0}};\n", "read_reg <= {P{1'b1}};\n"),
    ("tile_drain", "        read_reg <= {P{1'b0}};\n", ""),
)


def fault(broken: str) -> str:
    """A name for it: several faults of one module are tried at the same time."""
    return hashlib.sha256(broken.encode()).hexdigest()[:6]


def broken_design(name: str, correct: str, broken: str, params: dict[str, int | str], sim: str) -> Design:
    """The design of a module with the fault in its copy."""
    original = verilog.library()[name]
    text = original.path.read_text()
    assert text.count(correct) == 1, f"{original.path} has changed: choose another line for the canary"
    copy = BUILD / "canary" / sim / fault(broken) / original.path.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{copy}.lock"):  # another test makes the same copy, and its simulator may be reading it
        write_text(copy, text.replace(correct, broken))
    design = Design.of(name, params)
    files = [replace(file, path=copy) if file.name == name else file for file in design.files]
    return replace(design, files=tuple(files))


def test_a_copy_is_whole_whoever_makes_it_again() -> None:
    """Two tests may break the same line at the same time."""
    name, correct, broken = BROKEN[1]

    def made(_: int) -> str:
        design = broken_design(name, correct, broken, {}, "at-once")
        return next(file.path for file in design.files if file.name == name).read_text()

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(made, range(40))) == {verilog.library()[name].path.read_text().replace(correct, broken)}


def failures(name: str, correct: str, broken: str, sim: str) -> list[str]:
    """What a bench says of a broken copy of its module, on two seeds of its first set."""
    module = modules.find_module(name)
    test_set = next(s for s in module.sets if sim in s.simulators)
    design = broken_design(name, correct, broken, parameters(module, test_set), sim)
    result = simulate(Run(module, test_set, sim, (1, 2), design=design, label=f"canary-{fault(broken)}-"))
    assert not result.passed
    assert result.failures, "the run must fail in its tests, not before"
    assert result.report().splitlines()[-1].startswith("replay: make sim MODULE=")
    return list(result.failures.values())


@pytest.mark.parametrize("sim", modules.SIMULATORS)
@pytest.mark.parametrize(("name", "correct", "broken"), BROKEN)
def test_broken_rtl_is_caught(name: str, correct: str, broken: str, sim: str) -> None:
    said = failures(name, correct, broken, sim)
    assert any(message.startswith("ScoreboardMismatch") for message in said), said


@pytest.mark.parametrize("sim", modules.SIMULATORS)
@pytest.mark.parametrize(("name", "correct", "broken"), BROKEN_RESETS)
def test_broken_reset_is_caught(name: str, correct: str, broken: str, sim: str) -> None:
    """In the clock after it, by the look at the outputs and not by what comes later."""
    said = failures(name, correct, broken, sim)
    assert any(message.startswith("NotQuietError: in the clock after reset") for message in said), said


def test_broken_rtl_is_caught_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asserts, with a filter that no test passes, on another seed: none of it reaches the bench."""
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    monkeypatch.setenv("COCOTB_TEST_FILTER", "nothing$")
    monkeypatch.setenv("EDGELOOM_SEEDS", "7")
    said = failures(*next(each for each in BROKEN if each[0] == "lfsr16"), "icarus")
    assert any(message.startswith("ScoreboardMismatch") for message in said), said
