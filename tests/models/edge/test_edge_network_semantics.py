# SPDX-License-Identifier: Apache-2.0
"""What a run of the network means: staleness, chunks, orders, refusals; and the loops without their compiler."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from edge_configs import random_config, values
from numba.core.registry import CPUDispatcher
from test_edge_network import CASES, play

from models.edge import float_twin, kernel
from models.edge.config import EdgeConfig, Mode
from models.edge.interleaver import Connectivity
from models.edge.network import EdgeNetwork
from models.edge.schedule import Schedule


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the compiled loops as the Python that they are written in."""
    for module in (kernel, float_twin):
        for name, function in vars(module).items():
            if isinstance(function, CPUDispatcher):
                monkeypatch.setattr(module, name, function.py_func)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("case", range(24))
def test_interpreted_loops_match_the_reference_and_never_overflow(case: int) -> None:
    """NumPy's 32-bit integers raise where the compiled ones would wrap."""
    config = random_config(random.Random(1000 + case), junctions=1 + case % 3)
    with np.errstate(over="raise"):
        play(config, np.random.default_rng(case), [Mode.PIPELINED, Mode.SEQUENTIAL, Mode.INFERENCE])


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(("width", "frac"), [(16, 14), (16, 1), (12, 10), (12, 8)])
@pytest.mark.parametrize("stochastic", [False, True])
def test_extremes_fit_the_integers_of_the_loops(width: int, frac: int, stochastic: bool) -> None:
    """All inputs and parameters at their limits, at every learning rate, in a junction with many inputs."""
    config = EdgeConfig.from_dict(
        values([64, 4, 2], [4, 2], [8, 4], ["relu", "sigmoid"],
               format={"width": width, "frac": frac}, training={"lr_max": 16})
    )  # fmt: skip
    fmt = config.format
    pattern = Connectivity.generate(config)
    for lr in (0, 1, 8, 15, 16):
        for weight in (fmt.min_raw, fmt.max_raw):
            limits = [np.full(shape.edges, weight) for shape in config.junctions]
            biases = [np.full(shape.n_right, weight) for shape in config.junctions]
            network = EdgeNetwork(config, pattern, limits, biases)
            x = np.array([[fmt.min_raw] * 64, [fmt.max_raw] * 64])
            with np.errstate(over="raise"):
                result = network.run(x, [0, 1], Mode.SEQUENTIAL, lr, stochastic, 1)
            assert result.saturated_ff.sum() > 0


def test_random_cases_cover_what_they_should() -> None:
    """The classes of shapes, formats and options that the comparison with the reference stands on."""
    seen: Counter[str] = Counter()
    for case in range(CASES):
        config = random_config(random.Random(case), junctions=1 + case % 4)
        plan = Schedule(config)
        seen[f"L = {len(config.junctions)}"] += 1
        seen[f"{config.format.width}b/{config.format.frac}f"] += 1
        seen["dither"] += config.dither
        seen["one seed vector"] += not config.sweep_seeds
        seen["unequal C"] += len({shape.clocks for shape in config.junctions}) > 1
        seen["stale by several samples"] += max(plan.staleness(Mode.PIPELINED)) >= 4
        seen["sigmoid hidden"] += "sigmoid" in config.activations[:-1]
        seen["relu hidden"] += "relu" in config.activations[:-1]
        for shape in config.junctions:
            seen["fi > z"] += shape.fan_in > shape.z
            seen["fi < z"] += shape.fan_in < shape.z
            seen["fi = z"] += shape.fan_in == shape.z
            seen["z = 1"] += shape.z == 1
            seen["not a power of two"] += bool(shape.sweep & (shape.sweep - 1))
            seen["neuron straddles sweeps"] += shape.sweep % shape.q > 0
            seen["sums of 64 bits"] += shape.fan_in << (2 * config.format.width - 2) >= 1 << 31
    wanted = [f"L = {n}" for n in (1, 2, 3, 4)] + ["8b/5f", "16b/12f", "12b/8f", "4b/1f", "dither", "one seed vector"]
    wanted += ["unequal C", "stale by several samples", "sigmoid hidden", "relu hidden", "fi > z", "fi < z", "fi = z"]
    wanted += ["z = 1", "not a power of two", "neuron straddles sweeps", "sums of 64 bits"]
    assert all(seen[name] >= 3 for name in wanted), {name: seen[name] for name in wanted}


def example(**more: Any) -> tuple[EdgeConfig, EdgeNetwork, np.ndarray, np.ndarray]:
    """A network of two junctions and 40 samples."""
    config = EdgeConfig.from_dict(values([32, 16, 8], [4, 4], [16, 8], ["relu", "sigmoid"], **more))
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (40, 32)).astype(np.int16)
    return config, EdgeNetwork(config, Connectivity.generate(config)), x, rng.integers(0, 8, 40)


