# SPDX-License-Identifier: Apache-2.0
"""Activation functions and single operations against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from models.edge import activation, arithmetic
from models.edge.activation import Activation, SigmoidTable
from models.lib.fixed_point import Format

FORMATS = [Format(4, 1), Format(8, 5), Format(12, 8), Format(16, 12), Format(16, 14)]


def exact(x: Fraction, width: int, addend: Fraction = Fraction(1, 2)) -> tuple[int, bool]:
    """Round a number of LSBs, clip it, and say whether it was clipped."""
    value = math.floor(x + addend)
    limit = 1 << (width - 1)
    clipped = max(-limit, min(limit - 1, value))
    return clipped, clipped != value


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_sigmoid_table(fmt: Format) -> None:
    table = SigmoidTable.build(fmt)
    bits = min(fmt.width, 12)
    assert len(table.value) == len(table.slope) == 1 << bits
    step = 1 << (fmt.width - bits)
    raw = np.arange(fmt.min_raw, fmt.max_raw + 1)
    value, slope = table(raw)
    for s, a, d in zip(raw.tolist(), value.tolist(), slope.tolist(), strict=True):
        if s % step:
            continue  # the same entry as the one before
        x = (s + (step / 2 if step > 1 else 0)) / fmt.one
        sigmoid = 1 / (1 + math.exp(-x))
        assert a == math.floor(fmt.one * sigmoid + 0.5)
        assert d == math.floor(fmt.one * sigmoid * (1 - sigmoid) + 0.5)
    assert (np.diff(value) >= 0).all()
    assert value.min() >= 0
    assert value.max() <= fmt.one
    assert slope.max() <= fmt.one // 4 + 1
    if step > 1:
        assert np.array_equal(value[::step], value[step - 1 :: step]), "one entry serves the low bits"


def test_sigmoid_command(capsys: pytest.CaptureFixture[str]) -> None:
    activation.main(["8", "5"])
    assert capsys.readouterr().out == SigmoidTable.build(Format(8, 5)).hex_text()
    for wrong in ([], ["12"], ["12", "x"], ["17", "8"], ["3", "1"], ["12", "11"], ["12", "0"]):
        with pytest.raises(SystemExit, match="2"):
            activation.main(wrong)
        assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_hex_text_is_what_the_rom_holds(fmt: Format) -> None:
    table = SigmoidTable.build(fmt)
    words = [int(line, 16) for line in table.hex_text().splitlines()]
    bits = fmt.frac + 1
    assert [word & ((1 << bits) - 1) for word in words] == table.value.tolist()
    assert [word >> bits for word in words] == table.slope.tolist()
    assert len({len(line) for line in table.hex_text().splitlines()}) == 1
    values = [word & ((1 << bits) - 1) for word in words]
    half = len(words) // 2
    assert values[half:] + values[:half] == sorted(values), "addressed by the two's complement index"


def test_relu() -> None:
    fmt = Format(8, 5)
    value, slope = Activation.RELU([-128, -1, 0, 1, 127], fmt)
    assert value.tolist() == [0, 0, 0, 1, 127]
    assert slope.tolist() == [0, 0, 0, 32, 32]
    assert Activation.SIGMOID(0, fmt)[0] == 16


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_sums_and_deltas(fmt: Format) -> None:
    rng = np.random.default_rng(fmt.width)
    products = rng.integers(-(1 << 36), 1 << 36, 300)
    products[::2] >>= 36 - 2 * fmt.frac  # about one
    bias = rng.integers(fmt.min_raw, fmt.max_raw + 1, 300)
    s, clipped = arithmetic.ff_sum(products, bias, fmt)
    t, lost = arithmetic.bp_sum(products, fmt)
    for k, p in enumerate(products.tolist()):
        assert (s[k], clipped[k]) == exact(Fraction(p, fmt.one) + int(bias[k]), fmt.width)
        assert (t[k], lost[k]) == exact(Fraction(p, fmt.one), fmt.width)
    assert clipped.any()
    assert not clipped.all()
    slope = rng.integers(0, fmt.one + 1, 300)
    delta = arithmetic.hidden_delta(t, slope, fmt)
    for k in range(300):
        assert delta[k] == math.floor(Fraction(int(t[k]) * int(slope[k]), fmt.one) + Fraction(1, 2))
    assert arithmetic.hidden_delta([fmt.min_raw, fmt.max_raw], fmt.one, fmt).tolist() == [fmt.min_raw, fmt.max_raw]
    assert arithmetic.output_delta([0, fmt.one, 3], [False, True, True], fmt).tolist() == [0, 0, 3 - fmt.one]


@pytest.mark.parametrize("lr_max", [1, 4, 16])
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_updates(fmt: Format, lr_max: int) -> None:
    """w' = w - 2^-lr * a * delta, rounded by r, in exact arithmetic."""
    rng = np.random.default_rng(lr_max)
    n = 200
    w, a, delta = (rng.integers(fmt.min_raw, fmt.max_raw + 1, n) for _ in range(3))
    state = rng.integers(1, 65536, n)
    for lr in (0, lr_max):
        for stochastic in (False, True):
            shift = fmt.frac + lr_max
            r = arithmetic.rounding_addend(shift, stochastic, state)
            share = np.broadcast_to(r, n)
            new, clipped = arithmetic.weight_update(w, a, delta, lr, lr_max, r, fmt)
            for k in range(n):
                step = Fraction(int(a[k]) * int(delta[k]), fmt.one << lr)
                expected = exact(int(w[k]) - step, fmt.width, Fraction(int(share[k]), 1 << shift))
                assert (new[k], clipped[k]) == expected
            r = arithmetic.rounding_addend(lr_max, stochastic, state)
            share = np.broadcast_to(r, n)
            new, clipped = arithmetic.bias_update(w, delta, lr, lr_max, r, fmt)
            for k in range(n):
                step = Fraction(int(delta[k]), 1 << lr)
                assert (new[k], clipped[k]) == exact(int(w[k]) - step, fmt.width, Fraction(int(share[k]), 1 << lr_max))
