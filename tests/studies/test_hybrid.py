# SPDX-License-Identifier: Apache-2.0
"""The study of hybrid training: what it compares is what trainings with those modes give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.edge.config import EdgeConfig, Mode
from models.edge.schedule import Schedule
from models.edge.training import RawData, train
from studies.edge import hybrid

TINY = Path(__file__).resolve().parents[2] / "configs" / "edge" / "tiny.toml"


def test_what_is_compared() -> None:
    assert hybrid.switches(10) == [10, 8, 5, 0]
    assert hybrid.switches(2) == [2, 1, 0]
    assert hybrid.switches(1) == [1, 0]
    config = EdgeConfig.load(TINY)
    assert hybrid.faster(config, 1).training.lr_shifts == (0, 1)
    assert hybrid.faster(config, 2).training.lr_shifts == (0, 0)
    assert hybrid.reseeded(config, 0) == config
    assert hybrid.reseeded(config, 1).training.init_seed == 2


def test_accuracies_and_clocks_are_those_of_whole_trainings() -> None:
    """Though epochs that trainings have in common are trained once."""
    config = EdgeConfig.load(TINY)
    data, schedule = RawData.load(config), Schedule(config)
    config = replace(config, training=replace(config.training, checkpoint=40))
    for training in hybrid.compare(config, data, 100, 3, 2):
        modes = [Mode.PIPELINED] * training.pipelined + [Mode.SEQUENTIAL] * training.sequential
        runs = [schedule.clocks(n, mode) for mode in modes for n in (40, 40, 20)]
        assert training.clocks == sum(runs)
        for seed, accuracy in enumerate(training.accuracies):
            again = hybrid.reseeded(config, seed)
            again = replace(again, training=replace(again.training, modes=tuple(modes)))
            *_, last = train(again, data, 100, 3, twin=False)
            assert last.test == accuracy, (modes, seed)


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    hybrid.main([str(TINY), "--seeds", "2", "--epochs", "3", "--samples", "60", "--faster", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "tiny: 3 epochs of 60 samples, seeds: 2, learning rates times 2"
    assert lines[1].endswith("misses when pipelined: 6, 2")
    assert [line.split()[:2] for line in lines[3:]] == [
        ["pipelined", "3+0"], ["hybrid", "2+1"], ["hybrid", "1+2"], ["sequential", "0+3"],
    ]  # fmt: skip
    assert " ± " not in lines[3]
    assert " ± " in lines[4]
    assert lines[3].split()[-1] == "1.00"
