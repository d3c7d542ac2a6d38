# SPDX-License-Identifier: Apache-2.0
"""Networks of the PE array: every bit of a step, pruning, trainings that learn, checkpoints, configurations."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from pe_trainings import batch, small, values

from models.pe_array.isa.csb import encode
from models.pe_array.isa.shapes import Positions
from models.pe_array.isa.widths import STANDARD, Widths
from models.pe_array.network import float_layers, kernels, requantise
from models.pe_array.network.config import PeConfig
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.layers import HALF_UP
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.output_delta import output_delta8
from models.pe_array.network.pruning import kept_elements
from models.pe_array.network.weight_update import weight_update
from tests.models.pe_array.network.slopes import assert_slopes
from tests.models.pe_array.network.test_pe_layers import interpreted  # noqa: F401


class Reference:
    """The same network out of other parts: float64 layers, exact on integers, and the models of the RTL's modules."""

    def __init__(self, network: PeNetwork) -> None:
        self.config = network.config
        self.state = [
            (w.positions, w.masters.astype(np.int64), w.momenta.astype(np.int64)) if w else None
            for w in network.weights
        ]

    def step(self, images: np.ndarray, labels: np.ndarray, rate_shift: int) -> list[np.ndarray]:
        """Outputs of all layers, and deltas of all layers; updates the state."""
        maps, indices = [images.astype(float)], []
        for layer, state in zip(self.config.layers, self.state, strict=True):
            x = maps[-1] = maps[-1].reshape(*layer.in_shape, -1)
            index = None
            if layer.kind == "max_pool":
                acc, index = float_layers.max_pool(layer.window, x)
            elif state is None:
                acc = float_layers.average_pool(layer.window, x) * layer.window.taps * layer.multiplier
            else:
                acc = float_layers.conv_forward(layer.conv, x, self.dense(state, layer.conv))
            shift = 0 if layer.kind == "max_pool" else layer.forward_shift
            maps.append(self.requantised(acc, requantise.DrainSettings(shift, layer.relu)))
            indices.append(index)
        logits = maps[-1].reshape(10, -1)
        softmax = self.config.training.softmax
        d = output_delta8(logits.astype(int), labels, self.config.logit_frac, softmax=softmax).astype(float)
        deltas = []
        for i in reversed(range(len(self.config.layers))):
            layer, state, x = self.config.layers[i], self.state[i], maps[i]
            d = d.reshape(*layer.out_shape, -1)
            deltas.append(d)
            size = layer.in_shape[1:]
            if state is not None:
                positions, masters, momenta = state
                g = positions.gather(float_layers.conv_weight_gradient(layer.conv, x, d)).astype(int)
                back = float_layers.conv_input_gradient(layer.conv, d, self.dense(state, layer.conv), *size)
                training = self.config.training
                decay = training.momentum_shift
                new = weight_update(
                    masters, g, layer.update_shift(rate_shift), momentum=momenta if decay else None, decay=decay,
                    nesterov=training.nesterov, weight_decay=training.weight_decay_shift,
                )  # fmt: skip
                self.state[i] = positions, new.master, momenta if new.momentum is None else new.momentum
            elif layer.kind == "max_pool":
                back = float_layers.max_pool_backward(layer.window, d, indices[i], *size)
            else:
                back = float_layers.average_pool_backward(layer.window, d, *size) * layer.window.taps * layer.multiplier
            mask = self.kept(maps, i) if i > 0 else None
            shift = layer.backward_frac - layer.in_delta_frac if i > 0 else 0
            d = self.requantised(back, requantise.DrainSettings(shift), mask)
        return maps[1:] + deltas[::-1]

    def kept(self, maps: list[np.ndarray], i: int) -> np.ndarray | None:
        """Where the gradient by the input of layer i is not 0. ReLU before a max pool counts behind it."""
        layers = self.config.layers
        relu = layers[i - 1].relu if layers[i - 1].kind != "max_pool" else i > 1 and layers[i - 2].relu
        return maps[i].astype(int) if relu and layers[i].kind != "max_pool" else None

    @staticmethod
    def requantised(acc: np.ndarray, settings: requantise.DrainSettings, mask: np.ndarray | None = None) -> np.ndarray:
        return requantise.requantise(np.rint(acc).astype(int), settings, mask=mask)[0].astype(float)

    @staticmethod
    def dense(state: tuple[Positions, np.ndarray, np.ndarray], conv: Any) -> np.ndarray:
        return state[0].scatter(STANDARD.mac_weights(state[1]).astype(float), conv)


