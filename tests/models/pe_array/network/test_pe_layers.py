# SPDX-License-Identifier: Apache-2.0
"""The bit-exact layers: against sums written out from the definition, at the limits, and what they refuse."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

from models.lib.fixed_point import round_shift, saturate
from models.pe_array.isa.shapes import Conv, Pool, Positions, SlidingWindow
from models.pe_array.network import gathering, kernels, layers, products, weight_gradients

SIMPLE = Conv.make(2, 3, kernel=3, pad=1)


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the compiled loops as the Python that they are written in."""
    for module in (gathering, kernels, products, weight_gradients):
        for name, function in vars(module).items():
            if isinstance(function, CPUDispatcher):
                monkeypatch.setattr(module, name, function.py_func)


def taps_of(window: SlidingWindow, height: int, width: int) -> Iterator[tuple[int, int, int, int, int, int]]:
    """(tap row, tap column, output y, x, input y, x) of every tap that is on the map."""
    out_height, out_width = window.out_size(height, width)
    for i in range(window.kernel[0]):
        for j in range(window.kernel[1]):
            for oy in range(out_height):
                for ox in range(out_width):
                    y = oy * window.stride[0] + i * window.dilation[0] - window.pad[0]
                    x = ox * window.stride[1] + j * window.dilation[1] - window.pad[1]
                    if 0 <= y < height and 0 <= x < width:
                        yield i, j, oy, ox, y, x


def naive(conv: Conv, x: np.ndarray, d: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(output, input gradient, weight gradient) int64 with dense kernels w (rows, cols, KH, KW)."""
    x, d, w = x.astype(np.int64), d.astype(np.int64), w.astype(np.int64)
    out, dx, dw = np.zeros(d.shape, np.int64), np.zeros(x.shape, np.int64), np.zeros(w.shape, np.int64)
    for i, j, oy, ox, y, x_at in taps_of(conv, x.shape[1], x.shape[2]):
        out[:, oy, ox] += w[:, :, i, j] @ x[:, y, x_at]
        dx[:, y, x_at] += w[:, :, i, j].T @ d[:, oy, ox]
        dw[:, :, i, j] += d[:, oy, ox] @ x[:, y, x_at].T
    return out, dx, dw


def int8(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random bytes; now and then all at a limit."""
    kind = rng.integers(8)
    return np.full(shape, (-128, 127)[kind], np.int8) if kind < 2 else rng.integers(-128, 128, shape, dtype=np.int8)


def random_window(rng: random.Random, kernel_max: int) -> dict[str, Any]:
    return {
        "kernel": (rng.randint(1, kernel_max), rng.randint(1, kernel_max)),
        "stride": (rng.randint(1, 3), rng.randint(1, 3)),
        "dilation": (rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 2, 3])),
    }


def random_conv(rng: random.Random, kernel_max: int = 4) -> tuple[Conv, int, int]:
    """A convolution and the height and width of its input."""
    groups = rng.choice([1, 1, 1, 2, 3])
    rows, cols = groups * rng.randint(1, 3), groups * rng.randint(1, 3)
    pad = tuple(rng.randint(0, 3) for _ in range(4))
    conv = Conv(rows=rows, cols=cols, groups=groups, pad=pad, **random_window(rng, kernel_max))
    while True:
        height, width = rng.randint(1, 12), rng.randint(1, 12)
        try:
            conv.out_size(height, width)
        except ValueError:
            continue
        return conv, height, width


