# SPDX-License-Identifier: Apache-2.0
"""Random numbers for arithmetic: the whole range, numbers near zero, and corners."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tb.lib.bench import Bench
from tb.lib.lanes import signed_range

IntArray = npt.NDArray[np.int64]

STYLES = ("uniform", "small", "corners", "low", "high", "zero")
"""Kinds of operands that `signed` knows; also good names for the bins of a coverage group."""


def signed(b: Bench, width: int, shape: int | Sequence[int], style: str | None = None) -> IntArray:
    """Signed numbers of `width` bits, int64.

    Args:
        style: "uniform" over the whole range; "small": of any magnitude, each as likely; "corners": the ends of the
            range and the numbers around zero; "low", "high": the smallest, the largest; "zero". None: one at random,
            the first two most often.
    """
    low, high = signed_range(width)
    if style is None:
        style = b.rng.choice([*STYLES, "uniform", "small", "small", "small"])
    if style == "uniform":
        return b.np.integers(low, high, shape, endpoint=True)
    if style == "small":
        return b.np.integers(low, high, shape, endpoint=True) >> b.np.integers(0, width, shape)
    if style == "corners":
        return b.np.choice(np.clip([low, low + 1, -1, 0, 1, high - 1, high], low, high), shape)
    return np.full(shape, {"low": low, "high": high, "zero": 0}[style], dtype=np.int64)
