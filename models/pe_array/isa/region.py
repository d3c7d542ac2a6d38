# SPDX-License-Identifier: Apache-2.0
"""Rectangles of maps: tiles, and the windows that are held of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.shapes import Pair


@dataclass(frozen=True)
class Region:
    """A rectangle of a map: first row and column, number of rows and columns; empty if either number is 0."""

    y: int
    x: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def positions(self) -> Iterator[Pair]:
        """(row, column) in the map of every pixel, in raster order."""
        for y in range(self.y, self.y + self.height):
            for x in range(self.x, self.x + self.width):
                yield y, x

    def offset(self, y: int, x: int) -> int:
        """Place of a pixel of the map in the raster of the region."""
        return (y - self.y) * self.width + x - self.x

    def cut(self, feature_map: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Pixel words (C, pixels, B) of the region of a map (C, H, W, B), as X and Y hold them."""
        part = feature_map[:, self.y : self.y + self.height, self.x : self.x + self.width]
        return np.ascontiguousarray(part).reshape(len(feature_map), self.pixels, feature_map.shape[-1])
