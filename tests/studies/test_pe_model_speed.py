# SPDX-License-Identifier: Apache-2.0
"""The speed of the model: both ways are timed, and must be equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.lib import threads
from models.pe_array.isa.shapes import Conv
from models.pe_array.network import products
from models.pe_array.network.config import PeConfig
from studies import model_speed, published
from studies.networks import WeightLayer

SMALL = WeightLayer("small", Conv.make(4, 3, 3, pad=1), 4, 4)
DENSITIES = {SMALL.name: 0.5}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the networks, small ones."""
    monkeypatch.setattr(model_speed.networks, "layers", lambda network: [SMALL])
    config = PeConfig.load(Path(__file__).resolve().parents[2] / "configs" / "pe_array" / "lenet5_mnist.toml")
    monkeypatch.setattr(model_speed, "vgg11", lambda: config)


@pytest.mark.usefixtures("small")
def test_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(model_speed, "chosen_densities", lambda options: DENSITIES)
    before = threads.count()
    model_speed.main(["--batch", "2", "--times", "1", "--cpu", "--threads", str(before)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{published.NETWORK}, batch 2, {before} threads")
    assert lines[1] == "time of all cores together, least of 1"
    assert [line.split()[:3] for line in lines[3:9]] == [
        ["small", density, phase] for density in ("1.00", "0.50") for phase in model_speed.PHASES
    ]
    assert [line.split()[0] for line in lines[9:15]] == ["all"] * 6
    assert [line.split(",")[0] for line in lines[17:]] == ["lenet5_mnist"] * 4


def test_the_network_is_the_published_one() -> None:
    config = model_speed.vgg11()
    trained = [layer for layer in config.layers if layer.has_weights]
    assert sum(layer.weights for layer in trained) == sum(
        layer.weights for layer in model_speed.networks.layers(published.NETWORK)
    )
    assert [layer.density for layer in trained] == list(published.DENSITIES.values())


def test_ways_that_differ_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = products.sums

    def wrong(*arguments: object, **keys: object) -> np.ndarray:
        out: np.ndarray = right(*arguments, **keys)  # type: ignore[arg-type]
        out[0] += 1
        return out

    monkeypatch.setattr(products, "sums", wrong)
    with pytest.raises(RuntimeError, match="small, FF: both ways must be equal in every bit"):
        model_speed.time_layer(SMALL, False, 1.0, 2, model_speed.Clock(1))
