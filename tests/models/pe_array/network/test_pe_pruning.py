# SPDX-License-Identifier: Apache-2.0
"""Pruning: what stays, how much, ties, and that nothing comes back."""

from __future__ import annotations

import numpy as np
import pytest

from models.pe_array.isa.shapes import Conv, Positions
from models.pe_array.network.pruning import kept_elements, prune, strongest


def test_kernels_stay_by_the_sum_of_their_magnitudes() -> None:
    """Not by their largest weight, nor by the magnitude of their sum."""
    conv = Conv.make(2, 2, 2)
    weights = np.array([[[9, 0], [0, 0]], [[3, -3], [3, -3]], [[-4, 0], [4, 0]], [[0, 0], [-5, -6]]])
    positions, keep = prune(conv, Positions.all_of(conv), weights, 0.5)
    assert keep.tolist() == [1, 3]
    assert list(zip(positions.row, positions.col, strict=True)) == [(0, 1), (1, 1)]
    assert strongest(conv, weights, 0.75).tolist() == [0, 1, 3]


def test_single_weights_of_fully_connected_layers() -> None:
    conv = Conv.make(3, 5)
    rng = np.random.default_rng(1)
    weights = rng.permutation(np.arange(-7, 8)).reshape(15, 1, 1) * 1000
    keep = strongest(conv, weights, 0.4)
    assert len(keep) == 6
    assert sorted(np.abs(weights[keep]).reshape(-1).tolist()) == [5000, 5000, 6000, 6000, 7000, 7000]


def test_limits_of_master_weights_and_ties() -> None:
    """-2**31 has no positive in 32 bits; of equal sums the earlier elements stay."""
    conv = Conv.make(4, 1)
    weights = np.array([1, -(1 << 31), 1, 1], np.int32).reshape(4, 1, 1)
    assert strongest(conv, weights, 0.25).tolist() == [1]
    assert strongest(conv, weights, 0.75).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("density", "kept"), [(1.0, 10), (0.5, 5), (0.25, 3), (0.24, 2), (0.01, 1), (1e-9, 1), (0.94, 9), (0.95, 10)]
)
def test_number_of_elements(density: float, kept: int) -> None:
    assert kept_elements(Conv.make(2, 5, 3), density) == kept


def test_density_counts_what_the_groups_allow() -> None:
    conv = Conv.make(8, 8, 3, groups=8)
    assert kept_elements(conv, 0.5) == 4


def test_what_is_pruned_stays_pruned() -> None:
    rng = np.random.default_rng(2)
    conv = Conv.make(10, 10)
    positions = Positions.all_of(conv)
    before = positions.mask(conv)
    for density in (0.5, 0.5, 0.2, 0.7):
        weights = rng.integers(-100, 100, (len(positions), 1, 1))
        positions, keep = prune(conv, positions, weights, density)
        positions.check(conv)
        assert len(keep) == len(positions) == min(before.sum(), kept_elements(conv, density))
        after = positions.mask(conv)
        assert not (after & ~before).any()
        before = after
    assert before.sum() == 20


@pytest.mark.parametrize("density", [0.0, -0.1, 1.01, float("nan")])
def test_illegal_densities(density: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and at most 1"):
        kept_elements(Conv.make(2, 2), density)
