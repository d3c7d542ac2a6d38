# SPDX-License-Identifier: Apache-2.0
"""Sums, packing and updates of weights against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from models.pe_array.isa.widths import STANDARD, Widths
from models.pe_array.network.requantise import RandomLanes
from models.pe_array.network.weight_update import pack_gradients, sum_gradients, weight_update


def clip(x: int, bits: int) -> int:
    """x in the signed range of so many bits."""
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))


@pytest.mark.parametrize("group", [1, 2, 8])
def test_sums_wrap(group: int) -> None:
    partial = np.random.default_rng(group).integers(-(1 << 31), 1 << 31, (8, 20))
    total = sum_gradients(partial, group)
    assert total.shape == (8 // group, 20)
    for (slot, n), value in np.ndenumerate(total):
        exact = sum(int(x) for x in partial[slot * group : (slot + 1) * group, n])
        assert (exact - int(value)) % (1 << 32) == 0
        assert -(1 << 31) <= value < 1 << 31


@pytest.mark.parametrize("group", [0, 3])
def test_group_must_divide(group: int) -> None:
    with pytest.raises(ValueError, match=f"group = {group} must divide P = 8"):
        sum_gradients(np.zeros((8, 1)), group)


def test_pack() -> None:
    assert pack_gradients([1, 2, 3, -4, 5], 4).tolist() == [[1, 2, 3, -4], [5, 0, 0, 0]]
    assert pack_gradients([1, 2], 2).tolist() == [[1, 2]]
    assert pack_gradients([], 8).shape == (0, 8)


@pytest.mark.parametrize("shift", [0, 1, 12, 16, 20, 31])
@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("decay", [0, 1, 4, 15])
@pytest.mark.parametrize("widths", [STANDARD, Widths(4, 16), Widths(6, 32)])
@pytest.mark.parametrize(("nesterov", "weight_decay"), [(False, 0), (True, 0), (False, 1), (True, 13), (True, 31)])
def test_update(
    shift: int, stochastic: bool, decay: int, widths: Widths, nesterov: bool, weight_decay: int
) -> None:  # fmt: skip
    rng = np.random.default_rng(shift * 100 + decay)
    shape = (6, 8)
    w = rng.integers(-1 << widths.master - 1, 1 << widths.master - 1, shape)
    g, v = (rng.integers(-(1 << 31), 1 << 31, shape) >> rng.integers(0, 32, shape) for _ in range(2))
    random = RandomLanes(8, 5, base=16).take(6) if stochastic else None
    new = weight_update(
        w, g, shift, random, v if decay else None, decay, widths, nesterov=nesterov, weight_decay=weight_decay
    )  # fmt: skip

    def decayed(x: int, by: int) -> int:
        return x - math.floor(Fraction(x, 1 << by) + Fraction(1, 2))

    for index in np.ndindex(shape):
        step = int(g[index])
        if decay:
            exact = decayed(int(v[index]), decay) + step
            moved = clip(exact, 32)
            ahead = decayed(moved, decay) + step
            assert new.momentum is not None
            assert new.momentum[index] == moved
            assert new.momentum_clipped[index] == (moved != exact or (nesterov and ahead != clip(ahead, 32)))
            step = clip(ahead, 32) if nesterov else moved
        addend = Fraction(1, 2) if shift else Fraction(0)
        if random is not None:
            word = int(random[index])
            addend = Fraction(word >> (16 - shift) if shift <= 16 else word << (shift - 16), 1 << shift)
        kept = decayed(int(w[index]), weight_decay) if weight_decay else int(w[index])
        exact = kept - math.floor(Fraction(step, 1 << shift) + addend)
        assert new.master[index] == clip(exact, widths.master)
        assert new.master_clipped[index] == (clip(exact, widths.master) != exact)
        small = math.floor(Fraction(int(new.master[index]), 1 << widths.master - widths.data) + Fraction(1, 2))
        assert new.weight[index] == clip(small, widths.data)
    assert new.weight.tolist() == widths.mac_weights(new.master).tolist()
    if not decay:
        assert new.momentum is None
        assert not new.momentum_clipped.any()


def test_weight_clips_at_the_upper_end_alone() -> None:
    new = weight_update([(1 << 23) - 1, -(1 << 23), 0x7F7FFF], [0, 0, 0], 0)
    assert new.weight.tolist() == [127, -128, 127]
    assert new.weight_clipped.tolist() == [True, False, False]


def test_refused() -> None:
    with pytest.raises(ValueError, match="decay = 16 must be 0 … 15"):
        weight_update(0, 0, 0, momentum=0, decay=16)
    with pytest.raises(ValueError, match="weight_decay = 32 must be 0 … 31"):
        weight_update(0, 0, 0, weight_decay=32)
    with pytest.raises(ValueError, match="decay = 0 must be at least 1 with momenta"):
        weight_update(0, 0, 0, momentum=0)
    with pytest.raises(ValueError, match="decay = 3 must be 0 without momenta"):
        weight_update(0, 0, 0, decay=3)
