# SPDX-License-Identifier: Apache-2.0
"""Winograd in whole numbers: equal to the convolution for all operands, in so many bits; what it would take."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from models.lib.fixed_point import IntArray
from models.pe_array.isa.shapes import Conv
from studies.networks import WeightLayer
from studies.winograd import clocks
from studies.winograd import transforms as wino

LOW, HIGH = -128, 127


def plain(map_: IntArray, weights: IntArray) -> IntArray:
    """A 3 x 3 convolution with padding of 1, term by term."""
    _, height, width = map_.shape
    padded = np.pad(map_, ((0, 0), (1, 1), (1, 1)))
    return sum(
        np.einsum("rc,cyx->ryx", weights[..., i, j], padded[:, i : i + height, j : j + width])
        for i, j in product(range(3), range(3))
    )


def units(side: int) -> IntArray:
    """All (side, side) arrays with a single 1."""
    return np.eye(side * side, dtype=np.int64).reshape(-1, side, side)


def test_equal_for_all_operands() -> None:
    """Both sides are linear in the pixels and in the kernel: equal for all pairs of units, equal for all integers."""
    pixels, kernels = units(4), units(3)
    made = wino.transformed(wino.PIXELS, pixels)[:, None] * wino.transformed(wino.KERNEL, kernels)
    outputs = wino.transformed(wino.OUTPUTS, made)
    for p, k in product(range(16), range(9)):
        tile = [[(pixels[p, y : y + 3, x : x + 3] * kernels[k]).sum() for x in (0, 1)] for y in (0, 1)]
        assert np.array_equal(outputs[p, k], wino.SCALE * np.array(tile))


def test_gradients_are_equal_for_all_operands() -> None:
    for pixels, deltas in product(units(4), units(2)):
        wanted = [[(pixels[i : i + 2, j : j + 2] * deltas).sum() for j in range(3)] for i in range(3)]
        assert np.array_equal(wino.gradient(pixels[None], deltas[None]), wanted)


def test_turned_kernels_are_transformed_already() -> None:
    """NG needs no transformed weights of its own."""
    for kernel in units(3):
        turned = wino.transformed(wino.KERNEL, kernel[::-1, ::-1])
        assert np.array_equal(wino.turned(wino.transformed(wino.KERNEL, kernel)), turned)


@pytest.mark.parametrize("seed", range(4))
def test_sparse_layer_with_extreme_values(seed: int) -> None:
    """Half of the kernels are missing, operands are random or as large as they can be, accumulators wrap."""
    rng = np.random.default_rng(seed)
    values = np.array([LOW, HIGH]) if seed % 2 else np.arange(LOW, HIGH + 1)
    map_, weights = rng.choice(values, (24, 6, 4)), rng.choice(values, (5, 24, 3, 3))
    weights *= rng.integers(0, 2, (5, 24, 1, 1))
    assert np.array_equal(wino.forward(map_, weights), plain(map_, weights))


def test_most_channels_that_a_sum_may_have() -> None:
    """With all operands at -128 the sum of so many channels is in 32 bits, and one more wraps."""
    most = wino.OperandWidths.of().channels
    assert most == 3640
    for channels, equal in ((most, True), (most + 1, False)):
        map_, weights = np.full((channels, 4, 4), LOW), np.full((1, channels, 3, 3), LOW)
        assert np.array_equal(wino.forward(map_, weights), plain(map_, weights)) == equal


def test_bits_of_operands() -> None:
    """The extremes are reached, so no width is too large by a bit; products are those of extreme operands."""
    assert wino.extremes(wino.PIXELS, LOW, HIGH) == (-512, 510)
    assert wino.extremes(wino.KERNEL, LOW, HIGH) == (-1152, 1147)
    assert wino.extremes(wino.DELTAS, LOW, HIGH) == (-512, 510)
    assert wino.OperandWidths.of() == wino.OperandWidths(pixel=10, weight=12, delta=10, product=21, channels=3640)
    assert wino.transformed(wino.KERNEL, np.full((3, 3), LOW)).min() == -1152
    rng = np.random.default_rng(1)
    for matrix, side in ((wino.PIXELS, 4), (wino.KERNEL, 3), (wino.DELTAS, 2)):
        found = wino.transformed(matrix, rng.integers(LOW, HIGH + 1, (500, side, side)))
        low, high = wino.extremes(matrix, LOW, HIGH)
        assert low <= found.min() <= found.max() <= high
    assert wino.adder_bits(32) == {"input": 640, "output": 2048}


def test_rows_by_hand() -> None:
    """A layer of 32 x 32 kernels on 4 x 4 pixels: 100 pairs of pixel and tap, 4 tiles of 16 products."""
    layer = WeightLayer("conv", Conv.make(32, 32, 3, pad=1), 4, 4)
    assert clocks.suits(layer)
    assert not clocks.suits(WeightLayer("conv", Conv.make(32, 32, 3, stride=2, pad=1), 4, 4))
    played = clocks.row(layer, "FF", 1.0, (16, 16), sides=(16,))
    assert (played.kernels, played.bound, played.winograd_bound) == (1024, 3200, 2048)
    assert played.winograd is not None
    assert played.clocks > 3200
    assert played.best == min(played.clocks, played.winograd) > 2048
    assert clocks.row(layer, "FF", 1.0, (16, 16), sides=()).best == played.clocks
    assert clocks.weight_gradients(layer, 0.5) == (1600, 1024)


def test_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    layer = WeightLayer("conv", Conv.make(16, 16, 3, pad=1), 4, 4)
    monkeypatch.setattr(clocks, "network", lambda name: ([layer], {"conv": 1.0}))
    monkeypatch.setattr(clocks, "blocks_of", lambda name, layer: (16, 16))
    monkeypatch.setattr(clocks, "BLOCK_SIDES", (16,))
    clocks.main([])
    out = capsys.readouterr().out
    assert "saved in FF and NG" in out
    assert "pixel=10, weight=12" in out
