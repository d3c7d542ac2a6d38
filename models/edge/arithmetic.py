# SPDX-License-Identifier: Apache-2.0
"""The engine's operations on raw fixed point, one function each (docs/edge/arithmetic.md).

All arguments are integers or integer arrays that broadcast; results are int64. ``network.py`` computes the same
in compiled loops; these are for the benches of single modules and for reading.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import Format, IntArray, half_addend, round_shift, saturate, stochastic_addend

Mask = npt.NDArray[np.bool_]


def _int(x: npt.ArrayLike) -> IntArray:
    return np.asarray(x, dtype=np.int64)


def ff_sum(products: npt.ArrayLike, bias: npt.ArrayLike, fmt: Format) -> tuple[IntArray, Mask]:
    """(sum s of a right neuron, mask of clipped ones) from the exact sum of its w*a and its bias."""
    return saturate(round_shift(_int(products) + (_int(bias) << fmt.frac), fmt.frac), fmt.width)


def output_delta(activation: npt.ArrayLike, is_label: npt.ArrayLike, fmt: Format) -> IntArray:
    """Delta of output neurons, sigmoid with cross-entropy."""
    return _int(activation) - np.where(is_label, fmt.one, 0)


def bp_sum(products: npt.ArrayLike, fmt: Format) -> tuple[IntArray, Mask]:
    """(sum t of a left neuron, mask of clipped ones) from the exact sum of its w*delta."""
    return saturate(round_shift(products, fmt.frac), fmt.width)


def hidden_delta(t: npt.ArrayLike, derivative: npt.ArrayLike, fmt: Format) -> IntArray:
    """Delta of hidden neurons from their BP sum and derivative."""
    return round_shift(_int(t) * _int(derivative), fmt.frac)


def rounding_addend(shift: int, stochastic: bool, state: npt.ArrayLike = 0) -> IntArray:
    """r for a shift of S (weights) or LR_MAX (biases) from the state of the lane's LFSR."""
    return stochastic_addend(state, shift) if stochastic else _int(half_addend(shift))


def weight_update(
    w: npt.ArrayLike,
    activation: npt.ArrayLike,
    delta: npt.ArrayLike,
    lr_shift: int,
    lr_max: int,
    r: npt.ArrayLike,
    fmt: Format,
) -> tuple[IntArray, Mask]:
    """(new weight, mask of clipped ones); r as ``rounding_addend(FRAC + LR_MAX, …)``."""
    shift = fmt.frac + lr_max
    step = (_int(activation) * _int(delta)) << (lr_max - lr_shift)
    return saturate(round_shift((_int(w) << shift) - step, shift, r), fmt.width)


def bias_update(
    b: npt.ArrayLike, delta: npt.ArrayLike, lr_shift: int, lr_max: int, r: npt.ArrayLike, fmt: Format
) -> tuple[IntArray, Mask]:
    """(new bias, mask of clipped ones); r as ``rounding_addend(LR_MAX, …)``."""
    step = _int(delta) << (lr_max - lr_shift)
    return saturate(round_shift((_int(b) << lr_max) - step, lr_max, r), fmt.width)
