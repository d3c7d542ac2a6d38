# SPDX-License-Identifier: Apache-2.0
"""Labelled pictures as every reader gives them, checked, and the split where a set has no test part of its own."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]

CLASSES_MAX = 256
"""Labels are bytes."""
SIDE_MAX = 4096
"""Rows and columns of a picture, at most."""
NAME_MAX = 100
"""Characters of the name of a class."""


class DataError(RuntimeError):
    """Data that are missing and cannot be fetched, damaged, or not what they must be. One line, with the mend."""


@dataclass(frozen=True)
class Pictures:
    """Images uint8 (n, C, H, W), a byte per pixel and channel, and labels uint8 (n,)."""

    images: UInt8Array
    labels: UInt8Array

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> Pictures:
        return Pictures(self.images[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class DataSet:
    """What is trained on, and what is tested with.

    Attributes:
        title: for people, such as ``CIFAR-10``.
        names: of the classes, by label.
        train, test: of the same shape; one of them may be empty.
        known: the contents are those that everybody has under this title.
    """

    title: str
    names: tuple[str, ...]
    train: Pictures
    test: Pictures
    known: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every picture."""
        return shape_of(self.train.images)

    @property
    def classes(self) -> int:
        """How many there are: labels are 0 … classes - 1."""
        return len(self.names)

    @functools.cached_property
    def digest(self) -> str:
        """Text that is equal for equal data: the title of a known set, else a SHA-256 of all that is in it."""
        if self.known:
            return self.title
        digest = hashlib.sha256(f"{self.shape} {self.names}".encode())
        for part in (self.train, self.test):
            digest.update(np.ascontiguousarray(part.images).data)
            digest.update(np.ascontiguousarray(part.labels).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Holdout:
    """How a set without a test part of its own is divided.

    Attributes:
        share: of the pictures of each class that is for the test, 0 … 1, at least one where it is above 0.
        seed: picks them.
    """

    share: float = 0.2
    seed: int = 1


def shape_of(images: UInt8Array) -> tuple[int, int, int]:
    """(C, H, W)."""
    channels, height, width = images.shape[1:]
    return channels, height, width


def pictures(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], where: str, name: str = "") -> Pictures:
    """What two arrays hold. Raises DataError.

    Args:
        images: uint8 (n, C, H, W) or (n, H, W).
        labels: integers (n,), 0 … 255.
        where: the file, for messages.
        name: put before ``images`` and ``labels`` in messages.
    """
    one, other = f"{where}: {name}images", f"{name}labels"
    if images.dtype != np.uint8:
        raise DataError(f"{one} are {images.dtype}: they must be uint8, pixels 0 … 255")
    if images.ndim not in (3, 4):
        raise DataError(f"{one} have the shape {images.shape}: it must be (n, C, H, W), or (n, H, W) if they are gray")
    if images.ndim == 4 and images.shape[3] in (1, 3, 4) and images.shape[1] not in (1, 3, 4):
        raise DataError(f"{one} have the shape {images.shape}: channels come first, images.transpose(0, 3, 1, 2)")
    images = images if images.ndim == 4 else images[:, None]
    if 0 in images.shape or max(images.shape[2:]) > SIDE_MAX:
        raise DataError(f"{one} have the shape {images.shape}: there must be some, of 1 … {SIDE_MAX} pixels a side")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{where}: {other} are {labels.dtype} {labels.shape}: they must be integers of the shape (n,)")
    if len(labels) != len(images):
        raise DataError(f"{where}: {len(images)} {name}images and {len(labels)} {other}: every image needs a label")
    if labels.min() < 0 or labels.max() >= CLASSES_MAX:
        raise DataError(f"{where}: {other} are {labels.min()} … {labels.max()}: they must be 0 … {CLASSES_MAX - 1}")
    return Pictures(np.ascontiguousarray(images), labels.astype(np.uint8))


def numbered(parts: list[Pictures]) -> tuple[str, ...]:
    """Names of the classes of a set that has none: their numbers."""
    return tuple(map(str, range(1 + max(int(part.labels.max()) for part in parts))))


def divided(
    title: str, where: str, names: tuple[str, ...], parts: list[Pictures], split: Holdout | None, known: bool = False
) -> DataSet:
    """The set of a training and a test part, or of one part, which is split. Raises DataError.

    Args:
        where: the file or folder, for messages.
        parts: one or two.
        split: None: the usual one. A set of two parts must not have another.
    """
    if strange := [name for name in names if not name.isprintable() or len(name) > NAME_MAX]:
        raise DataError(f"{where}: the class {strange[0][:NAME_MAX]!r} needs a name of at most {NAME_MAX} characters")
    for part in parts:
        if part.labels.max() >= len(names):
            raise DataError(f"{where}: label {part.labels.max()} is out of range: there are {len(names)} classes")
    if len(names) < 2:
        raise DataError(f"{where}: there is one class, {names[0]}: a network needs two to tell apart")
    if len(names) > CLASSES_MAX:
        raise DataError(f"{where}: there are {len(names)} classes: at most {CLASSES_MAX} can be trained")
    if len(parts) == 1:
        parts = _split(parts[0], split or Holdout())
    elif split is not None:
        raise DataError(f"{where}: has a test part of its own: leave test_share and split_seed out")
    train, test = parts if known else map(_mixed, parts)
    if shape_of(train.images) != shape_of(test.images):
        shapes = " and ".join(" x ".join(map(str, shape_of(part.images))) for part in parts)
        raise DataError(f"{where}: pictures for training and test are {shapes}: they must have one size")
    return DataSet(title, names, train, test, known)


def _mixed(part: Pictures) -> Pictures:
    """In a seeded order where it comes class by class, as folders do: the first pictures are then of all classes."""
    if (np.diff(part.labels.astype(np.int64)) < 0).any():
        return part
    return part[np.random.default_rng(1).permutation(len(part))]


def _split(whole: Pictures, split: Holdout) -> list[Pictures]:
    """Training and test part; the pictures of each stay in their order."""
    rng = np.random.default_rng(split.seed)
    tested = np.zeros(len(whole), dtype=np.bool_)
    for label in np.unique(whole.labels):
        rows = np.flatnonzero(whole.labels == label)
        count = min(len(rows), max(1, round(split.share * len(rows)))) if split.share else 0
        tested[rng.permutation(rows)[:count]] = True
    return [whole[np.flatnonzero(~tested)], whole[np.flatnonzero(tested)]]
