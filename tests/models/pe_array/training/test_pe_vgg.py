# SPDX-License-Identifier: Apache-2.0
"""VGG-11 on CIFAR-10: its configurations are the published network, and narrow ones train bit by bit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.network.config import NEVER, PeConfig, grid_of
from models.pe_array.network.network import PeNetwork
from models.pe_array.training.images import TrainingImages
from models.pe_array.training.trainer import Trainer
from studies import networks, published
from tests.models.pe_array.compiler.pe_steps import train

CONFIGS = Path(__file__).resolve().parents[4] / "configs" / "pe_array"


def narrow(divisor: int, **training: Any) -> PeConfig:
    """The configuration with so many times fewer channels, on the shipped pictures, for a small array."""
    values = tomllib.loads((CONFIGS / "vgg11_rtl.toml").read_text())
    for layer in values["layers"][:-1]:
        if "outputs" in layer:
            layer["outputs"] //= divisor
    values["data"] |= {"set": str(CONFIGS.parents[1] / "data" / "cifar10" / "sample.npz"), "train_samples": 128}
    values["training"] |= training
    values["array"]["pes"] = 2
    return PeConfig.from_dict(values)


def test_the_published_network() -> None:
    config = PeConfig.load(CONFIGS / "vgg11_cifar10.toml")
    found = [(layer.name, layer.window, layer.density) for layer in config.layers if layer.has_weights]
    wanted = [(layer.name, layer.conv, published.DENSITIES[layer.name]) for layer in networks.layers("VGG-11 CIFAR")]
    assert found == wanted


def test_configurations_are_of_the_same_network() -> None:
    """The narrow one has a quarter of the channels and the same densities; the one for RTL has its layers."""
    names = ("vgg11_cifar10", "vgg11_quarter", "vgg11_rtl")
    whole, quarter, rtl = (PeConfig.load(CONFIGS / f"{name}.toml").layers for name in names)
    assert quarter == rtl
    for layer, narrower in zip(whole[:-1], quarter[:-1], strict=True):
        assert narrower.out_shape == (layer.out_shape[0] // 4, *layer.out_shape[1:])
        assert (narrower.kind, narrower.density, narrower.delta_frac) == (layer.kind, layer.density, layer.delta_frac)


@pytest.mark.parametrize("pruned", [False, True])
def test_a_step_is_bit_exact(pruned: bool) -> None:
    network = PeNetwork(narrow(16))
    if pruned:
        network.prune()
    train(network, StepProgram(network, grid_of(network.config), search=False), 1)


def test_numbers_fit_their_scales() -> None:
    """A network without normalisation dies of wrong scales: its numbers become 0, or the ends of a byte."""
    config = narrow(1, batch=32, prune_at=NEVER)
    trainer = Trainer(config, TrainingImages.load(config).train)
    traces = [trainer.train_step().traces[0] for _ in range(6)]
    for layer, values, deltas in zip(config.layers, traces[-1].outputs, traces[-1].deltas, strict=True):
        assert np.count_nonzero(values) > values.size / 10, layer.name
        assert np.count_nonzero(deltas) > deltas.size / 100, layer.name
    values_of_all = [len(traces) * trace.size for trace in traces[-1].outputs]
    assert (trainer.network.saturations[:2] < 0.02 * np.array(values_of_all)).all()
