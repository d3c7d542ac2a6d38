# SPDX-License-Identifier: Apache-2.0
"""Pictures as the PE array takes them, in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from models.lib.data_sets import pixels
from models.lib.data_sets.data_set import Pictures
from models.lib.data_sets.epoch import Augmentation
from models.pe_array.network.config import PeConfig

Int8Array = npt.NDArray[np.int8]
LabelArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Maps int8 (C, H, W, n) and labels int64 (n,)."""

    images: Int8Array
    labels: LabelArray


@dataclass(frozen=True)
class Images:
    """Raw maps int8 (n, C, H, W) and labels int64 (n,).

    Attributes:
        title: of the set.
        source: text that is equal where all that is trained on is equal.
        augmentation: how an epoch changes them.
    """

    maps: Int8Array
    labels: LabelArray
    title: str = "the data set"
    source: str = ""
    augmentation: Augmentation = field(default_factory=Augmentation)

    @classmethod
    def of(cls, pictures: Pictures, bits: int = 8, table: npt.NDArray[np.int16] | None = None) -> Images:
        """From pixels, shifted right to be signed numbers of so many bits: halved to 0 … 127 for 8.

        Args:
            table: raw numbers int16 (C, 256) by channel and pixel, in place of that.
        """
        if table is None:
            table = pixels.same_for_all(lambda pixel: pixel >> 9 - bits, pictures.images.shape[1])
        return cls(pixels.converted(pictures.images, table, np.int8), pictures.labels.astype(np.int64))

    def batch(self, rows: LabelArray, epoch: int | None = None) -> Batch:
        """The images of these rows, as an epoch of the training (0 being the first) presents them, or as they are."""
        maps = self.maps[rows]
        if epoch is not None:
            maps = self.augmentation.changed(maps, epoch, rows)
        return Batch(np.ascontiguousarray(maps.transpose(1, 2, 3, 0)), self.labels[rows])

    def __getitem__(self, rows: slice) -> Images:
        return replace(self, maps=self.maps[rows], labels=self.labels[rows])

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        channels, height, width = self.maps.shape[1:]
        return channels, height, width


@dataclass(frozen=True)
class TrainingImages:
    """What is trained on, what is tested with, and the names of the classes."""

    train: Images
    test: Images
    names: tuple[str, ...]

    @classmethod
    def load(cls, config: PeConfig) -> TrainingImages:
        """The set that a configuration names, read and checked: once for a run. Raises ConfigError, DataError."""
        data, source = config.data.load(), config.data
        config.check_data(data.shape, data.classes, data.title)
        bits = config.widths.data
        table = source.table(data.shape[0], config.layers[0].in_frac, -(1 << bits - 1), (1 << bits - 1) - 1)
        train, test = (
            replace(Images.of(part, bits, table), title=data.title, source=f"{data.digest} {source.identity}")
            for part in (data.train, data.test)
        )
        return cls(replace(train, augmentation=source.augmentation), test, data.names)


def classes(classify: Callable[[Int8Array], LabelArray], data: Images, batch: int) -> LabelArray:
    """The classes of all images, found batch by batch."""
    places = np.split(np.arange(len(data)), range(batch, len(data), batch))
    return np.concatenate([classify(data.batch(rows).images) for rows in places])
