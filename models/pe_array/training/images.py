# SPDX-License-Identifier: Apache-2.0
"""Images of MNIST as the PE array takes them, in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib import mnist

Int8Array = npt.NDArray[np.int8]
LabelArray = npt.NDArray[np.int64]

SHAPE = (1, 28, 28)
"""Channels, rows and columns of an image of MNIST."""
CLASSES = 10
"""Of MNIST."""


@dataclass(frozen=True)
class Images:
    """Pixels int8 (n, 28, 28), never negative, and labels int64 (n,)."""

    pixels: Int8Array
    labels: LabelArray

    @classmethod
    def of(cls, images: mnist.UInt8Array, labels: mnist.UInt8Array, bits: int = 8) -> Images:
        """From MNIST's own arrays, shifted right to be signed numbers of so many bits: halved to 0 … 127 for 8."""
        return cls((images >> (9 - bits)).astype(np.int8), labels.astype(np.int64))

    def batch(self, rows: LabelArray) -> Int8Array:
        """Maps (1, 28, 28, len(rows))."""
        return np.ascontiguousarray(self.pixels[rows].transpose(1, 2, 0))[None]

    def __getitem__(self, rows: slice) -> Images:
        return Images(self.pixels[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.labels)


def classes(classify: Callable[[Int8Array], LabelArray], data: Images, batch: int) -> LabelArray:
    """The classes of all images, found batch by batch."""
    rows = np.arange(len(data))
    return np.concatenate([classify(data.batch(rows[start : start + batch])) for start in range(0, len(data), batch)])
