# SPDX-License-Identifier: Apache-2.0
"""Windows, positions and maps that are no layer's are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_pe_layers import SIMPLE

from models.pe_array.isa.shapes import Conv, Pool, Positions, pads
from models.pe_array.network import layers


def test_maps_of_other_shapes_and_types_are_refused() -> None:
    every = Positions.all_of(SIMPLE)
    w = np.zeros((6, 3, 3), np.int8)
    x = np.zeros((3, 4, 4, 2), np.int8)
    d = np.zeros((2, 4, 4, 2), np.int8)
    with pytest.raises(ValueError, match=r"x is int16 \(3, 4, 4, 2\), must be int8 \(3, any, any, any\)"):
        layers.conv_forward(SIMPLE, x.astype(np.int16), every, w)
    with pytest.raises(ValueError, match=r"values is int8 \(5, 3, 3\), must be int8 \(6, 3, 3\)"):
        layers.conv_forward(SIMPLE, x, every, w[:5])
    with pytest.raises(ValueError, match=r"d is int8 \(2, 4, 4, 2\), must be int8 \(2, 5, 5, any\)"):
        layers.conv_input_gradient(SIMPLE, d, every, w, 5, 5)
    with pytest.raises(ValueError, match=r"d is int8 \(2, 4, 4, 2\), must be int8 \(2, 4, 4, 1\)"):
        layers.conv_weight_gradient(SIMPLE, x[..., :1], d, every)
    with pytest.raises(ValueError, match=r"index is int8 \(2, 4, 4, 2\), must be uint8 \(2, 4, 4, 2\)"):
        layers.max_pool_backward(Pool.make(1), d, d, 4, 4)


def test_short_forms() -> None:
    assert Conv.make(2, 3, 5, 2, 1, 3) == Conv((5, 5), (2, 2), (1, 1, 1, 1), (3, 3), 2, 3)
    assert pads((1, 2)) == (1, 2, 1, 2)
    assert pads((1, 2, 3, 4)) == (1, 2, 3, 4)
    assert Pool.make((2, 3)).stride == (2, 3)
    assert SIMPLE.taps == 9
    assert len(Positions.all_of(SIMPLE)) == 6


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kernel": 0}, r"kernel = \(0, 0\) must be 1 … 11"),
        ({"kernel": (3, 12)}, r"kernel = \(3, 12\) must be 1 … 11"),
        ({"stride": 0}, r"stride = \(0, 0\) must be at least 1"),
        ({"dilation": (1, 0)}, r"dilation = \(1, 0\) must be at least 1"),
        ({"pad": (0, 0, -1, 0)}, r"pad = \(0, 0, -1, 0\) must not be negative"),
        ({"groups": 2}, "groups = 2 must divide rows = 2 and cols = 3"),
        ({"groups": 0}, "groups = 0 must divide"),
    ],
)
def test_illegal_convolutions(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Conv.make(2, 3, **keys)


def test_windows_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"width = 2 with pad = .* is too small for a window that spans 5"):
        Conv.make(1, 1, (1, 3), dilation=2).out_size(1, 2)
    with pytest.raises(ValueError, match="height = 0"):
        Conv.make(1, 1, pad=1).out_size(0, 1)
    for pool, side in ((Pool.make(2, 2, 2), 4), (Pool.make(2, 1, 1, 2), 1)):
        with pytest.raises(ValueError, match="sees nothing but padding"):
            layers.max_pool(pool, np.zeros((1, side, side, 1), np.int8))


def test_positions_outside_the_matrix() -> None:
    conv = Conv.make(4, 4, groups=2)

    def at(row: list[int], col: list[int]) -> Positions:
        return Positions(np.array(row, np.int32), np.array(col, np.int32))

    at([0, 3], [1, 2]).check(conv)
    at([], []).check(conv)
    for row, col, message in (
        ([0, 4], [0, 0], "row of 2 elements must be 0 … 3"),
        ([0, 1], [0, -1], "col of 2 elements must be 0 … 3"),
        ([0, 1], [0], "col of 1 elements"),
        ([1, 1], [1, 1], "occurs twice"),
        ([0], [2], "outside the 2 groups"),
    ):
        with pytest.raises(ValueError, match=message):
            at(row, col).check(conv)