def compare_conv(conv: Conv, height: int, width: int, batch: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = int8(rng, (conv.cols, height, width, batch))
    d = int8(rng, (conv.rows, *conv.out_size(height, width), batch))
    mask = conv.allowed() & (rng.random((conv.rows, conv.cols)) < rng.choice([0.0, 0.3, 0.7, 1.0]))
    positions = Positions.of_mask(mask)
    positions.check(conv)
    values = int8(rng, (len(positions), *conv.kernel))
    values[rng.random(values.shape) < 0.2] = 0
    out, dx, dw = naive(conv, x, d, positions.scatter(values, conv))
    got = layers.conv_forward(conv, x, positions, values)
    assert got.dtype == np.int32
    assert np.array_equal(got, out)
    assert np.array_equal(layers.conv_input_gradient(conv, d, positions, values, height, width), dx)
    assert np.array_equal(layers.conv_weight_gradient(conv, x, d, positions), positions.gather(dw))


@pytest.mark.parametrize("seed", range(60))
def test_convolutions(seed: int) -> None:
    rng = random.Random(seed)
    conv, height, width = random_conv(rng)
    compare_conv(conv, height, width, rng.choice([1, 4, 8, 32]), seed)


@pytest.mark.parametrize("kernel", range(1, 12))
def test_kernel_sizes(kernel: int) -> None:
    compare_conv(Conv.make(2, 2, kernel, stride=1 + kernel % 4, pad=kernel // 2), 12, 13, 4, kernel)


@pytest.mark.parametrize(
    ("conv", "height", "width"),
    [
        (Conv.make(6, 6, 3, pad=1, groups=6), 7, 5),
        (Conv.make(12, 6, 3, pad=1, groups=6), 7, 5),
        (Conv.make(5, 7), 1, 1),
        (Conv.make(4, 3, 11, stride=4, pad=2), 35, 35),
        (Conv.make(2, 2, 3, pad=4, dilation=4), 9, 9),
        (Conv.make(2, 2, 2, stride=3, pad=1), 4, 4),
        (Conv.make(3, 2, (1, 5), pad=(0, 2)), 1, 3),
    ],
    ids=["depth-wise", "depth-wise times 2", "fully connected", "AlexNet", "atrous", "gaps", "wide"],
)
def test_named_convolutions(conv: Conv, height: int, width: int) -> None:
    compare_conv(conv, height, width, 4, 1)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("seed", range(12))
def test_interpreted_loops_never_overflow(seed: int) -> None:
    """NumPy's 32-bit integers raise where the compiled ones would wrap."""
    conv, height, width = random_conv(random.Random(seed), 3)
    with np.errstate(over="raise"):
        compare_conv(conv, height, width, 2, seed)
        check_pools(seed)
        test_requantise_at_every_shift()


def test_sums_beyond_the_accumulator_are_refused() -> None:
    """The greatest sum that 32 bits hold, one beyond, and what wider accumulators make of it."""
    terms = 1 << 17
    conv = Conv.make(1, terms)
    every = Positions.all_of(conv)
    x, w = np.full((terms, 1, 1, 1), -128, np.int8), np.full((terms, 1, 1), -128, np.int8)
    with pytest.raises(OverflowError, match="forward: sums 2147483648 … 2147483648 do not fit in 32 bits"):
        layers.conv_forward(conv, x, every, w)
    assert layers.conv_forward(conv, x, every, w, acc_bits=33) == 1 << 31
    w[0] = -127
    exact = layers.conv_forward(conv, x, every, w)
    assert exact.dtype == np.int32
    assert exact == (1 << 31) - 128
    assert layers.conv_forward(conv, -x - np.int8(1), every, w).item() == -((1 << 31) - 128) // 128 * 127
    back = Conv.make(terms, 1)
    every = Positions.all_of(back)
    w[0] = -128
    with pytest.raises(OverflowError, match="input gradient"):
        layers.conv_input_gradient(back, x, every, w, 1, 1)
    assert layers.conv_input_gradient(back, x, every, w, 1, 1, acc_bits=40) == 1 << 31


def test_narrow_accumulators() -> None:
    conv = Conv.make(1, 2)
    every = Positions.all_of(conv)
    x = np.full((2, 1, 1, 1), -128, np.int8)
    w = np.array([-128, -127], np.int8).reshape(2, 1, 1)
    assert layers.conv_forward(conv, x, every, w, acc_bits=16).dtype == np.int32
    with pytest.raises(OverflowError, match="do not fit in 16 bits"):
        layers.conv_forward(conv, x, every, np.full_like(w, -128), acc_bits=16)


def test_weight_gradients_beyond_32_bits_are_refused() -> None:
    conv = Conv.make(1, 1)
    x = np.full((1, 363, 361, 1), -128, np.int8)  # 131,043 pixels of 131,072
    assert layers.conv_weight_gradient(conv, x, x, Positions.all_of(conv)) == 131043 << 14
    x = np.full((1, 2, 2, 1 << 15), -128, np.int8)
    with pytest.raises(OverflowError, match="weight gradient"):
        layers.conv_weight_gradient(conv, x, x, Positions.all_of(conv))
    x[:, 0] = 1
    assert layers.conv_weight_gradient(conv, x, x, Positions.all_of(conv)) == (1 << 30) + (1 << 16)


def naive_max_pool(pool: Pool, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shape = (x.shape[0], *pool.out_size(x.shape[1], x.shape[2]), x.shape[3])
    value, index = np.full(shape, -1000), np.full(shape, -1)
    for i, j, oy, ox, y, x_at in taps_of(pool, x.shape[1], x.shape[2]):
        better = x[:, y, x_at] > value[:, oy, ox]
        value[:, oy, ox][better] = x[:, y, x_at][better]
        index[:, oy, ox][better] = i * pool.kernel[1] + j
    return value, index


def check_pools(seed: int) -> None:
    """A random pooling window, forward and backward: maximum (few values, so many ties) and average."""
    choice = random.Random(seed)
    rng = np.random.default_rng(seed)
    while True:
        shape = random_window(choice, 4)
        pool = Pool(pad=tuple(choice.randint(0, 2) for _ in range(4)), **shape)
        height, width = choice.randint(1, 9), choice.randint(1, 9)
        try:
            out = pool.out_size(height, width)
            break
        except ValueError:
            continue
    x = rng.choice(np.array([-128, -127, -1, 0, 126, 127], np.int8), (3, height, width, 4))
    d = int8(rng, (3, *out, 4))
    value, index = layers.max_pool(pool, x)
    want_value, want_index = naive_max_pool(pool, x)
    assert np.array_equal(value, want_value)
    assert np.array_equal(index, want_index)
    back = np.zeros(x.shape, np.int64)
    total, spread = np.zeros(d.shape, np.int64), np.zeros(x.shape, np.int64)
    for i, j, oy, ox, y, x_at in taps_of(pool, height, width):
        chosen = index[:, oy, ox] == i * pool.kernel[1] + j
        back[:, y, x_at] += np.where(chosen, d[:, oy, ox], 0)
        total[:, oy, ox] += x[:, y, x_at]
        spread[:, y, x_at] += d[:, oy, ox]
    assert np.array_equal(layers.max_pool_backward(pool, d, index, height, width), back)
    m = choice.randint(1, 127)
    assert np.array_equal(layers.average_pool(pool, x, m), m * total)
    assert np.array_equal(layers.average_pool_backward(pool, d, height, width, m), m * spread)


@pytest.mark.parametrize("seed", range(60))
def test_pools(seed: int) -> None:
    check_pools(seed)


def test_overlapping_windows_add_up_at_their_maximum() -> None:
    """3 x 3 with stride 2 on 5 x 5, the one maximum in the middle: four windows, taps 8, 6, 2 and 0."""
    x = np.zeros((1, 5, 5, 1), np.int8)
    x[0, 2, 2] = 5
    pool = Pool.make(3, 2)
    value, index = layers.max_pool(pool, x)
    assert value.reshape(-1).tolist() == [5, 5, 5, 5]
    assert index.reshape(-1).tolist() == [8, 6, 2, 0]
    d = np.array([1, 2, 4, 8], np.int8).reshape(1, 2, 2, 1)
    back = layers.max_pool_backward(pool, d, index, 5, 5)
    assert back[0, 2, 2, 0] == 15
    assert back.sum() == 15


def test_padding_never_wins_and_first_maximum_does() -> None:
    x = np.full((1, 2, 2, 1), -128, np.int8)
    value, index = layers.max_pool(Pool.make(3, 1, 1), x)
    assert (value == -128).all()
    assert index.reshape(-1).tolist() == [4, 3, 1, 0]


def test_average_pooling_and_its_scales() -> None:
    x = np.arange(16, dtype=np.int8).reshape(1, 4, 4, 1)
    assert layers.average_scale(1) == (1, 0)
    assert layers.average_scale(4) == (1, 2)
    assert layers.average_scale(49) == (21, 10)  # 0.0205 for 0.0204
    for pixels in range(1, 122):
        m, s = layers.average_scale(pixels)
        assert 1 <= m <= 127
        assert abs(m * pixels / (1 << s) - 1) <= 1 / 128
    mean = layers.requantise(layers.average_pool(Pool.make(2), x), 2).values
    assert mean.reshape(-1).tolist() == [3, 5, 11, 13]
    whole = Pool.make(4)
    assert layers.requantise(layers.average_pool(whole, x), 4).values.item() == 8
    for m in (0, 128):
        with pytest.raises(ValueError, match=f"multiplier = {m} must be 1 … 127"):
            layers.average_pool(whole, x, m)


def test_requantise_at_every_shift() -> None:
    rng = np.random.default_rng(1)
    limits = np.array([-(1 << 31), (1 << 31) - 1, 0, -1, 1, 127, 128, -128, -129], np.int64)
    for shift in range(32):
        near = rng.integers(-200, 200, 40) << min(shift, 23)
        acc = np.concatenate([limits, near + rng.integers(-3, 4, 40)]).astype(np.int32)
        want, mask = saturate(round_shift(acc, shift), 8)
        got = layers.requantise(acc, shift)
        assert got.values.dtype == np.int8
        assert np.array_equal(got.values, want)
        assert got.saturated == mask.sum()
        assert np.array_equal(layers.requantise(acc, shift, relu=True).values, np.maximum(want, 0))
        a = rng.integers(-2, 3, acc.shape, dtype=np.int8)
        masked = layers.requantise(acc, shift, mask=a)
        assert np.array_equal(masked.values, np.where(a > 0, want, 0))
        assert masked.saturated == mask.sum()
    wide = np.array([[1 << 40]], np.int64)
    assert layers.requantise(wide, 31).values.tolist() == [[127]]
    for shift in (-1, 32):
        with pytest.raises(ValueError, match=f"shift = {shift} must be 0 … 31"):
            layers.requantise(wide, shift)
    with pytest.raises(ValueError, match=r"mask is int8 \(2, 1\), must be int8 \(1, 1\)"):
        layers.requantise(wide, 1, mask=np.zeros((2, 1), np.int8))


def test_relu_and_residual() -> None:
    x = np.array([-128, -1, 0, 1, 127], np.int8)
    assert layers.relu(x).tolist() == [0, 0, 0, 1, 127]
    assert layers.relu_backward(np.full(5, -7, np.int8), x).tolist() == [0, 0, 0, -7, -7]
    acc = np.arange(5, dtype=np.int32)
    total = layers.add_residual(acc, x, 15)
    assert total.dtype == np.int32
    assert total.tolist() == [(v << 15) + k for k, v in enumerate([-128, -1, 0, 1, 127])]
    wide = layers.add_residual(np.full(5, (1 << 31) - 1, np.int64), x, 0, acc_bits=48)
    assert wide.tolist() == [(1 << 31) - 1 + v for v in x.tolist()]
    with pytest.raises(OverflowError, match="residual"):
        layers.add_residual(np.full(5, (1 << 31) - 1, np.int32), x, 0)
    with pytest.raises(ValueError, match="shift = 16 must be 0 … 15"):
        layers.add_residual(acc, x, 16)
    with pytest.raises(ValueError, match=r"x is \(4,\), must be \(5,\)"):
        layers.add_residual(acc, x[:4], 0)


def test_maps_that_are_not_contiguous() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (4, 5, 3, 3), dtype=np.int8)
    every = Positions.all_of(SIMPLE)
    w = rng.integers(-128, 128, (6, 3, 3), dtype=np.int8)
    turned = x.transpose(3, 1, 2, 0)
    copied = np.ascontiguousarray(turned)
    assert np.array_equal(layers.conv_forward(SIMPLE, turned, every, w), layers.conv_forward(SIMPLE, copied, every, w))
    assert np.array_equal(layers.max_pool(Pool.make(2), turned), layers.max_pool(Pool.make(2), copied))
    acc = layers.conv_forward(SIMPLE, copied, every, w)
    assert np.array_equal(layers.requantise(acc.T, 9).values, layers.requantise(acc, 9).values.T)
