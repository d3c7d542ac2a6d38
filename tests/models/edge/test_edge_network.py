# SPDX-License-Identifier: Apache-2.0
"""The compiled network against the slow reference: every output, parameter and counter, 0 LSB."""

from __future__ import annotations

import random

import numpy as np
import pytest
from edge_configs import random_config
from reference_network import ReferenceNetwork

from models.edge.config import EdgeConfig, Mode
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork

CASES = 160


def reference(config: EdgeConfig, connectivity: Connectivity, network: EdgeNetwork) -> ReferenceNetwork:
    return ReferenceNetwork(
        layers=list(config.layers),
        fan_out=[shape.fan_out for shape in config.junctions],
        z=[shape.z for shape in config.junctions],
        activations=list(config.activations),
        classes=config.classes,
        width=config.format.width,
        frac=config.format.frac,
        lr_max=config.lr_max,
        seeds=[seeds.tolist() for seeds in connectivity.seeds],
        perms=[perms.tolist() for perms in connectivity.perms],
        weights=[weights.tolist() for weights in network.weights],
        biases=[biases.tolist() for biases in network.biases],
    )


def assert_same(what: str, got: object, expected: object) -> None:
    got_array, expected_array = np.asarray(got), np.asarray(expected)
    assert got_array.shape == expected_array.shape, what
    wrong = np.argwhere(got_array != expected_array)
    if wrong.size:
        at = tuple(wrong[0])
        pytest.fail(f"{what}{list(map(int, at))}: expected {expected_array[at]}, got {got_array[at]}")


def play(config: EdgeConfig, rng: np.random.Generator, modes: list[Mode]) -> EdgeNetwork:
    """Run both models in the given modes one after the other, extreme inputs and parameters included."""
    fmt = config.format
    spread = int(rng.choice([1, fmt.one, fmt.max_raw]))

    def raw(shape: tuple[int, ...]) -> np.ndarray:
        array = rng.integers(max(-spread, fmt.min_raw), min(spread, fmt.max_raw) + 1, shape)
        corner = rng.choice([fmt.min_raw, fmt.max_raw], shape)
        return np.where(rng.random(shape) < 0.1, corner, array)

    connectivity = Connectivity.generate(config)
    weights = [raw((shape.edges,)) for shape in config.junctions]
    biases = [raw((shape.n_right,)) for shape in config.junctions]
    network = EdgeNetwork(config, connectivity, weights, biases)
    slow = reference(config, connectivity, network)
    for mode in modes:
        n = int(rng.integers(1, 12))
        x, labels = raw((n, config.layers[0])), rng.integers(0, config.classes, n)
        lr = int(rng.integers(0, config.lr_max + 1))
        stochastic, seed = bool(rng.integers(2)), int(rng.integers(65536))
        outputs = slow.run(x.tolist(), labels.tolist(), mode.name.lower(), lr, stochastic, seed)
        result = network.run(x, labels, mode, lr, stochastic, seed)
        assert_same(f"{mode.name} outputs", result.outputs, outputs)
        best = [row.index(max(row)) for row in (output[: config.classes] for output in outputs)]
        assert_same("classes", result.classes, best)
        assert result.correct == sum(a == b for a, b in zip(best, labels.tolist(), strict=True))
        for i in range(len(config.junctions)):
            assert_same(f"{mode.name} weights of junction {i + 1}", network.weights[i], slow.weights[i])
            assert_same(f"{mode.name} biases of junction {i + 1}", network.biases[i], slow.biases[i])
        assert_same("FF saturations", result.saturated_ff, slow.sat_ff)
        assert_same("BP saturations", result.saturated_bp, slow.sat_bp)
        assert_same("UP saturations", result.saturated_up, slow.sat_up)
    return network


@pytest.mark.parametrize("case", range(CASES))
def test_random_networks_match_the_reference(case: int) -> None:
    config = random_config(random.Random(case), junctions=1 + case % 4)
    modes = [Mode.PIPELINED, Mode.SEQUENTIAL, Mode.INFERENCE, Mode.PIPELINED]
    play(config, np.random.default_rng(case), modes)