def test_weights_are_stale_by_just_what_the_schedule_says() -> None:
    """The first output that a change of sample 0 can touch is that of the sample after the staleness of junction L."""
    config, first, x, labels = example()
    second = EdgeNetwork(config, Connectivity.generate(config))
    other = labels.copy()
    other[0] = (labels[0] + 1) % 8
    one = first.run(x, labels, Mode.PIPELINED).outputs
    two = second.run(x, other, Mode.PIPELINED).outputs
    stale = first.schedule.staleness(Mode.PIPELINED)[-1]
    differ = np.nonzero((one != two).any(axis=1))[0]
    assert differ[0] == 1 + stale
    assert stale > 0
    third, fourth = (EdgeNetwork(config, Connectivity.generate(config)) for _ in range(2))
    one, two = (net.run(x, given, Mode.SEQUENTIAL).outputs for net, given in ((third, labels), (fourth, other)))
    assert np.nonzero((one != two).any(axis=1))[0][0] == 1


def test_sequential_training_is_the_same_in_any_chunks() -> None:
    """Runs that drain leave nothing behind: with half-up rounding, 40 samples are 3 runs."""
    config, whole, x, labels = example()
    outputs = whole.run(x, labels, Mode.SEQUENTIAL, 2).outputs
    parts = EdgeNetwork(config, Connectivity.generate(config))
    split = [parts.run(x, labels, Mode.SEQUENTIAL, 2, order=rows).outputs for rows in np.split(np.arange(40), [7, 8])]
    assert np.array_equal(np.concatenate(split), outputs)
    assert all(np.array_equal(a, b) for a, b in zip(whole.weights, parts.weights, strict=True))


def test_training_resumes_from_its_parameters() -> None:
    config, whole, x, labels = example()
    whole.run(x[:20], labels[:20], stochastic=True, rng_seed=5)
    copy = EdgeNetwork(config, Connectivity.generate(config), whole.weights, whole.biases)
    one = whole.run(x[20:], labels[20:], stochastic=True, rng_seed=6)
    two = copy.run(x[20:], labels[20:], stochastic=True, rng_seed=6)
    assert np.array_equal(one.outputs, two.outputs)
    assert all(np.array_equal(a, b) for a, b in zip(whole.biases, copy.biases, strict=True))


def test_order_picks_rows() -> None:
    _, network, x, labels = example()
    order = np.array([3, 1, 1, 39])
    result = network.run(x, labels, Mode.INFERENCE, order=order)
    expected = network.run(x[order], labels[order], Mode.INFERENCE)
    assert np.array_equal(result.outputs, expected.outputs)
    assert result.correct == expected.correct


def test_inference_changes_nothing() -> None:
    _, network, x, labels = example()
    before = [array.copy() for array in (*network.weights, *network.biases)]
    result = network.run(x, labels, Mode.INFERENCE, stochastic=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, (*network.weights, *network.biases), strict=True))
    assert result.saturated_bp.sum() == result.saturated_up.sum() == 0


def test_ties_go_to_the_lowest_class_and_unused_outputs_never_win() -> None:
    config = EdgeConfig.from_dict(values([8, 4], [2], [4], ["sigmoid"]))
    config = replace(config, classes=3)
    network = EdgeNetwork(config, Connectivity.generate(config), [np.zeros(16)], [[0, 9, 9, 2000]])
    assert network.run(np.zeros((1, 8)), [0], Mode.INFERENCE).classes.tolist() == [1]


def test_rounding_seed_matters_only_to_stochastic_rounding() -> None:
    weights = []
    for stochastic in (False, True):
        for seed in (1, 2):
            _, network, x, labels = example()
            network.run(x, labels, stochastic=stochastic, lr_shift=4, rng_seed=seed)
            weights.append(np.concatenate(network.weights))
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[2], weights[3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((40, 31))}, r"x \(40, 31\) and labels \(40,\) must be \(n, 32\) and \(n,\)"),
        ({"labels": np.zeros(39)}, r"labels \(39,\) must be"),
        ({"labels": np.full(40, 8)}, r"labels 8 … 8 must be 0 … 7"),
        ({"x": np.full((40, 32), 2048)}, r"x 2048 … 2048 must be -2048 … 2047"),
        ({"x": np.full((40, 32), 65536)}, r"x 65536 … 65536 must be -2048 … 2047"),
        ({"order": []}, r"at least one sample, each a row 0 … 39 of x"),
        ({"order": [40]}, r"each a row 0 … 39 of x"),
        ({"lr_shift": 9}, r"lr_shift = 9 must be 0 … LR_MAX = 8"),
    ],
)
def test_arguments_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    _, network, x, labels = example()
    with pytest.raises(ValueError, match=message):
        network.run(**({"x": x, "labels": labels} | change))


def test_parameters_that_do_not_fit_are_refused() -> None:
    config, network, _, _ = example()
    pattern = Connectivity.generate(config)
    with pytest.raises(ValueError, match="weights: 1 arrays given, 2 junctions"):
        EdgeNetwork(config, pattern, weights=network.weights[:1])
    with pytest.raises(ValueError, match=r"biases of junction 2: shape \(8,\), range 0 … 2048; must be \(8,\)"):
        EdgeNetwork(config, pattern, biases=[network.biases[0], np.array([0] * 7 + [2048])])
    with pytest.raises(ValueError, match=r"weights of junction 1: shape \(64,\)"):
        EdgeNetwork(config, pattern, weights=[network.weights[1], network.weights[0]])
