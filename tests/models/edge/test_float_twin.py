# SPDX-License-Identifier: Apache-2.0
"""The float twin: true gradients, the same staleness, and what fixed point converges to."""

from __future__ import annotations

import numpy as np
import pytest
from edge_configs import values
from test_edge_network_semantics import interpreted  # noqa: F401

from models.edge.activation import ACTIVATIONS
from models.edge.config import EdgeConfig, Mode
from models.edge.float_twin import FloatTwin
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork


def pair(activation: str = "relu", width: int = 16, frac: int = 12) -> tuple[EdgeConfig, EdgeNetwork]:
    config = EdgeConfig.from_dict(
        values([24, 12, 8, 4], [4, 4, 4], [8, 6, 8], [activation, activation, "sigmoid"],
               format={"width": width, "frac": frac})
    )  # fmt: skip
    return config, EdgeNetwork(config, Connectivity.generate(config))


def samples(config: EdgeConfig, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.integers(0, config.format.one, (n, 24)).astype(np.int16), rng.integers(0, 4, n)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_updates_follow_the_gradient_of_the_cross_entropy(activation: str) -> None:
    """One sample, eta = 1: the change of every parameter is minus the finite difference of the loss."""
    config, network = pair(activation)
    x, labels = samples(config, 1)
    trained, probe = FloatTwin(network), FloatTwin(network)
    trained.run(x, labels, Mode.SEQUENTIAL, 0)
    target = np.eye(4)[labels[0]]

    def loss() -> float:
        out = probe.run(x, labels, Mode.INFERENCE).outputs[0]
        return float(-(target * np.log(out) + (1 - target) * np.log(1 - out)).sum())

    step = 1e-6
    for before, after in ((probe.weights, trained.weights), (probe.biases, trained.biases)):
        for k in range(len(before)):
            start = before[k]
            high = (before.__setitem__(k, start + step), loss())[1]
            low = (before.__setitem__(k, start - step), loss())[1]
            before[k] = start
            assert after[k] - start == pytest.approx(-(high - low) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("mode", [Mode.PIPELINED, Mode.SEQUENTIAL])
def test_fixed_point_converges_to_the_twin(mode: Mode) -> None:
    """60 stale or fresh updates in 16 bits stay close to float; in 10 bits they are clearly further away."""
    distances = []
    for width, frac in ((16, 13), (10, 7)):
        config, network = pair("sigmoid", width, frac)
        twin = FloatTwin(network)
        x, labels = samples(config, 60)
        fixed = network.run(x, labels, mode, 2).outputs / config.format.one
        floating = twin.run(x, labels, mode, 2).outputs
        distances.append(np.abs(fixed - floating).max())
    assert distances[0] < 0.01
    assert distances[1] > 3 * distances[0]


def test_staleness_is_that_of_the_network() -> None:
    config, network = pair()
    x, labels = samples(config, 20)
    other = labels.copy()
    other[0] = (other[0] + 1) % 4
    one, two = (FloatTwin(network).run(x, given, Mode.PIPELINED, 2) for given in (labels, other))
    stale = network.schedule.staleness(Mode.PIPELINED)[-1]
    assert np.nonzero((one.outputs != two.outputs).any(axis=1))[0][0] == 1 + stale


def test_order_and_classes() -> None:
    config, network = pair()
    x, labels = samples(config, 10)
    twin = FloatTwin(network)
    whole = twin.run(x, labels, Mode.INFERENCE)
    some = twin.run(x, labels, Mode.INFERENCE, order=[4, 2])
    assert np.array_equal(some.outputs, whole.outputs[[4, 2]])
    assert np.array_equal(whole.classes, whole.outputs.argmax(axis=1))
    assert whole.correct == (whole.classes == labels).sum()


@pytest.mark.parametrize("mode", list(Mode))
def test_interpreted_loops_compute_the_same(mode: Mode, request: pytest.FixtureRequest) -> None:
    config, network = pair()
    x, labels = samples(config, 6)
    compiled, plain = FloatTwin(network), FloatTwin(network)
    expected = compiled.run(x, labels, mode, 1).outputs
    request.getfixturevalue("interpreted")
    assert np.allclose(plain.run(x, labels, mode, 1).outputs, expected, rtol=1e-9)
    assert np.allclose(plain.weights, compiled.weights, rtol=1e-9)
    assert np.allclose(plain.biases, compiled.biases, rtol=1e-9)
