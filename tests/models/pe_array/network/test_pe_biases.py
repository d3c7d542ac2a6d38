# SPDX-License-Identifier: Apache-2.0
"""Biases of layers: what they add to the sums, their gradients and updates, and what is kept of them in files."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pe_nets import conv
from slopes import assert_slopes

from models.lib.fixed_point import round_shift, saturate
from models.lib.toml_section import ConfigError
from models.pe_array.network import layers
from models.pe_array.network.config import PeConfig
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.weight_update import weight_update
from models.pe_array.training.weights_file import WeightsError, load_weights, save_weights
from tests.models.pe_array.compiler.pe_steps import batch, values

DENSE = {"kind": "dense", "outputs": 5, "weight_frac": 6, "out_frac": 4, "bias": True}


def config(layers: list[dict[str, Any]], momentum: int = 0, **training: Any) -> PeConfig:
    made = values(random.Random(1), layers, momentum=momentum)
    made["input"] |= {"channels": 2, "height": 6, "width": 5}
    made["training"] |= {"rate_shift": [14]} | training
    return PeConfig.from_dict(made)


def small(momentum: int = 0, **training: Any) -> PeNetwork:
    """A convolution and a dense layer, with biases that are not 0."""
    network = PeNetwork(config([conv("a", bias=True), DENSE], momentum, **training))
    rng = np.random.default_rng(3)
    for index in range(2):
        weights = network.layer_weights(index)
        weights.bias[:] = rng.integers(-(1 << 18), 1 << 18, len(weights.bias))
    return network


def test_they_are_added_before_the_sums_are_rounded() -> None:
    rng = np.random.default_rng(1)
    acc = rng.integers(-(1 << 31), 1 << 31, (3, 2, 4, 8)).astype(np.int32)  # with biases, they need 33 bits
    biases = np.array([1 << 30, -(1 << 30), 12345])
    for shift in (0, 5, 24, 31):
        made = layers.requantise(acc, shift, bias=biases)
        want, clipped = saturate(round_shift(acc + biases[:, None, None, None], shift), 8)
        assert np.array_equal(made.values, want)
        assert made.saturated == clipped.sum()
    with pytest.raises(ValueError, match="2 biases must be one or 3, the channels"):
        layers.requantise(acc, 5, bias=biases[:2])


def test_masters_are_rounded_to_the_fraction_bits_of_the_sums() -> None:
    network = small()
    layer, weights = network.config.layers[0], network.layer_weights(0)
    assert (layer.forward_frac, layer.bias_frac, layer.bias_shift) == (12, 16, 4)
    x, _ = batch(network.config, 1)
    sums = layers.conv_forward(layer.conv, x, weights.positions, weights.mac).astype(np.int64)
    biases = np.floor(weights.bias / 2.0**4 + 0.5).astype(np.int64)
    want = np.clip((sums + biases[:, None, None, None] + 128) >> 8, 0, 127)
    assert np.array_equal(layer.feedforward(x, weights, None).values, want)


def test_float_twin_adds_the_same() -> None:
    """Where nothing is clipped, values differ by what rounding makes."""
    network = small()
    x, _ = batch(network.config, 1)
    x //= 16
    outputs, twins = network.forward(x).outputs, FloatNetwork(network).forward(x / 2.0**6)[0]
    assert np.abs(outputs[0] / 2.0**4 - np.minimum(twins[0], 127 / 16)).max() < 0.2
    network.layer_weights(0).bias[:] = 0
    assert np.abs(network.forward(x).outputs[0] / 2.0**4 - np.minimum(twins[0], 127 / 16)).max() > 1


def test_gradients_are_sums_of_those_by_the_outputs() -> None:
    network = small()
    x, labels = batch(network.config, 2)
    trace = network.forward(x)
    network.backward(trace, labels)
    for d, gradient in zip(trace.deltas, trace.bias_gradients, strict=True):
        assert gradient.dtype == np.int32
        assert gradient.tolist() == [int(each.astype(int).sum()) for each in d]


def test_gradients_of_the_float_twin_are_slopes_of_its_loss() -> None:
    twin = FloatNetwork(small())
    x, labels = batch(twin.config, 1)
    images, labels = x / 64.0, labels % 5

    for biases, gradient in zip(twin.biases, twin.gradients(images, labels)[1], strict=True):
        assert_slopes(twin, images, labels, biases, gradient, range(len(biases)), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("momentum", [0, 3])
def test_updates_are_those_of_weights(momentum: int) -> None:
    network = small(momentum)
    for step in range(3):
        before = [(each.bias.copy(), each.bias_momenta.copy()) for each in network.weights if each]
        counts = network.saturations[2].copy()
        trace = network.train_step(*batch(network.config, step), 14)
        for index, (bias, momenta) in enumerate(before):
            shift = network.config.layers[index].bias_update_shift(14)
            made = weight_update(
                bias, trace.bias_gradients[index], shift, momentum=momenta if momentum else None, decay=momentum
            )
            weights = network.layer_weights(index)
            assert np.array_equal(weights.bias, made.master)
            assert np.array_equal(weights.bias_momenta, momenta if made.momentum is None else made.momentum)
            assert (weights.bias != bias).any()
        assert np.array_equal(network.saturations[2], counts)


def test_clipped_ones_are_counted() -> None:
    network = small()
    weights = network.layer_weights(1)
    weights.bias[:] = [(1 << 23) - 1, -(1 << 23), 0, 0, 0]
    trace = network.forward(batch(network.config, 1)[0])
    network.backward(trace, np.zeros(8, dtype=np.int64))
    for gradients in trace.gradients:
        gradients[:] = 0
    trace.bias_gradients[1][:] = [-(1 << 20), 1 << 20, 0, 0, 0]
    network.update(trace, 14)
    assert weights.bias.tolist()[:2] == [(1 << 23) - 1, -(1 << 23)]
    assert network.saturations[2].tolist() == [0, 2]


def test_a_step_is_one_of_the_float_twin() -> None:
    """Biases start at 0 and end where the twin's do, up to what 8 bits make of the gradients."""
    network = PeNetwork(config([conv("a", bias=True, out_frac=5, delta_frac=7), DENSE]))
    twin = FloatNetwork(network)
    x, labels = batch(network.config, 1)
    x, labels = x // 4, labels % 5
    network.train_step(x, labels, 14)
    twin.train_step(x / 64.0, labels, 14)
    for layer, weights, real in zip(network.config.layers, network.weights, twin.biases, strict=True):
        assert weights is not None
        got = weights.bias / 2.0**layer.bias_frac
        assert got @ real / np.sqrt((got @ got) * (real @ real)) > 0.97
        assert np.linalg.norm(got) == pytest.approx(np.linalg.norm(real), rel=0.1)


