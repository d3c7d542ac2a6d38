# SPDX-License-Identifier: Apache-2.0
"""Clocks of steps on several arrays: what they are made of, and the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.lib.toml_section import parse
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.compiler.shared_step import UPDATES, SharedStep, put_updates
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.isa.link import Link
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from studies.phase_clocks import SIZES
from studies.scaling import clocks as scaling
from studies.scaling.clocks import Scaled, draw, line, scaled
from tests.small_cnn import small_cnn


def test_steps_of_a_small_network() -> None:
    """The parts of a step on two arrays are those of the program that two arrays run."""
    config = PeConfig.from_dict(parse(small_cnn(), __file__))
    alone, *several = scaled(config, (2, 4), (8, 1))
    assert alone.clocks == alone.alone == alone.program
    assert [(each.link.arrays, each.link.bytes) for each in several] == [(2, 8), (2, 1), (4, 8), (4, 1)]
    fast, slow = several[:2]
    assert fast.clocks == fast.program + fast.gradients + fast.updates + fast.weights
    assert slow.gradients > fast.gradients > fast.link.latency
    assert fast.speed > slow.speed > 0
    assert fast.bound > slow.bound > slow.speed
    two = replace(config, link=Link(2, 8, 250))
    network = PeNetwork(two)
    network.prune()
    step = SharedStep(network, grid_of(two))
    memory = StepMemory(step)
    memory.put(network, 11)
    clocks = ArrayClocks(step.grid, SIZES)
    assert fast.program == clocks.run(step.address, step.descriptors, memory.memory).clocks
    found = []
    for array in range(2):
        put_updates(memory, array, 11)
        made = step.updates(array, 11)
        found.append(ArrayClocks(step.grid, SIZES).run(step.tensors[UPDATES].address, made, memory.memory).clocks)
    assert np.abs(fast.updates - max(found)) <= 16, "received gradients lie elsewhere, so bursts end elsewhere"


def test_rows_and_picture(tmp_path: Path) -> None:
    made = [Scaled(Link(1, 50, 250), 100, 100), Scaled(Link(2, 50, 250), 100, 90, 10, 20, 5)]
    assert line(made[0]) == ("1", "–", "–", "–", "–", "–", "100", "0.00", "1.00", "–")
    assert line(made[1]) == ("2", "100", "90", "10", "20", "5", "125", "0.00", "1.60", "13.3")
    draw(made, "two", tmp_path / "two.svg")
    text = (tmp_path / "two.svg").read_text()
    assert all(f">{each}<" in text for each in ("two", "100 Gb/s", "bound of 100 Gb/s"))


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.toml").write_text(small_cnn())
    monkeypatch.setattr(scaling, "ARRAYS", (1, 2))
    scaling.main(["--config", str(tmp_path / "small.toml"), "--picture", str(tmp_path / "small.svg")])
    printed = capsys.readouterr().out
    assert "small: 2 PEs of 8 MACs at 250 MHz (assumed), 8 pictures per array" in printed
    assert "link's bound" in printed
    assert (tmp_path / "small.svg").stat().st_size > 1000
