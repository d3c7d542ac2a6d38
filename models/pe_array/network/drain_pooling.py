# SPDX-License-Identifier: Apache-2.0
"""Max pooling of 2 x 2 windows while a map is drained, and the way back, word by word as `pool_drain.v` makes them.

The same as the operations MAX and UNPOOL of the PEs, but that a place says also where a ReLU has stopped its window:
the way back needs no map of activations.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.lib.fixed_point import IntArray

WINDOW = 4
"""Pixels of a window, numbered in raster order."""
STOPPED = 4
"""Bit of a place: no gradient goes there."""


def pooled(words: npt.ArrayLike, relu: bool, high: int | None = None) -> tuple[IntArray, IntArray]:
    """(largest, place) of windows.

    Args:
        words: (windows * 4, B), the pixels of a window behind each other.
        relu: windows with nothing above 0 are stopped.
        high: with a ReLU also those that reach it; None: there is no limit.

    Returns:
        Each (windows, B). A place is the number of the first largest pixel, with bit ``STOPPED``.
    """
    windows = np.asarray(words, dtype=np.int64)
    windows = windows.reshape(-1, WINDOW, windows.shape[-1])
    largest: IntArray = windows.max(axis=1)
    stopped = relu & ((largest <= 0) | (largest >= (1 << 8 if high is None else high)))
    return largest, windows.argmax(axis=1) + STOPPED * stopped


def spread(words: IntArray, places: npt.ArrayLike, run: int) -> IntArray:
    """Words (n, B) of a pooled map of ``run`` columns as the large one, (4 * n, B): in their places, beside zeros."""
    lanes = words.shape[-1]
    place = np.asarray(places).reshape(-1, 1, run, 1, lanes) & (STOPPED | WINDOW - 1)
    pixel = np.arange(WINDOW).reshape(1, 2, 1, 2, 1)
    return np.where(place == pixel, words.reshape(place.shape), 0).reshape(-1, lanes)
