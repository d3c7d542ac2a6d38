# SPDX-License-Identifier: Apache-2.0
"""Order of a block's elements in CSB (docs/pe_array/csb.md): rows and columns come back as late as possible."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.lib.fixed_point import IntArray

Array = Any  # Numba compiles the functions for the types they are called with

HAZARD = 3
"""Elements of a block that share a row or a column are at least so many elements apart, where the block allows it."""

BLOCK_MAX = 256
"""Most rows and columns of a block."""


def hazard_order(row: npt.ArrayLike, col: npt.ArrayLike) -> IntArray:
    """Order of a block's elements in which rows and columns keep ``HAZARD`` elements apart, as far as possible.

    Args:
        row, col: coordinates below 256 in row-major order, (elements,).

    Returns:
        Numbers of the elements, int64 (elements,).
    """
    rows, cols = np.asarray(row, dtype=np.int64), np.asarray(col, dtype=np.int64)
    order = np.zeros(len(rows), dtype=np.int64)
    place(rows, cols, order)
    return order


@njit(cache=True)
def place(row: Array, col: Array, order: Array) -> None:
    """The greedy order of docs/pe_array/csb.md: every row is a list from which elements are taken; fills ``order``."""
    elements = len(row)
    after = np.full(elements, -1, dtype=np.int64)  # the row's next element
    first = np.full(BLOCK_MAX, -1, dtype=np.int64)
    for n in range(elements - 1, -1, -1):
        after[n] = first[row[n]]
        first[row[n]] = n
    row1, row2, col1, col2 = -1, -1, -1, -1  # of the last two elements
    low = 0  # no row below has elements left
    for k in range(elements):
        while first[low] < 0:
            low += 1
        best, before_best = -1, -1
        fallback = -1
        for r in range(low, BLOCK_MAX):
            if first[r] < 0 or r in (row1, row2):
                continue
            if fallback < 0:
                fallback = first[r]
            before, n = -1, first[r]
            while n >= 0 and (col[n] in (col1, col2)):
                before, n = n, after[n]
            if n >= 0:
                best, before_best = n, before
                break
        if best < 0:
            best, before_best = fallback if fallback >= 0 else first[low], -1
        if before_best < 0:
            first[row[best]] = after[best]
        else:
            after[before_best] = after[best]
        order[k] = best
        row2, col2, row1, col1 = row1, col1, row[best], col[best]