def compare_steps(config: PeConfig, steps: int) -> PeNetwork:
    network = PeNetwork(config)
    network.prune()
    reference = Reference(network)
    for step in range(steps):
        images, labels = batch(config, step)
        trace = network.train_step(images, labels, config.training.rate_shifts[0])
        want = reference.step(images, labels, config.training.rate_shifts[0])
        got = trace.outputs + trace.deltas
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert a.dtype == np.int8
            assert np.array_equal(a.reshape(-1), b.reshape(-1))
        for weights, state in zip(network.weights, reference.state, strict=True):
            if weights and state:
                assert np.array_equal(weights.masters, state[1])
                assert np.array_equal(weights.momenta, state[2])
                assert np.array_equal(weights.mac, STANDARD.mac_weights(state[1]))
    return network


@pytest.mark.parametrize(
    "keys",
    [
        {"momentum_shift": 0, "weight_decay_shift": 9},
        {"momentum_shift": 2, "nesterov": True},
        {"momentum_shift": 15, "loss": "softmax"},
    ],
    ids=["weight_decay", "nesterov", "softmax"],
)
def test_steps_bit_by_bit(keys: dict[str, Any]) -> None:
    network = compare_steps(small(**keys), 6)
    assert network.saturations[:2].any()
    before = PeNetwork(network.config)
    before.prune()
    for a, b in zip(network.weights, before.weights, strict=True):
        assert a is None or not np.array_equal(a.masters, b.masters)


@pytest.mark.usefixtures("interpreted")
def test_steps_interpreted() -> None:
    with np.errstate(over="raise"):
        compare_steps(small(), 1)
        check_updates(2)


def check_updates(length: int) -> None:
    """The compiled update against the model of the RTL's module, at all shifts and with values at their limits."""
    rng = np.random.default_rng(5)
    for shift in range(32):
        for decay, stochastic in ((0, False), (0, True), (1, False), (7, True), (15, False)):
            random = rng.integers(1, 65536, length).astype(np.uint16) if stochastic else HALF_UP
            g, v = (rng.choice([-(1 << 31), (1 << 31) - 1, 1 << 20, 0, -5], length).astype(np.int32) for _ in range(2))
            widths = (STANDARD, Widths(8, 32), Widths(5, 16))[shift % 3]
            limit = 1 << widths.master - 1
            w = rng.choice([-limit, limit - 1, limit >> 8, 0, 77], length).astype(np.int32)
            words = random if stochastic else None
            for nesterov, weight_decay in ((False, 0), (True, shift), (stochastic, 31 - shift)):
                old = v.copy() if decay else None
                want = weight_update(
                    w, g, shift, words, old, decay, widths, nesterov=nesterov, weight_decay=weight_decay
                )  # fmt: skip
                mac = np.empty(length, np.int8)
                clipped = kernels.update(
                    g, w, v, mac, shift, decay, nesterov, weight_decay, widths.master, widths.data, random
                )  # fmt: skip
                assert np.array_equal(w, want.master)
                assert want.momentum is None or np.array_equal(v, want.momentum)
                assert np.array_equal(mac, want.weight)
                assert clipped == want.master_clipped.sum() + want.momentum_clipped.sum()


def test_updates() -> None:
    check_updates(200)


def test_masters_are_clipped_and_counted() -> None:
    network = PeNetwork(small())
    for weights in network.weights:
        if weights:
            weights.masters[:] = (1 << 23) - 1
            weights.refresh()
            assert (weights.mac == 127).all()
    for step in range(3):
        network.train_step(*batch(network.config, step), 14)
    assert network.saturations[2, 0] > 0


