# SPDX-License-Identifier: Apache-2.0
"""Activations with a limit, such as ReLU6: outputs, gradients, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from pe_nets import conv
from slopes import assert_slopes

from models.lib.toml_section import ConfigError
from models.pe_array.network import layers
from models.pe_array.network.config import PeConfig
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.network import PeNetwork
from tests.models.pe_array.compiler.pe_steps import batch, values

DENSE = {"kind": "dense", "outputs": 5, "weight_frac": 6, "out_frac": 4}


def config(**keys: Any) -> PeConfig:
    made = values(random.Random(1), [conv("a", **keys), DENSE])
    made["input"] |= {"channels": 2, "height": 6, "width": 5}
    made["training"] |= {"rate_shift": [14]}
    return PeConfig.from_dict(made)


@pytest.mark.parametrize(("clip", "raw"), [(6.0, 96), (1.0, 16), (0.0625, 1), (7.9375, 127), (8.0, 127), (255.0, 127)])
def test_limits_are_raw_numbers_of_data_bits(clip: float, raw: int) -> None:
    assert config(clip=clip).layers[0].clip == raw
    assert config().layers[0].clip == 0


def test_outputs_and_gradients_end_there() -> None:
    """Where an output is at its limit, there is no gradient; elsewhere there is the one of a network without limit."""
    network, free = PeNetwork(config(clip=2.0)), PeNetwork(config())
    images, labels = batch(network.config, 1)
    trace, other = network.forward(images), free.forward(images)
    assert np.array_equal(trace.outputs[0], np.minimum(other.outputs[0], 32))
    assert (trace.outputs[0] == 32).any()
    other.outputs, other.inputs = trace.outputs, trace.inputs
    for each, maps in ((network, trace), (free, other)):
        each.backward(maps, labels)
    inside = trace.outputs[0] < 32
    assert np.array_equal(trace.deltas[0], np.where(inside, other.deltas[0], 0))
    assert (other.deltas[0][~inside] != 0).any()


def test_a_limit_does_not_limit_gradients() -> None:
    """With a mask the results go beyond it, in both directions."""
    acc, mask = np.array([100, -100, 100, 100], dtype=np.int32), np.array([1, 1, 0, 2], dtype=np.int8)
    made = layers.requantise(acc, 0, mask=mask, high=2)
    assert made.values.tolist() == [100, -100, 0, 0]
    assert layers.requantise(acc, 0, high=2).values.tolist() == [2, -100, 2, 2]


def test_float_twin_has_the_slopes_of_its_loss() -> None:
    twin = FloatNetwork(PeNetwork(config(clip=0.5)))
    images, labels = batch(twin.config, 1)
    x, labels = images / 64.0, labels % 5
    maps = twin.forward(x)[0]
    assert maps[0].max() == 0.5

    w, gradient = twin.weights[0], twin.gradients(x, labels)[0][0]
    places = np.random.default_rng(2).integers(0, w.size, 12)
    assert_slopes(twin, x, labels, w, gradient, places, step=1e-7, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"clip": 6.0, "relu": False}, r"layers\[0\]\.clip = 6\.0 needs layers\[0\]\.relu = true"),
        ({"clip": 0.03}, r"layers\[0\]\.clip = 0\.03 must be at least 0\.0625, an output of 1"),
        ({"clip": 0}, r"layers\[0\]\.clip = 0"),
        ({"clip": 300.0}, r"layers\[0\]\.clip = 300"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**keys)
