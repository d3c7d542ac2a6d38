# SPDX-License-Identifier: Apache-2.0
"""A CIFAR-10 of a few pictures, in both forms that the real one comes in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.lib.data_sets import cifar10
from models.lib.data_sets.data_set import Pictures


def made_small(monkeypatch: pytest.MonkeyPatch) -> dict[str, Pictures]:
    """A CIFAR-10 of four pictures in each batch, which now is the one that everybody knows."""
    rng, made = np.random.default_rng(1), {}
    monkeypatch.setattr(cifar10, "BATCH", 4)
    for name in cifar10.MD5:
        images = rng.integers(0, 256, (4, *cifar10.SHAPE), dtype=np.uint8)
        made[name] = Pictures(images, rng.integers(0, 10, 4, dtype=np.uint8))
        monkeypatch.setitem(cifar10.MD5, name, hashlib.md5(binary(made[name])).hexdigest())
    return made


def binary(batch: Pictures) -> bytes:
    return b"".join(bytes([label]) + image.tobytes() for image, label in zip(batch.images, batch.labels, strict=True))


def as_binary(folder: Path, batches: dict[str, Pictures]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, batch in batches.items():
        (folder / f"{name}.bin").write_bytes(binary(batch))
    return folder


def as_package(folder: Path, batches: dict[str, Pictures]) -> Path:
    folder.mkdir(exist_ok=True)
    labels: dict[str, list[int]] = {"train": [], "test": []}
    for name, batch in batches.items():
        Image.fromarray(batch.images.transpose(0, 2, 3, 1).reshape(4, 1024, 3)).save(folder / f"{name}.png")
        labels["test" if name == "test_batch" else "train"] += batch.labels.tolist()
    for part, name in cifar10.LABELS.items():
        (folder / name).write_text(json.dumps(labels[part]))
    return folder
