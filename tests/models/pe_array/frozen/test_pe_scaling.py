# SPDX-License-Identifier: Apache-2.0
"""Scales of frozen layers against exact fractions."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from models.pe_array.isa.descriptors import MULTIPLIER_MAX, ONE
from models.pe_array.network import layers
from models.pe_array.network.requantise import DrainSettings, requantise
from models.pe_array.network.scaling import Addend, Scaling, fixed


def rounded(total: Fraction, even: bool) -> int:
    return round(total) if even else math.floor(total + Fraction(1, 2))


def expected(scaling: Scaling, channel: int, acc: int, added: int) -> tuple[int, bool]:
    """The formula with fractions, cut where the array cuts."""
    n = channel % len(scaling.biases)
    exact = Fraction((acc + int(scaling.biases[n])) * int(scaling.multipliers[n]), ONE << int(scaling.shifts[n]))
    if scaling.addend is not None:
        other = scaling.addend
        product = Fraction((added - other.zero) * other.multiplier, ONE << other.shift)
        exact += Fraction(math.floor(product * 65536), 65536)
        if not scaling.even:
            exact = Fraction(math.floor(exact * 65536), 65536)
    value = rounded(exact, scaling.even) + scaling.zero
    kept = min(max(value, -128), 127)
    return min(max(kept, scaling.low), scaling.high), kept != value


@pytest.mark.parametrize("seed", range(8))
def test_values_are_those_of_the_formula(seed: int) -> None:
    rng = random.Random(seed)
    addend = rng.choice([None, Addend(rng.randint(0, MULTIPLIER_MAX), rng.randint(0, 3), rng.randint(-128, 127))])
    n = rng.choice([1, 4]) if addend is None else 1
    scaling = Scaling(
        np.array([rng.randint(-900, 900) for _ in range(n)], dtype=np.int64),
        np.array([rng.choice([ONE, rng.randint(0, MULTIPLIER_MAX)]) for _ in range(n)], dtype=np.int64),
        np.array([rng.randint(0, 9) for _ in range(n)], dtype=np.int64),
        zero=rng.randint(-60, 60), low=rng.randint(-128, 0), high=rng.randint(0, 127), even=bool(seed % 2),
        addend=addend,
    )  # fmt: skip
    acc = np.array([rng.choice([rng.randint(-9000, 9000), 256 * rng.randint(-9, 9) + 128]) for _ in range(96)])
    acc = acc.reshape(4, 3, 1, 8).astype(np.int32)
    added = None if addend is None else np.random.default_rng(seed).integers(-128, 128, acc.shape, dtype=np.int8)
    found = scaling.requantise(acc, added)
    clipped = 0
    for place in np.ndindex(acc.shape):
        value, cut = expected(scaling, place[0], int(acc[place]), 0 if added is None else int(added[place]))
        assert found.values[place] == value
        clipped += cut
    assert found.saturated == clipped


@pytest.mark.parametrize("seed", range(6))
def test_maps_are_scaled_as_the_array_scales_words(seed: int) -> None:
    """Two functions with one definition; multipliers and shifts as large as they may be, and halves."""
    rng = np.random.default_rng(seed)
    n = 1 if seed % 2 else 5
    biases = rng.integers(-(1 << 31), 1 << 31, n) >> rng.integers(0, 32, n)
    factors, shifts = rng.choice([ONE, MULTIPLIER_MAX, 0, 1234567, 9999999], n), rng.integers(0, 32, n)
    other = Addend(int(rng.integers(0, MULTIPLIER_MAX + 1)), int(rng.integers(0, 32)), int(rng.integers(-128, 128)))
    zero, low, high = (int(rng.integers(*of)) for of in ((-128, 128), (-128, 1), (1, 128)))
    acc = (rng.integers(-(1 << 31), 1 << 31, (5, 999)) >> rng.integers(0, 32, (5, 999))).astype(np.int32)
    halves = np.clip(acc[:, ::2] >> 16, -500, 500) * 2 + 1
    acc[:, ::2] = (halves << np.maximum(shifts, 1)[:, None] - 1) - biases[:, None]
    a = rng.integers(-128, 128, acc.shape, dtype=np.int8)
    ways = (False, False), (True, False), (True, True)
    for (even, near), addend, bits in itertools.product(ways, (None, other) if n == 1 else (None,), (4, 8)):
        scaling = Scaling(
            biases, factors, shifts, zero=zero, low=low, high=high, even=even, addend=addend, near_half=near
        )
        got = scaling.requantise(acc, None if addend is None else a, bits)
        settings = DrainSettings(
            shifts[:, None], bits=bits, bias=biases[:, None], multiplier=factors[:, None], zero=zero, low=low,
            high=high, even=even, addend_zero=other.zero, addend_multiplier=other.multiplier,
            addend_shift=other.shift, near_half=near,
        )  # fmt: skip
        want, clipped = requantise(acc, settings, addend=None if addend is None else a)
        assert np.array_equal(got.values, want)
        assert got.saturated == clipped.sum()


@pytest.mark.parametrize("shift", [0, 1, 8, 31])
def test_a_multiplier_of_one_is_the_shift_of_trained_layers(shift: int) -> None:
    acc = np.random.default_rng(shift).integers(-(1 << 31), 1 << 31, (2, 3, 2, 8)).astype(np.int32)
    scaling = Scaling(np.zeros(1, dtype=np.int64), np.array([ONE]), np.array([shift]))
    assert np.array_equal(scaling.requantise(acc).values, layers.requantise(acc, shift).values)


@pytest.mark.parametrize("factor", [1.0, 0.75, 1.999, 0.9999999, 0.5, 1e-3, 3e-9, 0.0, 0.4999999])
def test_factors_keep_all_their_bits(factor: float) -> None:
    multiplier, shift = fixed(factor)
    assert math.ldexp(multiplier / ONE, -shift) == pytest.approx(factor, rel=2**-24, abs=0)


def test_real_factors_and_numbers_are_of_channels_or_of_all() -> None:
    made = Scaling.of([0.5, 0.25], 7, zero=3)
    assert (made.biases.tolist(), made.multipliers.tolist(), made.shifts.tolist()) == ([7, 7], [ONE] * 2, [1, 2])
    assert (made.zero, made.low, made.high, made.even, made.addend) == (3, -128, 127, False, None)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Scaling.of(2.0), "a scale of 2.0 must be 0 … 1.9999999"),
        (lambda: Scaling.of(-0.5), "a scale of -0.5"),
        (lambda: fixed(math.inf), "a scale of inf must be"),
        (lambda: fixed(math.nan), "a scale of nan must be"),
        (lambda: replace(Scaling.of(1.0), zero_out=128), "zero_out = 128 must be -128 … 127"),
        (lambda: Scaling.of(1.0, 1 << 31), "biases = 2147483648 must be"),
        (lambda: Scaling.of(1.0, zero=128), "zero = 128 must be -128 … 127"),
        (lambda: Scaling.of(1.0, low=5, high=4), "low = 5 must be -128 … 4"),
        (lambda: Scaling.of([0.5, 0.5]).requantise(np.zeros((3, 1), dtype=np.int32)), "scales of 2 channels"),
        (lambda: Scaling.of(1.0).requantise(np.zeros((1, 1), dtype="i4"), np.zeros((1, 1), dtype="i1")), "where the"),
        (lambda: Scaling.of([0.5, 1.0], addend=Addend(1)), "all channels have the same scales"),
        (lambda: Addend(1 << 24), "addend.multiplier = 16777216"),
        (
            lambda: Scaling(np.zeros(2, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64)),
            r"multipliers is int64 \(1,\), must be int64 \(2,\)",
        ),
    ],
)
def test_what_the_array_cannot_say_is_refused(make: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        make()  # type: ignore[operator]
