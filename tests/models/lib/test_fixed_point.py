# SPDX-License-Identifier: Apache-2.0
"""Number format, rounding, saturation and random bits."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from models.lib.fixed_point import Format, half_addend, lane_seed, lfsr_step, round_shift, saturate, stochastic_addend


@pytest.mark.parametrize(("width", "frac", "low", "high"), [(12, 8, -8.0, 7.99609375), (8, 5, -4.0, 3.96875)])
def test_format_limits(width: int, frac: int, low: float, high: float) -> None:
    fmt = Format(width, frac)
    assert (fmt.to_real(fmt.min_raw), fmt.to_real(fmt.max_raw), fmt.to_real(fmt.one)) == (low, high, 1.0)


def test_quantise_rounds_halves_up_and_saturates() -> None:
    fmt = Format(8, 5)
    real = [0.5 / 32, -0.5 / 32, 1.49 / 32, -1.51 / 32, 1.0, 100.0, -100.0]
    assert fmt.quantise(real).tolist() == [1, 0, 1, -2, 32, 127, -128]


def test_quantise_undoes_to_real_for_every_value() -> None:
    fmt = Format(10, 3)
    raw = np.arange(fmt.min_raw, fmt.max_raw + 1)
    assert np.array_equal(fmt.quantise(fmt.to_real(raw)), raw)


@pytest.mark.parametrize("shift", [1, 2, 8, 24])
def test_round_shift_is_the_floor_of_the_exact_quotient(shift: int) -> None:
    rng = np.random.default_rng(shift)
    values = [*rng.integers(-(1 << 40), 1 << 40, 200).tolist(), 0, -1, 1, (1 << (shift - 1)), -(1 << (shift - 1))]
    expected = [math.floor(Fraction(x, 1 << shift) + Fraction(1, 2)) for x in values]
    assert round_shift(values, shift).tolist() == expected
    addend = rng.integers(0, 1 << shift, len(values))
    expected = [math.floor(Fraction(x + r, 1 << shift)) for x, r in zip(values, addend.tolist(), strict=True)]
    assert round_shift(values, shift, addend).tolist() == expected


def test_round_shift_by_zero_and_by_less() -> None:
    assert round_shift([5, -5], 0).tolist() == [5, -5]
    with pytest.raises(ValueError, match="shift = -1 must not be negative"):
        round_shift(1, -1)


def test_saturate_clips_and_says_where() -> None:
    value, clipped = saturate([-129, -128, 0, 127, 128], 8)
    assert value.tolist() == [-128, -128, 0, 127, 127]
    assert clipped.tolist() == [True, False, False, False, True]


def test_lfsr_visits_every_state_but_zero() -> None:
    state, seen = 1, set()
    for _ in range(65535):
        seen.add(state)
        state = int(lfsr_step(state))
    assert state == 1
    assert seen == set(range(1, 65536))


def test_lane_seeds_are_never_zero() -> None:
    assert int(lane_seed(0, 40503)) == 1  # would be 0
    for rng_seed in (0, 1, 0xFFFF):
        seeds = lane_seed(np.arange(65536), rng_seed)
        assert seeds.min() >= 1
        assert seeds.max() <= 65535
        assert np.unique(seeds).size >= 65535  # lanes differ
    assert lane_seed([0, 1], 3).tolist() == [40503 ^ 3, (2 * 40503 % 65536) ^ 3]


@pytest.mark.parametrize("shift", [1, 5, 15, 16, 17, 30])
def test_stochastic_addend_is_the_state_aligned_to_the_top(shift: int) -> None:
    state = np.array([1, 2, 0x8000, 0xFFFF, 0x1234])
    expected = [math.floor(int(x) * Fraction(2) ** (shift - 16)) for x in state]
    assert stochastic_addend(state, shift).tolist() == expected
    assert max(expected) < 1 << shift


def test_stochastic_rounding_is_right_on_average() -> None:
    """Over all states, x / 2^16 is rounded up in just that share of cases (the state 0 missing)."""
    for x in (1, 100, 32768, 65535):
        ups = int(round_shift(x, 16, stochastic_addend(np.arange(1, 65536), 16)).sum())
        assert ups == x


def test_half_addend() -> None:
    assert [half_addend(1), half_addend(8)] == [1, 128]
