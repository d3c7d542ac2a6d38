# SPDX-License-Identifier: Apache-2.0
"""Fraction bits of a network that is to be trained on: powers of two for maps, weights, biases and gradients.

Those are taken with which the mean square error of rounding and clipping is least; of gradients some more, because they
are measured where there is most to learn; of weights those with which all fit. Shifts of the array bound all of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.widths import BIAS_SHIFT_MAX, STANDARD
from models.pe_array.network.kinds.convolution import BIAS_FRAC
from models.pe_array.network.layer import FRAC_LIMIT

Reals = npt.NDArray[np.float64]
MOST = (1 << STANDARD.data - 1) - 1
"""Largest raw number of data."""
FINER = 2
"""Bits that gradients have more than what is best for those of random labels, which are the largest that can be:
in short trials with a ResNet-20, pruned to 14 % of its weights, none and four learnt less or no more."""


def fitting(largest: float) -> int:
    """Most fraction bits with which a magnitude still fits; may be negative. FRAC_LIMIT for 0."""
    return min(FRAC_LIMIT, int(np.floor(np.log2((MOST + 0.5) / largest)))) if largest > 0 else FRAC_LIMIT


def of_values(values: Reals, most: int = FRAC_LIMIT) -> int:
    """Fraction bits, 0 … ``most``, with which values lose least by rounding and clipping."""
    first = fitting(float(np.abs(values).max(initial=0.0)))
    candidates = {min(most, max(0, first + more)) for more in range(3)}
    return min(sorted(candidates), key=lambda frac: _error(values, frac))


def of_weights(weights: Reals, most: int) -> int:
    """Fraction bits, 0 … ``most``, with which no weight is clipped: a training needs room at the ends."""
    return min(most, max(0, fitting(float(np.abs(weights).max(initial=0.0)))))


def of_gradients(values: Reals) -> int:
    """Fraction bits of gradients like those of random labels, or smaller."""
    return of_values(values, FRAC_LIMIT - FINER) + FINER


def of_biases(biases: Reals, sums: int, master_bits: int) -> int:
    """Fraction bits of the masters of biases that have at least as many as the sums."""
    largest = float(np.abs(biases).max(initial=0.0))
    room = master_bits - 2 - max(0, int(np.ceil(np.log2(largest))) if largest else 0)
    return max(sums, min(BIAS_FRAC, sums + BIAS_SHIFT_MAX, room))


def _error(values: Reals, frac: int) -> float:
    raw = np.clip(np.floor(values * 2.0**frac + 0.5), -MOST - 1, MOST)
    return float(((raw / 2.0**frac - values) ** 2).mean()) if values.size else 0.0
