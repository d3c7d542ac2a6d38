# SPDX-License-Identifier: Apache-2.0
"""Clocks of steps on several arrays: what they are made of, and the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.lib.toml_section import parse
from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.compiler.shared.shared_memory import SharedMemory
from models.pe_array.compiler.shared.shared_step import SharedStep
from models.pe_array.isa.link import Link
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from studies.phase_clocks import SIZES
from studies.scaling import clocks as scaling
from studies.scaling.clocks import Scaled, draw, line, scaled
from studies.scoreboard_b import BLOCKS
from studies.scoreboard_step import vgg11
from tests.small_cnn import small_cnn


def test_steps_of_a_small_network() -> None:
    """Clocks are those that each array would count which runs the programs of all segments, one after the other."""
    config = PeConfig.from_dict(parse(small_cnn(hidden=64), __file__))
    alone, *several = scaled(config, (2, 4), (8, 1))
    assert alone.clocks == alone.alone == sum(alone.segments)
    assert [(each.link.arrays, each.link.bytes) for each in several] == [(2, 8), (2, 1), (4, 8), (4, 1)]
    fast, slow = several[:2]
    assert fast.clocks == sum(fast.segments) + fast.waits
    assert slow.moved > fast.moved > 2 * fast.link.latency
    assert fast.speed > slow.speed > 0
    assert fast.bound > slow.bound > slow.speed
    for each in several:
        shared = replace(config, link=each.link)
        network = PeNetwork(shared)
        network.prune()
        step = SharedStep(network, grid_of(shared))
        found = []
        for array in range(each.link.arrays):
            memory, clocks = SharedMemory(step, array), ArrayClocks(step.grid, SIZES)
            memory.put(network, 11)
            found.append([
                clocks.run(step.tensors[step.place(n)].address, made.descriptors, memory.memory).clocks
                if made.descriptors else 0 for n, made in enumerate(step.programs(array, 11))
            ])  # fmt: skip
        assert each.segments == tuple(map(max, zip(*found, strict=True)))
        assert each.clocks == step.timed(each.segments).clocks


def test_vgg11_hides_link_and_updates() -> None:
    """Clocks of four arrays are fewer than 1.02 times those of one: what is left are borders and the last updates."""
    config = vgg11(momentum=False)
    blocks = {n: BLOCKS[layer.name] for n, layer in enumerate(config.layers) if layer.has_weights}
    one, four = scaled(config, (4,), (50,), blocks=blocks)
    assert one.clocks < four.clocks < 1.02 * one.clocks
    assert four.speed > 3.9
    assert four.waits < 3000


def test_rows_and_picture(tmp_path: Path) -> None:
    made = [Scaled(Link(1, 50, 250), 100, (100,)), Scaled(Link(2, 50, 250), 100, (60, 30, 20), 15, 15)]
    assert line(made[0]) == ("1", "–", "–", "–", "–", "100", "0.00", "1.00", "–")
    assert line(made[1]) == ("2", "100", "110", "15", "15", "125", "0.00", "1.60", "13.3")
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
