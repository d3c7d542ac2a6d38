# SPDX-License-Identifier: Apache-2.0
"""Pictures that a network can learn in seconds, as the sets of users: an .npz file, and class folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 3


def pictures(count: int, shape: tuple[int, int, int], seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (count, C, H, W), dark and noisy, with a bright bar across that tells the class; labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.uint8) % CLASSES
    images = rng.integers(0, 60, (count, *shape), dtype=np.uint8)
    height = shape[1] // CLASSES
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, label * height : (label + 1) * height] += 150
    return images, labels


def as_arrays(path: Path, count: int, shape: tuple[int, int, int]) -> Path:
    """An .npz file of pictures."""
    images, labels = pictures(count, shape)
    np.savez(path, images=images, labels=labels)
    return path


def as_folders(folder: Path, count: int, shape: tuple[int, int, int]) -> Path:
    """Class folders in train/ and test/, a quarter of the pictures in the latter."""
    images, labels = pictures(count, shape)
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        place = folder / ("test" if number % 4 == 0 else "train") / f"class {label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0] if shape[0] == 1 else image.transpose(1, 2, 0)).save(place / f"{number}.png")
    return folder
