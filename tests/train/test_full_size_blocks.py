# SPDX-License-Identifier: Apache-2.0
"""Blocks of networks of others, as `make full-size` simulates them, on a tiny array, and that it fails as it must."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from broken_copy import broken_design

from flow.build import Design
from flow.full_size import blocks
from flow.full_size.blocks import Block, simulate
from flow.full_size.request import request
from flow.run_directory import RESULT
from models.pe_array.frontend import job as inference
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.training import harness
from studies import full_size, onnx_networks, published

SMALL = {
    "separable": lambda: onnx_networks.separable_block(12, 8, 6, stride=2),
    "residual": lambda: onnx_networks.residual_block(12, 8, 6),
}


def small(name: str, directory: Path) -> Block:
    """A block for an array of two PEs."""
    return Block(name, "a small one", SMALL[name], directory / name, 2, 8, 1 << 12)


def test_small_blocks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both kinds: every byte of the memory and every clock."""
    assert simulate([small(name, tmp_path) for name in SMALL], "icarus") == 0
    said = capsys.readouterr().out
    for name in SMALL:
        result: dict[str, Any] = json.loads((tmp_path / name / RESULT).read_text())
        assert (result["failure"], result["mismatches"]) == (None, 0)
        assert result["bytes_compared"] == 8 << 12
        assert result["clocks"] == result["clocks_predicted"] == result["event"]["counters"]["CLOCKS"] > 500
        assert result["values"] > 8 * 12 * 3 * 3
        assert f"pass  {name}: 32,768 bytes of memory equal to the machine's" in said


def test_broken_rtl_is_caught(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parameters = harness.parameters(Grid(2, PeShape(8)), 1 << 12, 4, inference.LATENCY, inference.OUTSTANDING)
    design = broken_design(
        Design.of("array_harness", dict(parameters)), "requantise_lane", "$signed(product) >>> shift",
        "product >> shift", tmp_path,
    )  # fmt: skip
    assert simulate([small("residual", tmp_path)], "icarus", design) == 1
    result = json.loads((tmp_path / "residual" / RESULT).read_text())
    assert "memory" in result["failure"]
    assert result["mismatches"] > 0
    assert "replay: make full-size LAYERS=residual" in capsys.readouterr().out


def test_a_block_that_is_too_large_for_its_memory(tmp_path: Path) -> None:
    block = Block("separable", "", SMALL["separable"], tmp_path / "x", 2, 8, 1 << 6)
    with pytest.raises(ValueError, match="separable needs"):
        simulate([block], "icarus")


def test_blocks_of_the_request(tmp_path: Path) -> None:
    """Real channels, on the published array; layers of the published network may stand beside them."""
    job, chosen = request("resnet34,conv1", tmp_path)
    assert job is not None
    assert job.chosen == ("conv1",)
    assert [(each.name, each.pes, each.lanes, each.directory) for each in chosen] == [
        ("resnet34", published.PES, published.LANES, tmp_path / "resnet34")
    ]
    assert chosen[0].replay == "make full-size LAYERS=resnet34"
    nothing, both = request(",".join(full_size.BLOCKS))
    assert nothing is None
    assert [each.name for each in both] == ["mobilenet_v1", "resnet34"]
    shapes = [[n.dim_value for n in each.model().graph.output[0].type.tensor_type.shape.dim[1:]] for each in both]
    assert shapes == [[512, 7, 7], [128, 7, 7]]
    assert blocks.Block.named("resnet34", tmp_path).what == full_size.BLOCKS["resnet34"][0]
