# SPDX-License-Identifier: Apache-2.0
"""`make full-size` from request to page, on layers and an array of no size, and that it fails where it must."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from broken_copy import broken_design

from flow.build import Design
from flow.full_size.command import HARNESS, full_size
from flow.full_size.request import replay, request
from flow.paths import FlowError
from flow.run_directory import RESULT
from flow.train.command import REPORT
from models.pe_array.training.layer_job import LayerMemory, LayersJob
from studies import networks, published

NETWORK = (
    {"name": "first", "rows": 6, "cols": 3, "kernel": 3, "pad": 1, "height": 5, "width": 4,
     "density": 1.0, "block_rows": 3, "block_cols": 3},
    {"name": "second", "rows": 9, "cols": 6, "kernel": 3, "pad": 1, "height": 4, "width": 5,
     "density": 0.4, "block_rows": 4, "block_cols": 3},
)  # fmt: skip


def small(directory: Path) -> LayersJob:
    """A job for an array of two PEs."""
    (directory / "job.json").write_text(
        json.dumps({
            "directory": str(directory / "out"), "network": NETWORK, "chosen": ["second", "first"], "pes": 2,
            "lanes": 8, "words": 1 << 12, "latency": 20, "outstanding": 16,
        })
    )  # fmt: skip
    return LayersJob.load(directory / "job.json")


def test_small_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All phases of both layers; the first has no NG."""
    job = small(tmp_path)
    assert full_size(job, "icarus") == 0
    result = json.loads((tmp_path / "out" / RESULT).read_text())
    phases = result["phases"]
    assert [(each["layer"], each["phase"]) for each in phases] == [
        ("second", "FF"), ("second", "NG"), ("second", "WG"), ("second", "UPDATE"),
        ("first", "FF"), ("first", "WG"), ("first", "UPDATE"),
    ]  # fmt: skip
    assert (result["failure"], result["mismatches"]) == (None, 0)
    assert result["bytes_compared"] == 7 * 8 << 12
    for each in phases:
        assert each["difference"] == 0 < each["predicted"] == each["clocks"]
        assert each["utilisation"] == pytest.approx(each["macs"] / (2 * each["clocks"]))
        assert each["written"] > 0
    assert phases[5]["written"] >= 4 * 6 * 3 * 9, "gradients of 32 bits"
    assert phases[0]["counters"]["CLIPPED_OUTPUTS"] > 0
    groups = result["counters"]["groups"]
    assert sum(group["busy"] for group in groups) == sum(each["counters"]["BUSY_PES"] for each in phases)
    assert sum(sum(group.values()) for group in groups) == 2 * result["clocks"]
    printed = capsys.readouterr().out
    assert "first, 7 phases" not in printed
    assert "second, first: 7 phases on 2 PEs of 8 MACs, icarus" in printed
    assert printed.splitlines()[-1] == f"pass  full-size: {7 * 8 << 12:,} bytes of memory equal to the model's"
    assert "UPDATE" in (tmp_path / "out" / REPORT).read_text()


def test_broken_rtl_is_caught(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Negative sums that lose their sign: the first phase differs, and there is a line that replays it."""
    job = small(tmp_path)
    design = broken_design(
        Design.of(HARNESS, dict(job.parameters)),
        "requantise_lane",
        "$signed(product) >>> shift",
        "product >> shift",
        tmp_path,
    )
    assert full_size(job, "icarus", design) == 1
    result = json.loads((tmp_path / "out" / RESULT).read_text())
    assert result["failure"].startswith("second FF: byte ")
    assert "of the map is" in result["failure"]
    assert (result["mismatches"], result["phases"]) == (None, [])
    assert capsys.readouterr().out.splitlines()[-1] == "replay: make full-size LAYERS=second,first"


def test_published_network() -> None:
    """The layers of the request are those of the published table."""
    job, blocks = request()
    assert job is not None
    assert not blocks
    assert job.chosen == ("conv4_2", "conv1", "dense6")
    assert (job.pes, job.lanes) == (published.PES, published.LANES)
    assert [(layer.name, layer.conv, layer.height, layer.width) for layer in job.network] == [
        (layer.name, layer.conv, layer.height, layer.width) for layer in networks.layers(published.NETWORK)
    ]
    assert job.phases("conv1") == ["FF", "WG", "UPDATE"]
    assert job.phases("dense6") == ["FF", "NG", "WG", "UPDATE"]
    alone, _ = request("dense6")
    assert alone is not None
    assert replay(alone) == "make full-size LAYERS=dense6"


@pytest.mark.parametrize("layers", ["conv9", "conv1,", "conv1;dense6"])
def test_unknown_layers(layers: str) -> None:
    with pytest.raises(FlowError, match=r"must be one of conv1, conv2, conv3_1"):
        request(layers)


def test_memory_that_is_too_small(tmp_path: Path) -> None:
    job = replace(small(tmp_path), words=1 << 8)
    with pytest.raises(ValueError, match="needs more than the 2048 bytes"):
        LayerMemory(job, job.network[1], job.matrices()["second"])
