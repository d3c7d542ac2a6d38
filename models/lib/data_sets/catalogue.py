# SPDX-License-Identifier: Apache-2.0
"""The sets that have a name, and how any other is told by what it consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.lib.data_sets import arrays, cifar10, class_folders, idx
from models.lib.data_sets.data_set import DataError, DataSet, Holdout, Pictures, divided, numbered

HOME = Path(__file__).resolve().parents[3] / "data"
"""Where sets are unless the user says otherwise, each in a folder of its name."""

_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist has its files."""


@dataclass(frozen=True)
class KnownSet:
    """A set that everybody has alike.

    Attributes:
        title: for people.
        shape: (C, H, W) of a picture.
        names: of the classes.
        train, test: pictures of each part.
        read: both parts, from a folder.
        elsewhere: where its files are if they are not at home.
    """

    title: str
    shape: tuple[int, int, int]
    names: tuple[str, ...]
    train: int
    test: int
    read: Callable[[Path], list[Pictures]]
    elsewhere: Path | None = None

    def folder(self, name: str) -> Path:
        """Where its files are, or belong."""
        home = HOME / name
        return self.elsewhere if self.elsewhere and self.elsewhere.is_dir() and not home.is_dir() else home


KNOWN = {
    "mnist": KnownSet("MNIST", (1, 28, 28), tuple("0123456789"), 60_000, 10_000, idx.MNIST.read),
    "fashion_mnist": KnownSet(
        "Fashion-MNIST", (1, 28, 28),
        ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
        60_000, 10_000, idx.FASHION_MNIST.read, _DEBIAN,
    ),
    "cifar10": KnownSet(
        "CIFAR-10", cifar10.SHAPE,
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        50_000, 10_000, cifar10.read,
    ),
}  # fmt: skip


def load(name: str, directory: Path | None = None, split: Holdout | None = None) -> DataSet:
    """A set of labelled pictures, read and checked.

    Args:
        name: ``mnist``, ``fashion_mnist``, ``cifar10``, or the path of a folder of IDX files, of an ``.npz`` file, or
            of a folder of class folders of pictures.
        directory: where the files of a set that has a name are; None: below data/ of the checkout.
        split: of a set without a test part of its own: what goes to the test (``Holdout(1.0)``: all of it); None: a
            fifth of every class.

    Returns:
        Images uint8 (n, C, H, W) and labels uint8 (n,) for training and test, and the names of the classes.

    Raises:
        DataError: the data are missing, damaged, or not what they must be.
    """
    known = KNOWN.get(name)
    if known is None:
        if directory is not None:
            raise DataError(f"{name} is a path: leave directory out, which is for {', '.join(KNOWN)}")
        return _read(Path(name), split)
    folder = directory or known.folder(name)
    if directory is not None and not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder of {known.title}: name the one that has its files")
    return divided(known.title, str(folder), known.names, known.read(folder), split, known=True)


def _read(path: Path, split: Holdout | None) -> DataSet:
    """The set at a path, whatever its format."""
    where, title = str(path), path.resolve().name
    try:
        if path.is_file():
            names, parts = arrays.read_file(path)
        elif not path.is_dir():
            raise DataError(f"{where}: there is no such file or folder, and it is none of {', '.join(KNOWN)}")
        elif idx.is_folder(path):
            parts = idx.read_folder(path)
            names = numbered(parts)
        elif any((path / f"{batch}{form}").exists() for batch in cifar10.MD5 for form in ("", ".bin", ".png")):
            raise DataError(f'{where} holds CIFAR-10: say set = "cifar10" and name this folder as its directory')
        elif class_folders.is_folder(path):
            names, parts = class_folders.read_folder(path)
        else:
            raise DataError(f"{where} has neither IDX files (train-images-idx3-ubyte …) nor folders of pictures")
    except OSError as error:
        raise DataError(f"{error.filename or where} cannot be read: {error.strerror}") from None
    return divided(title, where, names, parts, split)
