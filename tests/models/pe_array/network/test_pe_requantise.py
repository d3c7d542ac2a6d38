# SPDX-License-Identifier: Apache-2.0
"""Requantising and the deltas of the output layer against exact arithmetic."""

from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest

from models.lib.fixed_point import lfsr_step
from models.pe_array.network import layers
from models.pe_array.network.requantise import (
    AccumulatorField,
    RandomLanes,
    output_delta8,
    requantise,
    rounded,
    sigmoid_constant,
    sigmoid_table,
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
    y, clipped = requantise(acc, shift, random, bits=bits)
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
    y, clipped = requantise(acc, 7, relu=True, mask=mask)
    reference = layers.requantise(acc, 7, relu=True, mask=mask)
    assert y.tolist() == reference.values.tolist()
    assert clipped.sum() == reference.saturated
    y, clipped = requantise(acc, 9, bits=5)
    reference = layers.requantise(acc, 9, bits=5)
    assert y.tolist() == reference.values.tolist()
    assert clipped.sum() == reference.saturated > 0


def test_relu_and_mask() -> None:
    acc = np.array([-300, -5, 0, 5, 300])
    y, clipped = requantise(acc, 0, relu=True)
    assert y.tolist() == [0, 0, 0, 5, 127]
    assert clipped.tolist() == [True, False, False, False, True], "clipped before ReLU"
    y, clipped = requantise(acc, 0, mask=[1, 0, 1, -1, 127])
    assert y.tolist() == [-128, 0, 0, 0, 127]
    assert clipped.tolist() == [True, False, False, False, True]


def test_fields_of_max() -> None:
    acc = [0x0180, 0x8005, 0xFF7F, 0x02FF]
    value, clipped = requantise(acc, 9, field=AccumulatorField.VALUE)
    assert value.tolist() == [-128, 5, 127, -1]
    assert not clipped.any()
    assert requantise(acc, 9, relu=True, mask=[1, 1, 0, 1], field=AccumulatorField.VALUE)[0].tolist() == [0, 5, 0, 0]
    index, clipped = requantise(acc, 9, relu=True, mask=[0, 0, 0, 0], field=AccumulatorField.INDEX)
    assert (index & 255).tolist() == [1, 128, 255, 2]
    assert not clipped.any()
    value, clipped = requantise([0x0180, 0x8005, 0xFF07], 9, field=AccumulatorField.VALUE, bits=4)
    assert value.tolist() == [-8, 5, 7]
    assert clipped.tolist() == [True, False, False]
    assert requantise(acc, 9, field=AccumulatorField.INDEX, bits=4)[0].tolist() == index.tolist(), "an index has 8 bits"


@pytest.mark.parametrize("shift", [-1, 32])
def test_shift_out_of_range(shift: int) -> None:
    with pytest.raises(ValueError, match=rf"shift = {shift} must be 0 … 31"):
        rounded(1, shift)


@pytest.mark.parametrize("frac", range(8))
def test_sigmoid_table(frac: int) -> None:
    table = sigmoid_table(frac)
    for i in range(-128, 128):
        assert table[i & 255] == math.floor(128 / (1 + math.exp(-i / 2**frac)) + 0.5)
    word = int("".join(re.findall(r"256'h([0-9a-f]{64})\b", sigmoid_constant(frac))), 16)
    assert [word >> 8 * i & 255 for i in range(256)] == table.tolist()


def test_no_table() -> None:
    with pytest.raises(ValueError, match="frac = 8 must be 0 … 7"):
        sigmoid_table(8)


def test_output_delta() -> None:
    logits = np.array([[0, 127, -128], [-128, 127, 0], [16, 127, -16]])
    delta = output_delta8(logits, [0, 1, 9], 4)
    table = sigmoid_table(4)
    assert delta.tolist() == [
        [64 - 128, 127, table[128]],
        [table[128], 128 - 128, 64],
        [table[16], 127, table[-16 & 255]],
    ]


@pytest.mark.parametrize("bits", [4, 5, 7, 8])
def test_output_delta_of_fewer_bits(bits: int) -> None:
    logits = np.arange(-128, 128).reshape(2, 128)
    labels = np.arange(128) % 3
    delta = output_delta8(logits, labels, 4, bits)
    for (row, column), logit in np.ndenumerate(logits):
        exact = Fraction(int(sigmoid_table(4)[logit & 255]) - 128 * (labels[column] == row), 1 << 8 - bits)
        rounded_up = math.floor(exact + (Fraction(1, 2) if bits < 8 else 0))
        assert delta[row, column] == max(-1 << bits - 1, min((1 << bits - 1) - 1, rounded_up))