@pytest.mark.parametrize(
    ("in_frac", "weight_frac", "widths", "frac"),
    [
        (6, 6, (8, 24), 16), (0, 0, (8, 24), 15), (9, 9, (8, 24), 18), (6, 6, (8, 16), 12), (3, 4, (8, 16), 12),
        (6, 6, (8, 32), 16),
    ],
)  # fmt: skip
def test_their_fraction_bits(in_frac: int, weight_frac: int, widths: tuple[int, int], frac: int) -> None:
    """16; not fewer than the sums have, not so many that their range is below 8 or the shift above 15."""
    made = values(random.Random(1), [DENSE | {"weight_frac": weight_frac, "out_frac": 0}])
    made["input"] |= {"frac": in_frac}
    made["training"] |= {"rate_shift": [27]}
    made["array"] = {"data_bits": widths[0], "master_bits": widths[1]}
    assert PeConfig.from_dict(made).layers[0].bias_frac == frac


@pytest.mark.parametrize(
    ("keys", "rate", "message"),
    [
        ({"bias_frac": 11}, 14, r"layers\[0\]\.bias_frac = 11 must be 12 … 27"),
        ({"bias_frac": 28}, 14, r"layers\[0\]\.bias_frac = 28 must be 12 … 27"),
        ({"bias": False, "bias_frac": 16}, 14, r"layers\[0\]\.bias_frac is not a known key"),
        ({"bias": 1}, 14, r"layers\[0\]\.bias = 1 must be true or false"),
        ({"bias_frac": 22}, 14, r"layers\[0\]: update shift of the biases at rate_shift = 14 = -2 must be 0 … 31"),
        ({"kind": "max_pool"}, 14, r"layers\[0\]\.bias is not a known key"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], rate: int, message: str) -> None:
    first = conv("a", bias=True) | keys
    if first["kind"] == "max_pool":
        first = {"kind": "max_pool", "kernel": 2, "bias": True}
    with pytest.raises(ConfigError, match=message):
        config([first, DENSE], rate_shift=[rate])


def test_a_rate_out_of_reach_is_refused() -> None:
    network = PeNetwork(config([conv("a", bias=True, bias_frac=19), DENSE]))
    with pytest.raises(ValueError, match="layer 0: update shift of the biases = -1 must be 0 … 31"):
        network.update(network.forward(batch(network.config, 1)[0]), 12)


def test_they_are_never_pruned_and_rewound_to_zero() -> None:
    for rewind in (False, True):
        network = small(momentum=2, rewind=rewind)
        network.train_step(*batch(network.config, 1), 14)
        before = network.layer_weights(0).bias.copy()
        network.prune()
        weights = network.layer_weights(0)
        assert len(weights.positions) < 8
        assert weights.bias.shape == weights.bias_momenta.shape == (4,)
        assert np.array_equal(weights.bias, 0 * before if rewind else before)
        assert weights.bias_momenta.any() != rewind


def test_state_goes_on() -> None:
    one, other = small(momentum=2), small(momentum=2)
    one.train_step(*batch(one.config, 1), 14)
    other.restore({name: array.copy() for name, array in one.state().items()})
    for network in (one, other):
        network.train_step(*batch(network.config, 2), 14)
    for name, array in one.state().items():
        np.testing.assert_array_equal(other.state()[name], array)
    expected = one.expected()
    assert expected.keys() == one.state().keys()
    assert expected["bias_0"].low == -(1 << 23)
    assert (expected["bias_momenta_0"].low, expected["bias_momenta_0"].shape) == (-(1 << 31), (4,))
    assert small().expected()["bias_momenta_1"].high == 0
    for name in ("bias_1", "bias_momenta_1"):
        with pytest.raises(ValueError, match=rf"{name} is int32 \(4,\), must be int32 \(5\)"):
            expected[name].check(name, one.state()[name][:4], {})


def test_files_of_weights(tmp_path: Path) -> None:
    network, path = small(), tmp_path / "weights.npz"
    save_weights(path, network)
    other = PeNetwork(network.config)
    load_weights(path, other)
    for got, want in zip(other.weights, network.weights, strict=True):
        assert got is not None
        assert want is not None
        np.testing.assert_array_equal(got.bias, want.bias)
        assert not got.bias_momenta.any()
    without = PeNetwork(config([conv("a"), DENSE]))
    message = r"'bias_0' does not belong in it: layer 0 \(a\) would be like it with layers\[0\]\.bias = true"
    with pytest.raises(WeightsError, match=message):
        load_weights(path, without)
    save_weights(path, without)
    with pytest.raises(WeightsError, match=r"it has no bias_0: layer 0 .* with layers\[0\]\.bias = false"):
        load_weights(path, other)
    finer = replace(network.config.layers[0], bias_frac=17)
    save_weights(path, network)
    network.config = replace(network.config, layers=(finer, network.config.layers[1]))
    with pytest.raises(WeightsError, match=r"bias_frac_0 has values 16 … 16, must be 17 … 17"):
        load_weights(path, network)
