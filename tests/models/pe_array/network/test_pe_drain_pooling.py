# SPDX-License-Identifier: Apache-2.0
"""Pooling in drains, against max pooling and its way back as layers know them."""

from __future__ import annotations

import numpy as np
import pytest

from models.pe_array.isa.shapes import Pool
from models.pe_array.network import layers
from models.pe_array.network.drain_pooling import STOPPED, WINDOW, pooled, spread

POOL = Pool.make(2)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("high", [None, 3, 127])
def test_both_ways_are_those_of_max_pooling(relu: bool, high: int | None) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0 if relu else -128, 6 if relu else 128, (3, 6, 8, 4)).astype(np.int8)
    x = np.minimum(x, 127 if high is None else high)
    x[:, :2, :4] = 0  # windows with nothing above 0, as a ReLU leaves them
    windows = x.reshape(3, 3, 2, 4, 2, 4).swapaxes(2, 3).reshape(-1, 4)
    largest, places = pooled(windows, relu, high)
    values, indices = layers.max_pool(POOL, x)
    assert np.array_equal(largest, values.reshape(-1, 4))
    assert np.array_equal(places % WINDOW, indices.reshape(-1, 4))
    stopped = (values <= 0) | (values >= high if high is not None else False) if relu else np.zeros(values.shape, bool)
    assert np.array_equal(places >= STOPPED, stopped.reshape(-1, 4))

    delta = rng.integers(-128, 128, values.shape).astype(np.int8)
    back = layers.max_pool_backward(POOL, delta, indices, 6, 8)
    kept = (x > 0) & (x < high if high is not None else True) if relu else np.ones(x.shape, bool)
    got = spread(delta.reshape(-1, 4).astype(np.int64), places, 4)
    assert np.array_equal(got.reshape(x.shape), np.where(kept, back, 0))
