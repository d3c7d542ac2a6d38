# SPDX-License-Identifier: Apache-2.0
"""The C driver and its example: what they train is what the model trains, bit by bit and clock by clock."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from flow.paths import FlowError
from flow.train.edge import example
from flow.train.edge.example import CONFIG, Outcome
from models.edge.config import EdgeConfig
from models.edge.schedule import Schedule


def test_the_driver_trains_what_the_model_trains(tmp_path: Path) -> None:
    """Random images; the program's parameters, classes and clocks are compared with the model's."""
    config = EdgeConfig.load(CONFIG)
    rng = np.random.default_rng(1)
    images = rng.integers(0, config.format.one, (6, config.layers[0]), endpoint=True).astype(np.int16)
    outcome = example.run(config, images, rng.integers(0, config.classes, len(images)), tmp_path)
    assert outcome.counters == outcome.expected_counters
    assert outcome.numbers == outcome.expected
    assert outcome.counters["CLOCKS"] == Schedule(config).clocks(6, config.training.mode)
    words = sum(shape.edges + shape.n_right for shape in config.junctions)
    assert len(outcome.numbers) == words + len(images)


def test_a_program_that_fails_is_one_line(tmp_path: Path) -> None:
    """What it says is what the user reads."""
    with pytest.raises(FlowError, match="failed: nothing to read"):
        example._program(["/bin/sh", "-c", "echo nothing to read >&2; exit 1"], tmp_path)


def test_a_difference_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong bit and a wrong count of clocks are failures, each by itself."""
    good = Outcome({"CLOCKS": 848}, {"CLOCKS": 848}, [1, 2], [1, 2])
    for outcome in (dataclasses.replace(good, numbers=[1, 3]), dataclasses.replace(good, counters={"CLOCKS": 847})):
        monkeypatch.setattr(example, "run", lambda *_, found=outcome: found)
        assert not example.example()
        assert "FAIL" in capsys.readouterr().out
    monkeypatch.setattr(example, "run", lambda *_: good)
    assert example.example()
