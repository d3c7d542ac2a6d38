# SPDX-License-Identifier: Apache-2.0
"""Requantising against exact arithmetic."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from models.lib.fixed_point import lfsr_step
from models.pe_array.isa.descriptors import MULTIPLIER_MAX, ONE
from models.pe_array.network import layers
from models.pe_array.network.requantise import (
    AccumulatorField,
    DrainSettings,
    RandomLanes,
    requantise,
    rounded,
)


def test_random_lanes_are_the_lfsrs_of_the_contract() -> None:
    lanes = RandomLanes(3, 0x1234, base=5)
    first = [(((n + 1) * 40503) % 65536) ^ 0x1234 for n in (5, 6, 7)]
    taken = lanes.take(4)
    assert taken[0].tolist() == first
    for before, after in itertools.pairwise(taken):
        assert after.tolist() == lfsr_step(before).tolist()
    assert lanes.state.tolist() == lfsr_step(taken[3]).tolist()
    lanes.load(0x1234)
    assert lanes.take(1)[0].tolist() == first
    assert RandomLanes(1, 40503).take(1).tolist() == [[1]], "the seed that would be 0"
    assert lanes.take(0).shape == (0, 3)


@pytest.mark.parametrize("shift", [0, 1, 7, 15, 16, 17, 31])
@pytest.mark.parametrize("stochastic", [False, True])
@pytest.mark.parametrize("bits", [8, 5])
def test_sum(shift: int, stochastic: bool, bits: int) -> None:
    rng = np.random.default_rng(shift)
    acc = rng.integers(-(1 << 31), 1 << 31, (40, 8)) >> rng.integers(0, 32, (40, 8))
    random = RandomLanes(8, 77).take(40) if stochastic else None
    y, clipped = requantise(acc, DrainSettings(shift, bits=bits), random)
    limit = 1 << bits - 1
    for index, x in np.ndenumerate(acc):
        addend = Fraction(1, 2) if shift else Fraction(0)
        if random is not None:
            word = int(random[index])
            addend = Fraction(word >> (16 - shift) if shift <= 16 else word << (shift - 16), 1 << shift)
        exact = math.floor(Fraction(int(x), 1 << shift) + addend)
        assert y[index] == max(-limit, min(limit - 1, exact))
        assert clipped[index] == (not -limit <= exact < limit)


def test_sum_is_that_of_the_layers() -> None:
    acc = np.random.default_rng(1).integers(-(1 << 15), 1 << 15, (5, 4), dtype=np.int32)
    mask = np.random.default_rng(2).integers(-2, 3, (5, 4), dtype=np.int8)
    y, clipped = requantise(acc, DrainSettings(7, relu=True), mask=mask)
    reference = layers.requantise(acc, 7, relu=True, mask=mask)
    assert y.tolist() == reference.values.tolist()
    assert clipped.sum() == reference.saturated
    y, clipped = requantise(acc, DrainSettings(9, bits=5))
    reference = layers.requantise(acc, 9, bits=5)
    assert y.tolist() == reference.values.tolist()
    assert clipped.sum() == reference.saturated > 0


def test_relu_and_mask() -> None:
    acc = np.array([-300, -5, 0, 5, 300])
    y, clipped = requantise(acc, DrainSettings(relu=True))
    assert y.tolist() == [0, 0, 0, 5, 127]
    assert clipped.tolist() == [True, False, False, False, True], "clipped before ReLU"
    y, clipped = requantise(acc, mask=[1, 0, 1, -1, 127])
    assert y.tolist() == [-128, 0, 0, 0, 127]
    assert clipped.tolist() == [True, False, False, False, True]


def test_fields_of_max() -> None:
    acc = [0x0180, 0x8005, 0xFF7F, 0x02FF]
    value, clipped = requantise(acc, DrainSettings(9, field=AccumulatorField.VALUE))
    assert value.tolist() == [-128, 5, 127, -1]
    assert not clipped.any()
    relu = DrainSettings(9, relu=True, field=AccumulatorField.VALUE)
    assert requantise(acc, relu, mask=[1, 1, 0, 1])[0].tolist() == [0, 5, 0, 0]
    index, clipped = requantise(acc, DrainSettings(9, relu=True, field=AccumulatorField.INDEX), mask=[0, 0, 0, 0])
    assert (index & 255).tolist() == [1, 128, 255, 2]
    assert not clipped.any()
    value, clipped = requantise([0x0180, 0x8005, 0xFF07], DrainSettings(9, field=AccumulatorField.VALUE, bits=4))
    assert value.tolist() == [-8, 5, 7]
    assert clipped.tolist() == [True, False, False]
    narrow = DrainSettings(9, field=AccumulatorField.INDEX, bits=4)
    assert requantise(acc, narrow)[0].tolist() == index.tolist(), "an index has 8 bits"


def _exact(x: int, of: DrainSettings, addend: int | None, word: int | None) -> tuple[int, bool]:
    """One lane, from the definition in docs/pe_array/numbers.md."""
    assert {type(each) for each in (of.bias, of.multiplier, of.shift)} == {int}
    half = Fraction(1, 2)
    bias = math.floor(Fraction(of.bias, 1 << of.bias_shift) + half)
    product = Fraction((x + bias) * of.multiplier, 1 << 7 + of.shift)
    cut = math.floor(product)
    if addend is not None:
        cut += math.floor(Fraction((addend - of.addend_zero) * of.addend_multiplier, 1 << 7 + of.addend_shift))
    sum_ = Fraction(cut, 1 << 16)
    y = math.floor(sum_ + (half if word is None else Fraction(word, 1 << 16)))
    tie = cut % (1 << 16) in (0x8000, 0x8001) if of.near_half else sum_ % 1 == half and product.denominator == 1
    if of.even and word is None and tie and y % 2:
        y -= 1
    y += of.zero
    limit = 1 << of.bits - 1
    kept = max(-limit, min(limit - 1, y))
    return max(min(max(kept, of.low), 127 if of.mask_high else of.high), 0 if of.relu else -128), kept != y


@pytest.mark.parametrize("seed", range(6))
def test_scaled_sums_are_those_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ties = 0
    for _ in range(60):
        small = rng.random() < 0.5
        some = DrainSettings(
            int(rng.integers(0, 32)), bool(rng.integers(2)), bits=int(rng.choice([8, 8, 5])),
            bias=int(rng.integers(-(1 << 31), 1 << 31) >> rng.integers(0, 32)), bias_shift=int(rng.integers(0, 16)),
            multiplier=int(rng.choice([0, 1, ONE // 2, ONE, MULTIPLIER_MAX, rng.integers(0, 1 << 24)])),
            zero=int(rng.choice([0, -128, 127, rng.integers(-128, 128)])), low=int(rng.choice([-128, -3, 0, 100])),
            high=int(rng.choice([127, 6, -5])), even=bool(rng.integers(2)), mask_high=bool(rng.integers(2)),
            addend_zero=int(rng.integers(-128, 128)), addend_shift=int(rng.choice([0, 1, 7, 31])),
            addend_multiplier=int(rng.choice([ONE // 2, ONE, MULTIPLIER_MAX, 3])), near_half=bool(rng.integers(2)),
        )  # fmt: skip
        bits = 48 if rng.random() < 0.3 else 32
        acc = rng.integers(-(1 << bits - 1), 1 << bits - 1, 24) >> rng.integers(0, bits, 24)
        if small:  # halves: of products of powers of two
            log2, shift = int(rng.integers(17, 24)), int(rng.integers(1, 12))
            some = replace(some, multiplier=1 << log2, bias=0, shift=shift, zero=0, low=-128, high=127)
            acc = rng.integers(-300, 300, 24) << 22 + shift - log2
        addend = rng.integers(-128, 128, 24) if rng.random() < 0.5 else None
        random = rng.integers(1, 1 << 16, 24) if rng.random() < 0.3 else None
        y, clipped = requantise(acc, some, random, addend=addend)
        want = [
            _exact(int(x), some, None if addend is None else int(addend[n]), None if random is None else int(random[n]))
            for n, x in enumerate(acc)
        ]
        assert list(zip(y.tolist(), clipped.tolist(), strict=True)) == want, some
        ties += some.even and bool((requantise(acc, replace(some, even=False), random, addend=addend)[0] != y).any())
    assert ties > 0, "no half was rounded down"


def test_settings_of_each_channel() -> None:
    acc = np.full((3, 2), 1000)
    settings = DrainSettings(
        np.array([[1], [2], [3]]), bias=np.array([[0], [-1000], [600]]), multiplier=np.array([[ONE // 4], [ONE], [ONE]])
    )
    assert requantise(acc, settings)[0].tolist() == [[125] * 2, [0] * 2, [127] * 2]


def test_a_half_with_lost_bits_is_no_tie() -> None:
    even = DrainSettings(17, multiplier=1 << 22, even=True)  # (2^17 + 1) * 2^22 / 2^40: a half and a little
    assert requantise([1 << 17, (1 << 17) + 1, 3 << 17, -1 << 17], even)[0].tolist() == [0, 1, 2, 0]
    assert requantise([1 << 17, 3 << 17, -1 << 17], replace(even, even=False))[0].tolist() == [1, 2, 0]
    assert requantise([1 << 17], even, [1])[0].tolist() == [0], "stochastic is neither"
    cut = DrainSettings(multiplier=ONE // 2 + 1, even=True)  # 2^22 + 1: lost without a shift
    assert requantise([1, 3, -1], cut)[0].tolist() == [1, 2, -1]
    assert requantise([1, 3, -1], replace(cut, multiplier=ONE // 2))[0].tolist() == [0, 2, 0]
    above = replace(cut, near_half=True)
    assert requantise([1, 3, -1], above)[0].tolist() == [0, 2, -1], "nothing below a half is one"
    tail = replace(above, multiplier=ONE // 2 + 0xFF)  # 2^-15 is 2^8 of 2^23
    assert requantise([1, 3], tail)[0].tolist() == [0, 2]
    assert requantise([1, 1], replace(tail, multiplier=ONE // 2 + 0x100))[0].tolist() == [1, 1]


def test_derivative_of_a_clip() -> None:
    clip = DrainSettings(high=6, mask_high=True)
    assert requantise([100] * 4, clip, mask=[0, 1, 5, 6])[0].tolist() == [0, 100, 100, 0]
    assert requantise([100, -9], DrainSettings(low=0, high=6))[0].tolist() == [6, 0]
    value = DrainSettings(3, bias=5, multiplier=7, zero=9, low=-2, high=6, field=AccumulatorField.VALUE)
    assert requantise([100, 5, 0x80], value, addend=[1, 1, 1])[0].tolist() == [6, 5, -2]
    index = replace(value, field=AccumulatorField.INDEX)
    assert requantise([100 << 8, 5 << 8], index, addend=[1, 1])[0].tolist() == [100, 5]


@pytest.mark.parametrize("settings", [DrainSettings(32), DrainSettings(addend_shift=-1)])
def test_settings_out_of_range(settings: DrainSettings) -> None:
    with pytest.raises(ValueError, match=r"must be 0 … 31"):
        requantise([1], settings)


@pytest.mark.parametrize("shift", [-1, 32])
def test_shift_out_of_range(shift: int) -> None:
    with pytest.raises(ValueError, match=rf"shift = {shift} must be 0 … 31"):
        rounded(1, shift)
