# SPDX-License-Identifier: Apache-2.0
"""The layers' fast sums: equal to the plain loops in every bit, whichever way they go and on however many cores."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numba import njit

from models.lib import threads
from models.pe_array.isa.shapes import Conv, Positions
from models.pe_array.network import kernels, layers, products, simd, weight_gradients

WAYS = {"panels": 1e9, "rows": 0.0}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All layers as if they were dense, or sparse."""
    monkeypatch.setattr(products, "SPARSE_COST", WAYS[request.param])
    monkeypatch.setattr(weight_gradients, "SPARSE_COST", WAYS[request.param])


@pytest.fixture(params=[1, 2, 3])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in small parts, on so many threads."""
    for module in (products, weight_gradients):
        monkeypatch.setattr(module, "PART", 1)
        monkeypatch.setattr(module, "CACHE", 1 << 12)
    monkeypatch.setattr(weight_gradients, "STRIP", 4 * simd.STEP)
    before = threads.use(request.param)
    yield
    threads.use(before)


def random_bytes(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    low, high = [(-128, 128), (-128, -127), (127, 128), (-3, 4)][rng.choice(4, p=[0.6, 0.1, 0.1, 0.2])]
    return rng.integers(low, high, shape, dtype=np.int8)


def geometry(rng: random.Random) -> tuple[Conv, int, int]:
    """A convolution of up to 40 channels and the size of its input."""
    groups = rng.choice([1, 1, 1, 2, 5, 20])
    rows, cols = (groups * rng.randint(1, 40 // groups) for _ in range(2))
    while True:
        kernel, stride = ((rng.randint(1, most), rng.randint(1, most)) for most in (4, 3))
        pad = tuple(rng.randint(0, 3) for _ in range(4))
        conv = Conv(kernel, stride, pad, (rng.choice([1, 1, 2]), rng.choice([1, 1, 3])), rows, cols, groups)
        height, width = rng.randint(1, 9), rng.randint(1, 9)
        try:
            conv.out_size(height, width)
        except ValueError:
            continue
        return conv, height, width


def compare(conv: Conv, height: int, width: int, batch: int, seed: int) -> None:
    """All phases against the loops of kernels.py; some elements share a place, as weights beyond a byte do."""
    rng = np.random.default_rng(seed)
    x = random_bytes(rng, (conv.cols, height, width, batch))
    d = random_bytes(rng, (conv.rows, *conv.out_size(height, width), batch))
    every = Positions.of_mask(conv.allowed() & (rng.random((conv.rows, conv.cols)) < rng.choice([0.0, 0.1, 0.5, 1.0])))
    twice = rng.permutation(len(every))[: len(every) // 4]
    both = Positions(np.concatenate([every.row, every.row[twice]]), np.concatenate([every.col, every.col[twice]]))
    values = random_bytes(rng, (len(both), *conv.kernel))
    plain = layers.geometry(conv)
    out, dx = np.zeros(d.shape, np.int64), np.zeros(x.shape, np.int64)
    kernels.forward(plain, x, both.row, both.col, values, out)
    kernels.input_gradient(plain, d, both.row, both.col, values, dx)
    dw = np.empty((len(every), *conv.kernel), np.int64)
    kernels.weight_gradient(plain, x, d, every.row, every.col, dw)
    assert np.array_equal(layers.conv_forward(conv, x, both, values), out)
    assert np.array_equal(layers.conv_input_gradient(conv, d, both, values, height, width), dx)
    found = layers.conv_weight_gradient(conv, x, d, every)
    assert found.dtype == np.int32
    assert np.array_equal(found, dw)


@pytest.mark.usefixtures("way", "cores")
@pytest.mark.parametrize("seed", range(25))
def test_every_way_on_any_number_of_cores(seed: int) -> None:
    rng = random.Random(seed)
    conv, height, width = geometry(rng)
    compare(conv, height, width, rng.choice([1, 3, 8, 32, 33]), seed)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("conv", "height", "width", "batch"),
    [
        (Conv.make(70, 33), 1, 1, 32),
        (Conv.make(16, 9), 1, 1, 300),
        (Conv.make(9, 17, 3, pad=1), 6, 6, 32),
        (Conv.make(24, 24, 3, pad=1, groups=24), 5, 7, 4),
        (Conv.make(3, 2, 1, stride=2), 7, 7, 8),
        (Conv.make(2, 3, 3, pad=3), 1, 1, 5),
        (Conv.make(4, 3, 11, stride=4, pad=2), 35, 35, 2),
        (Conv.make(2, 2, 2, stride=3, pad=1), 4, 4, 4),
        (Conv.make(2, 2, 1, pad=(0, 2, 0, 0)), 1, 1, 2),
    ],
    ids=["dense", "large batch", "few lanes", "depth-wise", "1 x 1", "padding", "AlexNet", "gaps", "left"],
)
def test_corners(conv: Conv, height: int, width: int, batch: int) -> None:
    compare(conv, height, width, batch, 1)


def test_no_images_and_nothing_but_padding() -> None:
    conv = Conv.make(3, 2, 3, pad=1)
    every = Positions.all_of(conv)
    values = np.ones((6, 3, 3), np.int8)
    x, d = np.ones((2, 4, 4, 0), np.int8), np.ones((3, 4, 4, 0), np.int8)
    assert layers.conv_forward(conv, x, every, values).shape == (3, 4, 4, 0)
    assert layers.conv_input_gradient(conv, d, every, values, 4, 4).shape == (2, 4, 4, 0)
    assert not layers.conv_weight_gradient(conv, x, d, every).any()
    beside = Conv.make(1, 1, 2, stride=9, dilation=9, pad=4)  # all of its taps are on padding
    every = Positions.all_of(beside)
    x, d = np.ones((1, 2, 2, 3), np.int8), np.ones((1, *beside.out_size(2, 2), 3), np.int8)
    assert not layers.conv_forward(beside, x, every, np.ones((1, 2, 2), np.int8)).any()
    assert not layers.conv_weight_gradient(beside, x, d, every).any()


def test_rows_are_cut_where_squares_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares of the last part would read beyond the rows that there are."""
    parts = []

    def spy(d: np.ndarray, d_lanes: int, first: int, end: int, *rest: Any) -> None:
        parts.append((first, end))
        assert first + -(-(end - first) // simd.SIDE) * simd.SIDE <= len(d) // d_lanes
        computed(d, d_lanes, first, end, *rest)

    computed = weight_gradients.all_gradients
    monkeypatch.setattr(weight_gradients, "all_gradients", spy)
    monkeypatch.setattr(weight_gradients, "PART", 1)
    before = threads.use(2)
    try:
        for rows in (60, 61):
            conv = Conv.make(rows, 3, 1)
            x, d = np.ones((3, 5, 5, 32), np.int8), np.ones((rows, 5, 5, 32), np.int8)
            assert (layers.conv_weight_gradient(conv, x, d, Positions.all_of(conv)) == 800).all()
    finally:
        threads.use(before)
    assert len(parts) > 2


@pytest.mark.usefixtures("way")
def test_positions_are_of_any_matrix_that_holds_them() -> None:
    positions = Positions.of_mask(np.ones((2, 2)))
    for rows, cols in ((2, 2), (3, 5), (2, 3)):
        conv = Conv.make(rows, cols, 1)
        x = np.arange(1, cols + 1, dtype=np.int8)[:, None, None, None].repeat(300, axis=3)
        d = np.arange(1, rows + 1, dtype=np.int8)[:, None, None, None].repeat(300, axis=3)
        found = layers.conv_weight_gradient(conv, x, d, positions).reshape(-1)
        assert found.tolist() == [300, 600, 600, 1200]


def test_denser_layers_go_by_panels() -> None:
    """What a layer's density decides: many weights go ROWS at a time, few and depth-wise ones each by itself."""
    rng = np.random.default_rng(1)

    def rows(mask: np.ndarray) -> int:
        places = Positions.of_mask(mask)
        return products.panels_of(places, False, (64, 64), 9).rows

    assert rows(np.ones((64, 64), bool)) == simd.ROWS
    assert rows(rng.random((64, 64)) < 0.8) == simd.ROWS
    assert rows(rng.random((64, 64)) < 0.1) == 1
    assert rows(np.eye(64, dtype=bool)) == 1


def arrays_of(function: Callable[..., None]) -> tuple[Any, ...]:
    rng = np.random.default_rng(1)
    data, other = random_bytes(rng, (40_000,)), random_bytes(rng, (40_000,))
    if function in (simd.panel_sums, simd.row_sums):
        weights = rng.integers(-255, 256, 2 * 3 * 5 * simd.ROWS, dtype=np.int16).view(np.int32)
        rows = simd.ROWS if function is simd.panel_sums else 1
        return data, 64, 1024, np.array([2, 0, 6], np.int32), 5, weights[: 3 * 5 * rows]
    return data, 3, 2000, other, 700, 3000, 9


@pytest.mark.parametrize("function", [simd.panel_sums, simd.row_sums, simd.square_dots, simd.row_dots])
def test_registers_hold_what_python_says(function: Callable[..., None]) -> None:
    @njit
    def made(*arguments: Any) -> None:
        function(*arguments)

    arguments = arrays_of(function)
    size = simd.ROWS * simd.TILE + simd.ROW_TILE
    got, want = np.zeros(size, np.int32), np.zeros(size, np.int32)
    made(*arguments, got)
    function(*arguments, want)
    assert want.any()
    assert np.array_equal(got, want)


@pytest.mark.parametrize("few", [0, 1 << 20])
def test_gradients_of_all_elements_are_what_python_says(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """Of many lanes, which go through registers, and of few, for which the map is turned round."""
    monkeypatch.setattr(weight_gradients, "FEW_LANES", few)
    conv, rng = Conv.make(3, 2, 2, pad=1), np.random.default_rng(1)
    x, d = random_bytes(rng, (2, 3, 3, 2)), random_bytes(rng, (3, 4, 4, 2))
    every = Positions.all_of(conv)
    want = layers.conv_weight_gradient(conv, x, d, every)
    for name in ("all_gradients", "gather_lanes"):
        monkeypatch.setattr(weight_gradients, name, getattr(weight_gradients, name).py_func)
    assert want.any()
    assert np.array_equal(layers.conv_weight_gradient(conv, x, d, every), want)


def test_threads_share_all_of_the_work() -> None:
    before = threads.use(2)
    try:
        seen = np.zeros(1000, int)

        def work(first: int, end: int) -> int:
            seen[first:end] += 1
            return end - first

        assert threads.split(work, 1000) == 1000
        assert (seen == 1).all()
        assert threads.split(work, 1000, least=600) == 1000
        assert (seen == 2).all()
        assert threads.split(work, 0) == 0
        assert threads.split(lambda first, end: None, 10) == 0
        assert threads.split(lambda first, end: threads.split(work, end - first), 1000) == 1000  # is not for ever
        pid = os.fork()
        if not pid:
            os._exit(0 if threads.split(work, 1000) == 1000 else 1)
        assert os.waitpid(pid, 0)[1] == 0
    finally:
        assert threads.use(before) == 2


def test_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5}, raising=False)
    assert threads.cores() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert threads.cores() == 7
