# SPDX-License-Identifier: Apache-2.0
"""Deltas of the output layer against exact arithmetic, and softmax against the true one."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from models.pe_array.network.output_delta import (
    exp_table,
    output_delta8,
    sigmoid_table,
    softmax8,
    verilog_constant,
)

OFF_BY = 0.5 + 128 * 127.5 / (65535 - 127.5)
"""Bound of the error of a share, in its last bits: 0.749."""


@pytest.mark.parametrize("frac", range(8))
def test_sigmoid_table(frac: int) -> None:
    table = sigmoid_table(frac)
    for i in range(-128, 128):
        assert table[i & 255] == math.floor(128 / (1 + math.exp(-i / 2**frac)) + 0.5)
    word = int("".join(re.findall(r"256'h([0-9a-f]{64})\b", verilog_constant(table, 8))), 16)
    assert [word >> 8 * i & 255 for i in range(256)] == table.tolist()


def test_no_table() -> None:
    for table in (sigmoid_table, exp_table):
        with pytest.raises(ValueError, match="frac = 8 must be 0 … 7"):
            table(8)


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


@pytest.mark.parametrize("frac", range(8))
def test_exp_table(frac: int) -> None:
    table = exp_table(frac)
    for i in range(256):
        assert table[i] == math.floor(65535 * math.exp(-i / 2**frac) + 0.5)
    word = int("".join(re.findall(r"256'h([0-9a-f]{64})\b", verilog_constant(table, 16))), 16)
    assert [word >> 16 * i & 65535 for i in range(256)] == table.tolist()


def errors(logits: np.ndarray, frac: int) -> np.ndarray:
    """How far shares are from 128 times the true softmax."""
    powers = np.exp((logits - logits.max(axis=0)) / 2.0**frac)
    return np.abs(softmax8(logits, frac) - 128 * powers / powers.sum(axis=0))


@pytest.mark.parametrize("frac", range(8))
def test_softmax_is_near_the_true_one(frac: int) -> None:
    rng = np.random.default_rng(frac)
    for classes in (1, 2, 3, 10, 100, 256):
        for spread in (2, 10, 60, 255):
            logits = rng.integers(0, spread + 1, (classes, 200)) - 128
            assert errors(logits, frac).max() < OFF_BY
    # one maximum, and so many of 256 at every distance below it: there the roundings of the exponentials add up
    distance = np.arange(256)
    for many in range(1, 256, 2):
        logits = np.full((256, 256), -128)
        logits[0] = 127
        logits[1 : many + 1] = 127 - distance
        assert errors(logits, frac).max() < OFF_BY


def test_softmax_at_its_worst() -> None:
    """The largest error that a search over one maximum and any number of classes at one distance has found."""
    logits = np.full((256, 1), 127 - 171)
    logits[0] = 127
    assert errors(logits, 4).max() == pytest.approx(0.7408, abs=1e-4)


def test_softmax_bit_by_bit() -> None:
    """The division of the RTL, bit by bit, is the one of the definition."""
    rng = np.random.default_rng(3)
    logits = np.clip(rng.integers(-40, 41, (12, 50)) + rng.integers(-128, 128, 50), -128, 127)
    table = exp_table(5)
    for (row, image), share in np.ndenumerate(softmax8(logits, 5)):
        below = int(logits[:, image].max()) - logits[:, image]
        total, rest, quotient = int(table[below].sum()), int(table[below[row]]), 0
        for _ in range(8):
            fits = 2 * rest >= total
            rest, quotient = 2 * rest - total * fits, 2 * quotient + fits
        exact = Fraction(128 * int(table[below[row]]), total)
        assert share == (quotient + 1) >> 1 == math.floor(exact + Fraction(1, 2))


@pytest.mark.parametrize("bits", [8, 5])
def test_deltas_with_softmax(bits: int) -> None:
    logits = np.random.default_rng(1).integers(-128, 128, (10, 40))
    labels = np.arange(40) % 11
    logits[0, 1], logits[1:, 1] = 127, -128
    delta = output_delta8(logits, labels, 4, bits, softmax=True)
    shares = softmax8(logits, 4)
    for (row, image), share in np.ndenumerate(shares):
        exact = Fraction(int(share) - 128 * (labels[image] == row), 1 << 8 - bits)
        rounded_up = math.floor(exact + (Fraction(1, 2) if bits < 8 else 0))
        assert delta[row, image] == max(-1 << bits - 1, min((1 << bits - 1) - 1, rounded_up))
    assert shares[0, 1] == 128, "and so one that is clipped"
