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
class Batch:
    """Maps int8 (1, 28, 28, n) and labels int64 (n,)."""

    images: Int8Array
    labels: LabelArray


@dataclass(frozen=True)
class Images:
    """Pixels int8 (n, 28, 28), never negative, and labels int64 (n,)."""

    pixels: Int8Array
    labels: LabelArray

    @classmethod
    def of(cls, images: mnist.UInt8Array, labels: mnist.UInt8Array, bits: int = 8) -> Images:
        """From MNIST's own arrays, shifted right to be signed numbers of so many bits: halved to 0 … 127 for 8."""
        return cls((images >> (9 - bits)).astype(np.int8), labels.astype(np.int64))

    def batch(self, rows: LabelArray) -> Batch:
        """The images of these rows."""
        return Batch(np.ascontiguousarray(self.pixels[rows].transpose(1, 2, 0))[None], self.labels[rows])

    def __getitem__(self, rows: slice) -> Images:
        return Images(self.pixels[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class TrainingImages:
    """What is trained on, and what is tested with."""

    train: Images
    test: Images

    @classmethod
    def load(cls, bits: int = 8) -> TrainingImages:
        """MNIST, unpacked and checked, in numbers of so many bits: once for a run. Raises DataError."""
        both = mnist.load()
        return cls(
            Images.of(both.train_images, both.train_labels, bits), Images.of(both.test_images, both.test_labels, bits)
        )


def classes(classify: Callable[[Int8Array], LabelArray], data: Images, batch: int) -> LabelArray:
    """The classes of all images, found batch by batch."""
    places = np.split(np.arange(len(data)), range(batch, len(data), batch))
    return np.concatenate([classify(data.batch(rows).images) for rows in places])
