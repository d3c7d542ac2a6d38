# SPDX-License-Identifier: Apache-2.0
"""`make bench` measures what it says, and only work that was done right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trainings import TINY, training

from flow.paths import BUILD
from flow.train.edge import bench
from flow.train.edge.bare import build_bare, measure
from models.edge.schedule import Schedule
from models.lib.job_file import Mismatch


def test_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = training(TINY, tmp_path, epochs="1", samples="200")
    assert bench.bench(request) == 0
    figures = json.loads((BUILD / "bench" / "tiny" / "bench.json").read_text())
    assert figures["samples"] == 200
    predicted = Schedule(request.config).clocks(200, request.config.training.mode(0))
    assert predicted < figures["clocks"] < predicted + 100, "from START to the end of the run"
    cocotb, bare = (figures[f"{kind}_clocks_per_processor_second"] for kind in ("cocotb", "bare"))
    assert 0 < figures["ratio"] == cocotb / bare
    assert figures["model_samples_per_second"] > 0
    printed = capsys.readouterr().out
    assert "cocotb / bare" in printed
    assert "to reach" not in printed, "targets are those of whole epochs of another configuration"


def test_wrong_results_are_not_measured(tmp_path: Path) -> None:
    request = training(TINY, tmp_path, epochs="1", samples="50")
    program = build_bare(request.config)
    assert measure(request, program, tmp_path / "right").processor_seconds > 0
    liar = tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\n{program} && printf x | dd of=predictions.bin conv=notrunc 2>dd.log\n")
    liar.chmod(0o755)
    with pytest.raises(Mismatch, match=r"bare loop, output activation \[sample, neuron\] \[0, 0\]: expected"):
        measure(request, liar, tmp_path / "wrong")
