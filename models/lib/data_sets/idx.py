# SPDX-License-Identifier: Apache-2.0
"""IDX files, the format of MNIST: of known sets, whose contents are verified, and in folders of the user."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.lib.data_sets import fetching
from models.lib.data_sets.data_set import DataError, Pictures, UInt8Array, pictures

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""Of a known set, each with ``.gz`` behind its name."""

_FILE = re.compile(r"(train|t10k|test)-(images|labels)[-.]idx\d-ubyte(\.gz)?")


@dataclass(frozen=True)
class KnownFiles:
    """The four files of a set.

    Attributes:
        md5: of their decompressed contents, in the order of ``FILES``.
        mirrors: addresses of folders that have them.
    """

    md5: tuple[str, str, str, str]
    mirrors: tuple[str, ...]

    def read(self, folder: Path) -> list[Pictures]:
        """Training and test part, verified; missing files are fetched into the folder. Raises DataError."""
        arrays = []
        for name, md5 in zip(FILES, self.md5, strict=True):
            path = folder / f"{name}.gz"
            arrays.append(parse(fetching.read_verified(path, md5, self.mirrors), str(path)))
        train_images, train_labels, test_images, test_labels = arrays
        return [Pictures(train_images[:, None], train_labels), Pictures(test_images[:, None], test_labels)]


MNIST = KnownFiles(
    (
        "6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637",
    ),
    ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
)  # fmt: skip
FASHION_MNIST = KnownFiles(
    (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965",
    ),
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
)  # fmt: skip


def parse(contents: bytes, name: str = "IDX file") -> UInt8Array:
    """Array of an IDX file of unsigned bytes. Raises DataError."""
    if len(contents) < 4 or contents[:3] != b"\0\0\x08":
        raise DataError(f"{name} is not an IDX file of unsigned bytes")
    start = 4 + 4 * contents[3]
    if len(contents) < start:
        raise DataError(f"{name} is cut off in its header: copy it again")
    shape = tuple(int(n) for n in np.frombuffer(contents[4:start], dtype=">u4"))
    if len(contents) != start + math.prod(shape):
        raise DataError(f"{name} does not hold the {shape} bytes that its header announces")
    if len(shape) > 4:
        raise DataError(f"{name} has {len(shape)} dimensions: images have 3 or 4, labels 1")
    return np.ndarray(shape, dtype=np.uint8, buffer=contents, offset=start)


def is_folder(folder: Path) -> bool:
    """Whether a folder has files with the names of IDX files."""
    return any(_FILE.fullmatch(path.name) for path in folder.iterdir())


def read_folder(folder: Path) -> list[Pictures]:
    """The training part, and the test part where there is one, of a folder of IDX files, plain or gz.

    Raises:
        DataError: a file is missing, there twice, damaged, or no IDX file.
    """
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        if match := _FILE.fullmatch(path.name):
            key = "train" if match[1] == "train" else "t10k", match[2]
            if key in found:
                raise DataError(f"{folder} has both {found[key].name} and {path.name}: remove one of them")
            found[key] = path
    parts = ["train", "t10k"] if any(part == "t10k" for part, _ in found) else ["train"]
    return [_part(folder, part, found) for part in parts]


def _part(folder: Path, part: str, found: Mapping[tuple[str, str], Path]) -> Pictures:
    arrays = []
    for what in ("images", "labels"):
        path = found.get((part, what))
        if path is None:
            name = f"{part}-{what}-idx{3 if what == 'images' else 1}-ubyte"
            raise DataError(f"{folder} has no {name} (or {name}.gz): put it beside the other IDX files")
        contents: bytes | None = fetching.read(path)
        if path.suffix == ".gz":
            contents = fetching.unpack(contents or b"")
        if contents is None:
            raise DataError(f"{path} is no gzip file, or a damaged one: copy it again")
        arrays.append(parse(contents, str(path)))
    images, labels = arrays
    return pictures(images, labels, str(folder), f"{part} ")
