# SPDX-License-Identifier: Apache-2.0
"""Frozen networks: every map of the model against plain sums of real numbers, written without it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.pe_array.isa import descriptors
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.network import averages
from models.pe_array.network.frozen.builder import FrozenBuilder, elements
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.frozen.random_networks import images, random_network
from models.pe_array.network.layer import IMAGE, Layer
from models.pe_array.network.scaling import Addend, Scaling


def patches(x: np.ndarray, layer: Layer, fill: int) -> np.ndarray:
    """(channels, OH, OW, KH, KW, batch) of what windows see."""
    window = layer.window
    top, left, bottom, right = window.pad
    padded = np.pad(x.astype(np.int64), ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    high, wide = layer.out_shape[1:]
    found = np.empty((x.shape[0], high, wide, *window.kernel, x.shape[3]), dtype=np.int64)
    for y, v, i, j in np.ndindex(high, wide, *window.kernel):
        row = y * window.stride[0] + i * window.dilation[0]
        found[:, y, v, i, j] = padded[:, row, v * window.stride[1] + j * window.dilation[1]]
    return found


def counted_sums(x: np.ndarray, layer: Layer, fill: int) -> np.ndarray:
    """Sums of what counts in windows, times K / what counts, the factor rounded."""
    window = layer.window
    assert isinstance(window, Pool)
    assert window.counted is not None
    top, left, bottom, right = window.counted
    inside = np.pad(np.ones(x.shape[1:3]), ((top, bottom), (left, right)), constant_values=1)
    grown = np.pad(x.astype(np.int64), ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    rest = (window.pad[0] - top, window.pad[1] - left, window.pad[2] - bottom, window.pad[3] - right)
    plain = replace(layer, window=replace(window, pad=rest, counted=None))
    counts = patches(inside[None, :, :, None], plain, 0).sum(axis=(3, 4))
    sums = patches(grown, plain, 0).sum(axis=(3, 4))
    total = averages.base(window, *layer.in_shape[1:])[0]
    found: np.ndarray = sums * np.vectorize(lambda n: round(total / n))(counts)
    return found


def real(network: FrozenNetwork, index: int, x: np.ndarray, added: np.ndarray | None) -> np.ndarray:
    """The output of a layer before it is rounded, but for what scales do not tell: float64."""
    layer, scaling = network.config.layers[index], network.config.layers[index].scaling
    if layer.kind == "concat":
        return x.astype(float)
    zero_in = 0 if scaling is None else scaling.zero_in
    if layer.kind == "max_pool":
        low, high = (-128, 127) if scaling is None else (scaling.low, scaling.high)
        largest: np.ndarray = np.clip(patches(x, layer, -1000).max(axis=(3, 4)), low, high).astype(float)
        return largest
    seen = patches(x, layer, zero_in)
    if layer.has_weights:
        weights = network.layer_weights(index)
        acc = np.zeros(layer.out_shape + x.shape[3:])
        for row, col, kernel in zip(weights.positions.row, weights.positions.col, weights.mac, strict=True):
            acc[row] += np.einsum("yxijb,ij->yxb", seen[col].astype(float), kernel.astype(float))
    else:
        acc = layer.multiplier * seen.sum(axis=(3, 4)).astype(float)
        if isinstance(layer.window, Pool) and layer.window.uneven:
            acc = counted_sums(x, layer, zero_in)
    if scaling is None:
        return np.clip(acc, -128, 127)
    wide = (slice(None), None, None, None)
    factor = scaling.multipliers / (descriptors.ONE * 2.0**scaling.shifts)
    y = (acc + scaling.biases[wide]) * factor[wide]
    if added is not None:
        assert scaling.addend is not None
        other = scaling.addend
        y += (added.astype(float) - other.zero) * other.multiplier / (descriptors.ONE * 2.0**other.shift)
    found: np.ndarray = np.clip(np.clip(y + scaling.zero, -128, 127), scaling.low, scaling.high)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_maps_are_those_of_real_numbers_to_a_half(seed: int) -> None:
    network = random_network(seed)
    trace = network.forward(images(network, seed))
    source = images(network, seed)

    def output(index: int) -> np.ndarray:
        return source if index == IMAGE else trace.outputs[index]

    for index, layer in enumerate(network.config.layers):
        x = np.concatenate([output(each) for each in layer.sources]).reshape(*layer.in_shape, -1)
        added = None if layer.add is None else output(layer.add)
        want = real(network, index, x, added)
        assert np.abs(trace.outputs[index] - want).max() <= 0.5 + 2**-14
    assert network.saturations.sum() == sum(trace.saturated)
    assert network.classify(source).shape == (8,)


def test_weights_beyond_a_byte_are_elements_that_add_up() -> None:
    conv = Conv.make(2, 2, 1)
    weights = np.array([[[[255]], [[0]]], [[[-255]], [[7]]]])
    made = elements(conv, weights)
    assert (made.positions.row.tolist(), made.positions.col.tolist()) == ([0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1])
    assert made.mac.reshape(-1).tolist() == [127, 127, 1, -128, -127, 7]
    builder = FrozenBuilder("wide", (2, 1, 1), 8)
    builder.convolution(IMAGE, conv, weights, Scaling.of(1 / 256))
    found = builder.network().forward(np.full((2, 1, 1, 8), 64, dtype=np.int8)).outputs[0][:, 0, 0, 0]
    assert found.tolist() == [64, -62]


def _builder(zero: int = 0) -> FrozenBuilder:
    return FrozenBuilder("refused", (2, 4, 4), 8, zero)


ONE = Scaling.of(1.0)


def _concatenated() -> int:
    builder = _builder()
    return builder.concat([IMAGE, builder.max_pool(IMAGE, Pool.make(2))])


def _zeros() -> FrozenNetwork:
    builder = _builder(zero=3)
    builder.identity(IMAGE, ONE)
    return builder.network()


def _added_to_itself() -> FrozenNetwork:
    builder = _builder(zero=3)
    builder.identity(IMAGE, Scaling.of(1.0, zero_in=0, addend=Addend(1 << 23, zero=3)), add=IMAGE)
    return builder.network()


def _plain() -> FrozenNetwork:
    builder = _builder(zero=3)
    builder.convolution(IMAGE, Conv.make(2, 2, 3, pad=1), np.ones((2, 2, 3, 3)), None)
    return builder.network()


def _large_sums(channels: int) -> FrozenNetwork:
    builder = FrozenBuilder("large", (channels, 1, 1), 8)
    builder.dense(IMAGE, np.full((1, channels), -255), ONE)
    return builder.network()


def test_sums_that_just_fit_are_taken() -> None:
    assert len(_large_sums((1 << 24) // 255).config.layers) == 1


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: _builder().convolution(IMAGE, Conv.make(2, 3, 1), np.ones((2, 3, 1, 1)), ONE), "2 channels does not"),
        (lambda: _builder().convolution(IMAGE, Conv.make(2, 2, 1), np.ones((2, 3, 1, 1)), ONE), "weights .* must be"),
        (lambda: elements(Conv.make(1, 1, 1), np.full((1, 1, 1, 1), 256)), "must be -255 … 255"),
        (lambda: _builder().dense(IMAGE, np.ones((2, 31)), ONE), "do not fit a map of 32 values"),
        (lambda: _builder().identity(IMAGE, Scaling.of([1.0] * 3)), "scales of 3 channels do not fit 2"),
        (lambda: _builder().identity(IMAGE, ONE, add=IMAGE), "a map is added where"),
        (_concatenated, "must have one height and width"),
        (lambda: _builder().network(), "must have a layer"),
        (lambda: _builder().identity(IMAGE, ONE, factor=128), "factor = 128 must be 1 … 127"),
        (lambda: _builder().identity(IMAGE, ONE, factor=0), "factor = 0 must be 1 … 127"),
        (lambda: _large_sums((1 << 24) // 255 + 1), r"layer 0 \(layers\[0\]\) has sums of up to 2,147,516,160, which"),
        (_added_to_itself, "expects a zero point of 0 in the map of layer -1, which has 3"),
        (_plain, "expects a zero point of 0 in the map of layer -1, which has 3"),
        (_zeros, "expects a zero point of 0 in the map of layer -1, which has 3"),
    ],
)
def test_what_does_not_fit_is_refused(make: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()  # type: ignore[operator]
