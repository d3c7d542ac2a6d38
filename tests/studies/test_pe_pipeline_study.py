# SPDX-License-Identifier: Apache-2.0
"""The study of pipelined stages: its networks, a row of its table, and trainings of some steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models.lib.toml_section import ConfigError
from models.pe_array.network.config import PeConfig
from models.pe_array.network.stages.schedule import Pipeline, StageSchedule, StageWork, places
from models.pe_array.training.stage_clocks import PlayedPipeline, PlayedStage
from studies.pipeline import accuracy
from studies.pipeline.clocks import RESIDUAL, StagesRow, resnet


@pytest.mark.parametrize(("name", "weights", "cuts"), [("ResNet-20", 270_896, 10), ("8 equal blocks", 37_456, 9)])
def test_networks(name: str, weights: int, cuts: int) -> None:
    """Weights counted by hand: 3 x 3 kernels, point-wise projections, and the dense layer. Blocks are not cut."""
    layers = resnet(name).layers
    assert sum(layer.weights for layer in layers if layer.has_weights) == weights
    assert len(places(layers)) == cuts
    assert set(RESIDUAL) >= {name}


def test_a_row() -> None:
    config = PeConfig.load(accuracy.LENET)
    stages = (
        PlayedStage({StageWork.BOTH: 9_000, StageWork.FORWARD: 3_000, StageWork.BACKWARD: 6_500}, 2_000),
        PlayedStage({StageWork.BOTH: 8_000}, 1_000),
    )
    found = PlayedPipeline(StageSchedule((0, 2), 7), stages, 16_500, 1_250)
    assert StagesRow("LeNet-5", config, found).cells == (
        "LeNet-5", "2", "layers[0], layers[2]", "9,000 / 8,000", "1,250", "10,250", "16,500", "1.61", "2 / 1",
    )  # fmt: skip


def test_accuracy_of_some_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of all cuts, from trainings of two epochs of two steps; shares of weights by hand. What a file has of them
    is not trained again.
    """
    config = PeConfig.load(accuracy.LENET)
    config = replace(config, training=replace(config.training, epochs=2))
    asked, file = accuracy.pipelines(accuracy.CUTS, 4, 2), tmp_path / "kept.jsonl"
    some = [*accuracy.all_trained(config, 64, asked[:3], 2, file)]
    assert len(file.read_text(encoding="utf-8").split()) >= 3
    shares = [*accuracy.all_trained(config, 64, asked, 1, file)]
    assert shares[:3] == some == [accuracy.trained(config, 64, each) for each in asked[:3]]
    with monkeypatch.context() as patch:
        patch.setattr(accuracy, "ProcessPoolExecutor", _Nobody)
        assert [*accuracy.all_trained(config, 64, asked, 1, file)] == shares
    rows = [*accuracy.table(config, accuracy.CUTS, iter(shares))]
    assert [row[0] for row in rows] == list(accuracy.CUTS)
    old = [150 / 61_470, 2_550 / 61_470, 60_630 / 61_470, 50_550 / 61_470]
    assert [row[3] for row in rows] == [f"{share:.1%}" for share in old]
    assert {row[-1] for row in rows} == {f"{shares[0]:.2%}"}
    assert [row[-3:-1] for row in rows] == [
        (f"{a:.2%}", f"{b:.2%}") for a, b in zip(shares[1::2], shares[2::2], strict=True)
    ]


class _Nobody:
    """Processes that train nothing."""

    def __init__(self, jobs: int) -> None:
        assert jobs == 1

    def __enter__(self) -> _Nobody:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, function: object, asked: list[Pipeline | None]) -> Iterator[float]:
        assert not asked
        return iter(())


def test_trainings_of_a_cut() -> None:
    """Hybrid ones switch where the plain epochs begin, counted in steps of the whole training."""
    plain, pipelined, hybrid = accuracy.pipelines({"": (0, 2)}, 40, 10)
    assert plain is None
    assert pipelined == Pipeline(2, (0, 2), "pipelined", None)
    assert hybrid == Pipeline(2, (0, 2), "hybrid", 30)


def test_cuts_by_name() -> None:
    layers = PeConfig.load(accuracy.LENET).layers
    config = PeConfig.load(accuracy.LENET)
    names = f"{layers[2].name},{layers[4].name}"
    assert accuracy.named_cuts(config, [names, layers[6].name]) == {
        names.replace(",", ", "): (0, 2, 4), layers[6].name: (0, 6),
    }  # fmt: skip
    for wrong in ("conv9", f"{layers[4].name},{layers[2].name}"):
        with pytest.raises(ConfigError, match=f"--cut {re.escape(wrong)}.stages"):
            accuracy.named_cuts(config, [wrong])
