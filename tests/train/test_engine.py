# SPDX-License-Identifier: Apache-2.0
"""The published network on MNIST: 2,000 samples in every mode, all outputs, parameters and counters as in the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from trainings import result_of, training, variant

from flow.paths import ROOT
from flow.train.edge.command import train

SAMPLES = 2000


@pytest.mark.parametrize(("mode", "rounding"), [("pipelined", "stochastic"), ("sequential", "half_up")])
def test_mnist_64(mode: str, rounding: str, tmp_path: Path) -> None:
    """Checkpoints every 1,000 samples; a test in inference mode on 2,000 images follows."""
    changes = {"mode": f'"{mode}"', "rounding": f'"{rounding}"', "checkpoint": str(SAMPLES // 2)}
    config = variant(tmp_path, f"mnist_64_{mode}", ROOT / "configs" / "edge" / "mnist_64.toml", **changes)
    request = training(config, tmp_path, epochs="1", samples=str(SAMPLES))
    assert train(request) == 0
    result = result_of(tmp_path)
    outputs = request.config.layers[-1]
    parameters = sum(shape.edges + shape.n_right for shape in request.config.junctions)
    assert result["samples"] == result["test_samples"] == SAMPLES
    assert result["compared"] > 2 * SAMPLES * (outputs + 2) + 3 * parameters
    assert result["mismatches"] == 0
    assert result["clocks_measured"] == result["clocks_predicted"]
    assert result["test_clocks_measured"] == result["test_clocks_predicted"]
    assert result["test_accuracy"] == result["model_test_accuracy"] > 0.5, "the network must learn"
