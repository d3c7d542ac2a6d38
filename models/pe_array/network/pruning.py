# SPDX-License-Identifier: Apache-2.0
"""Magnitude pruning, in one shot and early in training: whole 2-D kernels of convolutions, single weights of fully
connected layers (which are 1 x 1 kernels, so that one rule serves both).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.shapes import Conv, Positions


def kept_elements(conv: Conv, density: float) -> int:
    """Elements that a layer keeps: ``density`` of all its groups allow, rounded half up, at least 1.

    Raises:
        ValueError: the density is not above 0 and at most 1.
    """
    if not 0.0 < density <= 1.0:
        raise ValueError(f"density = {density} must be above 0 and at most 1")
    return max(1, int(density * (conv.rows * conv.cols // conv.groups) + 0.5))


def strongest(conv: Conv, weights: npt.NDArray[np.integer], density: float) -> npt.NDArray[np.int64]:
    """Indices, rising, of the elements to keep: those whose kernels have the largest sums of magnitudes.

    Args:
        weights: (n, KH, KW), the elements that are still there. Of equal sums the earlier ones stay.
        density: share of all positions that the layer may keep, not of those that are still there.
    """
    sums = np.abs(weights.astype(np.int64)).sum(axis=(1, 2))
    count = min(kept_elements(conv, density), len(sums))
    least = np.partition(sums, len(sums) - count)[len(sums) - count]
    stays = sums > least
    stays[np.flatnonzero(sums == least)[: count - int(stays.sum())]] = True
    return np.flatnonzero(stays)


def prune(
    conv: Conv, positions: Positions, weights: npt.NDArray[np.integer], density: float
) -> tuple[Positions, npt.NDArray[np.int64]]:
    """(remaining positions in the same order, their indices among the elements of before); see ``strongest``.

    What is pruned stays pruned, because nothing adds positions: use the indices on all arrays of the layer.
    """
    keep = strongest(conv, weights, density)
    return Positions(positions.row[keep], positions.col[keep]), keep


def rescaled(left: npt.NDArray[np.int32], whole: npt.NDArray[np.int32], bits: int) -> npt.NDArray[np.int32]:
    """What pruning left of some weights, int32, with the norm that the whole had: scaled, rounded, clipped to ``bits``.

    Sums of outputs then have the variance that they had. Without that, every pruned layer passes on less, and behind
    some of them in a row nothing is left to learn from.
    """
    before, after = (float((each.astype(np.int64) ** 2).sum()) for each in (whole, left))
    factor, limit = math.sqrt(before / after) if after else 1.0, 1 << (bits - 1)
    scaled: npt.NDArray[np.int32] = np.clip(np.rint(left * factor), -limit, limit - 1).astype(np.int32)
    return scaled
