# SPDX-License-Identifier: Apache-2.0
"""Every output of every module with a reset is looked at after it, unless its name or the test plan says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flow import after_reset, modules, verilog
from flow.paths import FlowError

FETCH = modules.find_module("program_fetch")


def test_names_tell_what_is_quiet() -> None:
    looked = {"idle": 1, "rd_cmd_valid": 0, "rd_ready": "any", "p_valid": 0, "error": 0}
    assert after_reset.of(FETCH)["outputs"] == looked
    assert after_reset.of(FETCH)["inputs"] == [
        *("start", "addr", "length", "rd_cmd_ready", "rd_valid", "rd_data", "rd_last", "rd_error", "p_ready")
    ]


def test_the_test_plan_says_what_is_different() -> None:
    row = replace(FETCH, after_reset={"idle": "any", "p_*": 1, "error": "data", "rd_ready": 0})
    assert after_reset.expected(row) == {
        "idle": "any", "rd_cmd_valid": 0, "rd_ready": 0, "p_valid": 0, "p_data": 1, "p_index": 1,
    }  # fmt: skip


def test_a_handshake_is_no_field() -> None:
    """A pattern for the fields of a command does not reach its valid and ready."""
    assert after_reset.expected(modules.find_module("load_engine"))["map_cmd_valid"] == 0


def test_mistakes_are_named() -> None:
    with pytest.raises(FlowError, match="after_reset of program_fetch: 'busy' is no output; it has idle, rd_cmd_valid"):
        after_reset.expected(replace(FETCH, after_reset={"busy": 0}))
    with pytest.raises(FlowError, match="error = 2 must be 0, 1, 'any' or 'data'"):
        after_reset.expected(replace(FETCH, after_reset={"error": 2}))


def test_a_harness_is_looked_at_through_its_wires() -> None:
    assert after_reset.of(modules.find_module("pe_array"))["inputs"] == []
    looked = after_reset.expected(modules.find_module("pe_array"))
    assert {"m_awvalid", "m_wvalid", "m_arvalid", "bvalid", "rvalid"} <= looked.keys()


def test_no_module_with_a_reset_is_left_out() -> None:
    """And no valid either, whatever patterns there are; banks have nothing but data."""
    silent = set()
    for module in modules.test_plan().values():
        looked = after_reset.expected(module)
        if "rst" not in verilog.library()[module.top].inputs:
            assert not looked
        elif not looked:
            silent.add(module.name)
        elif module.top == module.name:
            strobes = [name for name in verilog.library()[module.name].outputs if name.endswith("valid")]
            assert [looked[name] for name in strobes] == [0] * len(strobes)
    assert silent == {"delay_line", "activation_bank", "natural_bank", "delta_bank", "output_delta"}
