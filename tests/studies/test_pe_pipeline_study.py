# SPDX-License-Identifier: Apache-2.0
"""The study of pipelined stages: its networks, a row of its table, and trainings of some steps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.pe_array.network.config import PeConfig
from models.pe_array.network.stages.schedule import StageSchedule, StageWork, places
from models.pe_array.training.images import TrainingImages
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


def test_accuracy_of_some_steps() -> None:
    """Rows of all cuts, from trainings of two epochs of two steps; shares of weights by hand."""
    config = PeConfig.load(accuracy.LENET)
    config = replace(config, training=replace(config.training, epochs=2))
    data = TrainingImages.load(config)
    rows = [*accuracy.table(config, replace(data, train=data.train[:64], test=data.test[:32]))]
    assert [row[0] for row in rows] == list(accuracy.CUTS)
    old = [150 / 61_470, 2_550 / 61_470, 60_630 / 61_470, 50_550 / 61_470]
    assert [row[3] for row in rows] == [f"{share:.1%}" for share in old]
    assert len({row[-1] for row in rows}) == 1
