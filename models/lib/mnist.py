# SPDX-License-Identifier: Apache-2.0
"""MNIST: reading, verifying and if need be fetching the four files, and turning images into raw inputs."""

from __future__ import annotations

import gzip
import hashlib
import math
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.lib.data_sets.data_set import DataError
from models.lib.fixed_point import Format
from models.lib.whole_file import written

DATA_DIR = Path(__file__).resolve().parents[2] / "data" / "mnist"

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""MD5 of the decompressed contents, as in data/mnist/README.md."""

TIMEOUT_SECONDS = 30

UInt8Array = npt.NDArray[np.uint8]
Int16Array = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Mnist:
    """Images uint8 (n, 28, 28) and labels uint8 (n,) of both sets."""

    train_images: UInt8Array
    train_labels: UInt8Array
    test_images: UInt8Array
    test_labels: UInt8Array


def load(directory: Path = DATA_DIR) -> Mnist:
    """The whole of MNIST, verified; fetches missing files into ``directory``. Raises DataError."""
    arrays = [parse_idx(read_verified(name, directory), name) for name in MD5]
    return Mnist(*arrays)


def read_verified(name: str, directory: Path = DATA_DIR) -> bytes:
    """Decompressed contents of ``<directory>/<name>.gz``, fetched if missing. Raises DataError."""
    path = directory / f"{name}.gz"
    if not path.exists():
        fetch(name, directory)
    try:
        contents = unpack(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    if contents is None or hashlib.md5(contents, usedforsecurity=False).hexdigest() != MD5[name]:
        raise DataError(f"{path} is damaged: its contents do not have MD5 {MD5[name]}. Delete it to fetch it again")
    return contents


def unpack(packed: bytes) -> bytes | None:
    """Contents of a gzip file, None where it is none."""
    try:
        return gzip.decompress(packed)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return None


def fetch(name: str, directory: Path = DATA_DIR, mirrors: tuple[str, ...] = MIRRORS) -> None:
    """Fetch one file from the first mirror that has it unharmed; nothing else is ever written. Raises DataError."""
    faults = []
    for mirror in mirrors:
        url = f"{mirror}{name}.gz"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
                packed = answer.read()
        except (urllib.error.URLError, OSError) as error:
            faults.append(f"{url}: {error}")
            continue
        contents = unpack(packed)
        if contents is None or hashlib.md5(contents, usedforsecurity=False).hexdigest() != MD5[name]:
            faults.append(f"{url}: wrong MD5")
            continue
        directory.mkdir(parents=True, exist_ok=True)
        with written(directory / f"{name}.gz") as (file,):
            file.write(packed)
        return
    raise DataError(
        f"{directory / name}.gz is missing and could not be fetched ({'; '.join(faults)}). "
        f"Copy it there from another machine, or connect to the network and run again"
    )


def parse_idx(contents: bytes, name: str = "IDX file") -> UInt8Array:
    """Array of an IDX file of unsigned bytes. Raises DataError."""
    if len(contents) < 4 or contents[:3] != b"\0\0\x08":
        raise DataError(f"{name} is not an IDX file of unsigned bytes")
    start = 4 + 4 * contents[3]
    shape = tuple(int(n) for n in np.frombuffer(contents[4:start], dtype=">u4"))
    if len(contents) != start + math.prod(shape):
        raise DataError(f"{name} does not hold the {shape} bytes that its header announces")
    return np.ndarray(shape, dtype=np.uint8, buffer=contents, offset=start)


def pool_images(images: UInt8Array, pool: int) -> UInt8Array:
    """Average of squares of ``pool`` x ``pool`` pixels, rounded down; uint8 (n, h/pool, w/pool)."""
    n, height, width = images.shape
    blocks = images.reshape(n, height // pool, pool, width // pool, pool)
    average: UInt8Array = (blocks.sum(axis=(2, 4), dtype=np.uint32) // (pool * pool)).astype(np.uint8)
    return average


def raw_inputs(images: UInt8Array, inputs: int, fmt: Format, pool: int = 1) -> Int16Array:
    """Raw inputs int16 (n, inputs): ``(pixel << frac) >> 8`` in reading order, zeros up to ``inputs``."""
    pixels = pool_images(images, pool).reshape(len(images), -1)
    raw = np.zeros((len(images), inputs), dtype=np.int16)
    raw[:, : pixels.shape[1]] = (pixels.astype(np.int32) << fmt.frac) >> 8
    return raw


def epoch_order(n: int, epoch: int, seed: int) -> npt.NDArray[np.int64]:
    """Order in which an epoch (0 being the first) presents n samples: a permutation that depends on both seeds."""
    return np.random.default_rng([seed, epoch]).permutation(n)
