# SPDX-License-Identifier: Apache-2.0
"""Hybrid trainings of the edge engine: what pages, results and simulations make of a mode that changes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from broken_copy import broken_design
from edge_pages import edge_config, edge_page, edge_record, note
from matplotlib.axes import Axes
from trainings import result_of, training, variant, weights_of

from flow import page
from flow.modules import SIMULATORS
from flow.train.edge.command import REPORT, train
from flow.train.edge.result import table as edge_table
from flow.train.edge.simulation import design_of
from models.edge.config import Mode
from models.edge.job import EdgeState
from models.edge.schedule import Schedule

HYBRID = '["pipelined", "sequential", "pipelined"]'
SWITCHED = {"epochs": "3", "checkpoint": "0", "mode": HYBRID}


@pytest.mark.parametrize(
    ("modes", "heading", "rows"),
    [
        ("PPS", "pipelined, then sequential training", {"pipelined, 2 epochs": 2, "sequential, 1 epoch": 1}),
        ("SPPPP", "sequential, then pipelined training", {"sequential, 1 epoch": 1, "pipelined, 4 epochs": 4}),
        ("SP" * 20, "by turns pipelined and seq", {"sequential, 20 epochs": 20, "pipelined, 20 epochs": 20}),
        ("SS", "; sequential training", {}),
    ],
)
def test_modes_of_a_training(
    modes: str, heading: str, rows: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each mode the clocks, however often it changes; in the picture the ground of sequential epochs is grey."""
    names = [{"P": "pipelined", "S": "sequential"}[letter] for letter in modes]
    config = edge_config(training={"epochs": len(modes), "mode": names})
    state, grey = EdgeState("key"), []
    monkeypatch.setattr(page, "image", lambda figure, text: f'<img alt="{text}">')
    monkeypatch.setattr(Axes, "axvspan", lambda _, first, last, **style: grey.extend(range(first, last)))
    for epoch, name in enumerate(names):
        state.add(edge_record(config, 50) | {"epoch": epoch, "mode": name})
        state.add(edge_record(config, 20, tests=True) | {"epoch": epoch})
    written, result = edge_page(tmp_path, config, state, len(modes))
    assert heading in note(written)
    assert [epoch["mode"] for epoch in result["history"]] == names
    stretches = [(part["mode"], part["first"], part["last"], part["clocks_measured"]) for part in result["modes"]]
    starts = [k for k, name in enumerate(names) if k == 0 or names[k - 1] != name]
    ends = [*starts[1:], len(names)]
    assert stretches == [
        (names[first], first + 1, end, 3200 * (end - first)) for first, end in zip(starts, ends, strict=True)
    ]
    shown = {name[2:]: value for name, value in edge_table(result) if name.startswith("- ")}
    assert shown == {
        name: f"{3200 * count:,} / {3200 * count:,}: 64.0000 per sample" for name, count in rows.items()
    }  # fmt: skip
    assert grey == ([k for k, name in enumerate(names) if name == "sequential"] if rows else [])
    assert ("the ground is grey" in written) == bool(rows)


@pytest.mark.parametrize("sim", SIMULATORS)
def test_hybrid_training(sim: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The mode changes between epochs in one simulation and back; resumed behind a switch it is the same training."""
    config = variant(tmp_path, "hybrid", **SWITCHED)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    request = training(config, whole, sim=sim, samples="24")
    assert train(request) == 0
    result, schedule = result_of(whole), Schedule(request.config)
    assert result["config"]["mode"] == json.loads(HYBRID)
    assert [epoch["mode"] for epoch in result["history"]] == json.loads(HYBRID)
    expected = [schedule.clocks(24, mode) for mode in (Mode.PIPELINED, Mode.SEQUENTIAL, Mode.PIPELINED)]
    assert [epoch["clocks_measured"] for epoch in result["history"]] == expected
    assert result["clocks_measured"] == result["clocks_predicted"] == sum(expected)
    assert result["test_accuracy"] == result["model_test_accuracy"]
    said = capsys.readouterr().out
    assert re.search(rf"- sequential, 1 epoch +{expected[1]:,} / {expected[1]:,}: \d+\.\d{{4}} per sample", said)
    assert "pipelined, then sequential, then pipelined training on MNIST" in note((whole / REPORT).read_text())

    for epochs in "123":
        resume = "" if epochs == "1" else "1"
        assert train(training(config, parts, sim=sim, samples="24", epochs=epochs, resume=resume)) == 0
    for key, values in weights_of(whole).items():
        np.testing.assert_array_equal(weights_of(parts)[key], values, err_msg=key)
    assert result_of(parts)["history"] == result["history"]


@pytest.mark.parametrize(
    ("correct", "broken", "where"),
    [
        ("mode_reg <= mode;", "mode_reg <= {mode[1], &mode};", "epoch 2, run"),
        ("mode_reg <= mode;", "mode_reg <= mode | (mode_reg & 2'd1);", "epoch 2, test"),
        ("turn = want && (mode_reg != `EDGE_MODE_SEQUENTIAL || empty)", "turn = want", "epoch 2, run"),
    ],
)
def test_mode_that_does_not_follow_is_caught(
    correct: str, broken: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine that keeps a mode, or does not know one, differs in the first run that shows it."""
    request = training(variant(tmp_path, "hybrid", **SWITCHED), tmp_path, sim="icarus", samples="24")
    assert train(request, broken_design(design_of(request.config), "sequencer", correct, broken, tmp_path)) == 1
    assert re.search(rf"FAIL  hybrid: {where}", capsys.readouterr().out)
