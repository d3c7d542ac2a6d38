# SPDX-License-Identifier: Apache-2.0
"""From pixels to the raw numbers that a network reads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from models.lib.data_sets.data_set import UInt8Array

_AT_ONCE = 256
"""Pictures whose numbers stay in a cache while they are looked up."""

Raw = TypeVar("Raw", np.int8, np.int16)


def pooled(images: UInt8Array, pool: int) -> UInt8Array:
    """Average of squares of ``pool`` x ``pool`` pixels, rounded down; uint8 (n, C, H/pool, W/pool)."""
    if pool == 1:
        return images
    n, channels, height, width = images.shape
    blocks = images.reshape(n, channels, height // pool, pool, width // pool, pool)
    average: UInt8Array = (blocks.sum(axis=(3, 5), dtype=np.uint32) // (pool * pool)).astype(np.uint8)
    return average


@dataclass(frozen=True)
class Normal:
    """How pictures are normalised: pixel 0 … 255 stands for (pixel / 255 - mean) / std, with numbers per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def table(self, frac: int, low: int, high: int) -> npt.NDArray[np.int16]:
        """Raw numbers int16 (C, 256) by channel and pixel: with ``frac`` fraction bits, rounded half up, clipped.

        Fractions are those of the numbers as they are written, so that every machine has the same table.
        """
        rows = []
        for mean, std in zip(self.mean, self.std, strict=True):
            gain = (1 << frac) / Fraction(str(std))
            values = ((Fraction(pixel, 255) - Fraction(str(mean))) * gain for pixel in range(256))
            rows.append([min(high, max(low, math.floor(value + Fraction(1, 2)))) for value in values])
        return np.array(rows, dtype=np.int16)


def same_for_all(raw: Callable[[int], int], channels: int) -> npt.NDArray[np.int16]:
    """A table int16 (C, 256) of what a function makes of pixels, the same in every channel."""
    return np.array([[raw(pixel) for pixel in range(256)]] * channels, dtype=np.int16)


def converted(images: UInt8Array, table: npt.NDArray[np.int16], dtype: type[Raw]) -> npt.NDArray[Raw]:
    """Raw numbers (n, C, H, W) of pictures.

    Args:
        table: int16 (C, 256), by channel and pixel.
    """
    raw, rows = np.empty(images.shape, dtype=dtype), table.astype(dtype)
    for first in range(0, len(images), _AT_ONCE):
        some, out = images[first : first + _AT_ONCE], raw[first : first + _AT_ONCE]
        for channel, row in enumerate(rows):
            np.take(row, some[:, channel], out=out[:, channel], mode="clip")
    return raw
