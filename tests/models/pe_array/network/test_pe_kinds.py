# SPDX-License-Identifier: Apache-2.0
"""Every kind of layer: its bit-exact phases against its float twin, and its programs, run and timed, against both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from slopes import assert_slopes

from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import clocks_of_parts
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.kinds import KINDS
from models.pe_array.network.network import PeNetwork
from tests.models.pe_array.compiler.pe_steps import train

FRACS = {"weight_frac": 6, "out_frac": 4, "delta_frac": 7}

KEYS: dict[str, dict[str, Any]] = {
    "conv": {"outputs": 4, "kernel": 3, "pad": 1, "stride": 2, **FRACS},
    "dense": {"outputs": 6, **FRACS},
    "concat": {"inputs": ["layers[0]", "layers[0]"]},
    "max_pool": {"kernel": 2},
    "average_pool": {"kernel": 3, "stride": 1, "out_frac": 6, "delta_frac": 8},
    "global_average_pool": {"delta_frac": 8},
}
"""Of a small layer of every kind, which reads a map of 3 x 6 x 5."""

PHASES = {"concat": ("part1.1", "skip1.3")}
"""Of kinds whose phases have other names: a map that is there twice is copied, and has two gradients."""


def network(kind: str) -> PeNetwork:
    """A convolution, a layer of that kind, and the output."""
    first = {"kind": "conv", "outputs": 3, "kernel": 3, "pad": 1, **FRACS}
    last = {"kind": "dense", "outputs": 5, "weight_frac": 6, "out_frac": 3}
    config = {
        "name": kind,
        "input": {"channels": 2, "height": 6, "width": 5, "frac": 6},
        "layers": [first, {"kind": kind, **KEYS[kind]}, last],
        "training": {"batch": 8, "epochs": 1, "rate_shift": [16], "init_seed": 3, "order_seed": 1},
        "array": {"pes": 2},
    }
    return PeNetwork(PeConfig.from_dict(config))


def test_every_kind_is_tried() -> None:
    assert KEYS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KEYS)
def test_phases_are_those_of_the_float_twin(kind: str) -> None:
    made, rng = network(kind), np.random.default_rng(5)
    layer, weights = made.config.layers[1], made.weights[1]
    x = rng.integers(-60, 60, (*layer.in_shape, 8), dtype=np.int8)
    d = rng.integers(-60, 60, (*layer.out_shape, 8), dtype=np.int8)
    w = weights.positions.scatter(weights.mac / 2**layer.weight_frac, layer.conv) if weights else np.empty(0)
    found = layer.feedforward(x, weights, None)
    sums, indices = layer.float_forward(x / 2**layer.in_frac, w)
    real = np.maximum(sums, 0) if layer.relu else sums
    assert found.values.shape == real.shape == d.shape
    half = 0.51 + np.abs(real) * 2**layer.out_frac / 100  # of the last bit; 8 bits are not quite 1/9
    assert (np.abs(found.values - np.clip(real * 2**layer.out_frac, -128, 127)) <= half).all()
    assert np.array_equal(found.indices, indices)
    back = layer.input_gradient(d, found.indices, weights) / 2**layer.backward_frac
    assert back == pytest.approx(layer.float_input_gradient(d / 2**layer.delta_frac, indices, w), rel=0.01, abs=1e-9)
    gradient = layer.weight_gradient(x, d, weights)
    dense = layer.float_weight_gradient(x.astype(float), d.astype(float))
    assert np.array_equal(gradient, weights.positions.gather(dense) if weights else dense)


@pytest.mark.parametrize("kind", KEYS)
def test_gradients_of_the_float_twin_are_slopes_of_the_loss(kind: str) -> None:
    made, rng = network(kind), np.random.default_rng(7)
    twin = FloatNetwork(made)
    images, labels = rng.standard_normal((*made.config.in_shape, 8)), rng.integers(0, 5, 8)
    found, *_ = twin.gradients(images, labels)

    for w, gradient in zip(twin.weights, found, strict=True):
        places = rng.integers(0, w.size, 12 if w.size else 0)
        assert_slopes(twin, images, labels, w, gradient, places, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("kind", KEYS)
def test_a_float_twin_of_less_precision(kind: str) -> None:
    """Of float32 all through, which takes half the time, and near the float64 one."""
    made, rng = network(kind), np.random.default_rng(7)
    images, labels = rng.standard_normal((*made.config.in_shape, 8)), rng.integers(0, 5, 8)
    twin, exact = FloatNetwork(made, np.float32), FloatNetwork(made)
    found, want = twin.gradients(images, labels), exact.gradients(images, labels)
    for a, b in zip(
        [*found[0], *found[1], *twin.maps, *twin.deltas], [*want[0], *want[1], *exact.maps, *exact.deltas], strict=True
    ):
        assert not a.size or a.dtype == np.float32
        assert a == pytest.approx(b, rel=1e-3, abs=1e-4)
    twin.train_step(images, labels, 12)
    exact.train_step(images, labels, 12)
    for a, b in zip(twin.weights + twin.biases, exact.weights + exact.biases, strict=True):
        assert a.dtype == np.float32
        assert a == pytest.approx(b, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("kind", KEYS)
def test_the_array_runs_it(kind: str) -> None:
    made = network(kind)
    step = StepProgram(made, grid_of(made.config), search=False)
    memory = StepMemory(step)
    memory.put(made, 16)
    clocks = ArrayClocks(step.grid, Sizes(latency=40)).run(step.address, step.descriptors, memory.memory)
    parts = clocks_of_parts(step.parts, step.descriptors, clocks)
    forward, backward = PHASES.get(kind, ("ff1", "ng1"))
    assert sum(parts.values()) == clocks.clocks > parts[forward] > 0
    assert parts[backward] > 0
    train(made, step, 2)  # every bit of two steps, machine against network