def test_twin_has_the_gradient_of_its_loss() -> None:
    twin = FloatNetwork(PeNetwork(small()))
    images, labels = batch(twin.config, 1)
    x = images / 64.0

    found, _, correct = twin.gradients(x, labels)
    assert correct == (twin.classify(x) == labels).sum()
    rng = np.random.default_rng(1)
    for w, gradient in zip(twin.weights, found, strict=True):
        places = rng.choice(w.size, min(w.size, 12), replace=False)
        if w.size and w.shape[1] == 4:  # outside the groups there is no weight at all
            places = places[gradient.reshape(-1)[places] != 0.0]
        assert_slopes(twin, x, labels, w, gradient, places, abs=1e-4)


def test_fixed_point_stays_near_the_twin() -> None:
    """Gradients of 8-bit values point nearly where those of real numbers do, at scales that clip next to nothing."""
    document = values()
    for table in document["layers"]:
        if "delta_frac" in table:
            table |= {"out_frac": 6, "delta_frac": 5}
    document["training"]["rate_shift"] = [16]
    config = PeConfig.from_dict(document)
    network = PeNetwork(config)
    twin = FloatNetwork(network)
    images, labels = batch(config, 3)
    images //= 4
    trace = network.forward(images)
    network.backward(trace, labels)
    found = twin.gradients(images / 64.0, labels)[0]
    for i, layer in enumerate(config.layers):
        if layer.has_weights:
            a = trace.gradients[i].reshape(-1) / 2.0 ** (layer.in_frac + layer.delta_frac)
            b = network.layer_weights(i).positions.gather(found[i]).reshape(-1)
            assert a @ b / np.sqrt((a @ a) * (b @ b)) > 0.97
            assert np.linalg.norm(a) == pytest.approx(np.linalg.norm(b), rel=0.15)


def test_pruning_a_network() -> None:
    network = PeNetwork(small())
    assert network.density == 1.0
    first = copy.deepcopy(network.weights)
    network.prune()
    assert network.pruned
    kept = 0
    for layer, weights, before in zip(network.config.layers, network.weights, first, strict=True):
        if weights:
            count = kept_elements(layer.conv, layer.density)
            assert len(weights.positions) == len(weights.masters) == len(weights.mac) == len(weights.momenta) == count
            dense = before.positions.scatter(before.masters, layer.conv)
            assert np.array_equal(weights.masters, weights.positions.gather(dense))
            kept += weights.masters.size
    assert network.density == kept / sum(layer.weights for layer in network.config.layers if layer.has_weights)


def test_pruned_weights_as_compressed_blocks() -> None:
    """What CSB stores of a layer are its elements, masters and MAC weights alike."""
    network = PeNetwork(small())
    network.prune()
    for layer, weights in zip(network.config.layers, network.weights, strict=True):
        if weights:
            masters = weights.positions.scatter(weights.masters, layer.conv)
            blocks = encode(masters, weights.positions.mask(layer.conv), 4, 4)
            row, col = blocks.positions()
            assert len(row) == len(weights.positions)
            mac = weights.positions.scatter(weights.mac, layer.conv)
            assert np.array_equal(blocks.values, mac[row, col].reshape(len(row), -1))
            assert np.array_equal(blocks.masters, masters[row, col].reshape(len(row), -1))


def test_network_refuses_other_images_and_layers() -> None:
    network = PeNetwork(small())
    with pytest.raises(ValueError, match=r"images \(2, 9, 9, 8\) must be"):
        network.forward(np.zeros((2, 9, 9, 8), np.int8))
    for rate_shift in (0, 100):
        trace = network.forward(batch(network.config, 1)[0])
        network.backward(trace, range(8))
        with pytest.raises(ValueError, match=r"layer 0: update shift = .* must be 0 … 31"):
            network.update(trace, rate_shift)
    with pytest.raises(TypeError, match="layer 1 is max_pool and has no weights"):
        network.layer_weights(1)
    with pytest.raises(TypeError, match="a layer of kind max_pool has no weights"):
        _ = network.config.layers[1].conv
    assert network.classify(np.zeros((2, 9, 8, 3), np.int8)).tolist() == [0, 0, 0]
