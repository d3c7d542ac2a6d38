# SPDX-License-Identifier: Apache-2.0
"""A folder of class folders of pictures: ``cats/1.png``, ``dogs/1.jpg``; or the same below ``train/`` and ``test/``.

A class is called as its folder, and labels follow the names' order. All pictures have one size. They have three
channels, red, green and blue, unless all of them are gray, which have one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from models.lib.data_sets.data_set import CLASSES_MAX, SIDE_MAX, DataError, Pictures, UInt8Array

PARTS = ("train", "test")
_GRAY = ("1", "L", "LA")
_COLOUR = ("P", "RGB", "RGBA", "CMYK", "YCbCr")
"""What Pillow calls pictures of at most 8 bits per channel."""


def is_folder(folder: Path) -> bool:
    """Whether there are folders in it."""
    return any(path.is_dir() for path in _visible(folder))


def read_folder(folder: Path) -> tuple[tuple[str, ...], list[Pictures]]:
    """Names of the classes, and one part or two. Raises DataError, OSError."""
    places = [folder / part for part in PARTS]
    if not any(place.is_dir() for place in places):
        places = [folder]
    for place in places:
        if not place.is_dir():
            raise DataError(f"{place}: there is no such folder: have both {' and '.join(PARTS)}, or neither")
    names = _classes(places[0])
    for place in places[1:]:
        if more := sorted(set(_classes(place)) - set(names)):
            raise DataError(f"{place / more[0]}: there is no such class in {places[0]}: both parts have the same ones")
    files = [[(path, label) for label, name in enumerate(names) for path in _files(place / name)] for place in places]
    read = [[_read(path) for path, _ in part] for part in files]
    gray = all(image.ndim == 2 for images in read for image in images)
    parts = []
    for part, images in zip(files, read, strict=True):
        for (path, _), image in zip(part, images, strict=True):
            if image.shape[:2] != read[0][0].shape[:2]:
                own, others = (f"{height} x {width}" for height, width in (image.shape[:2], read[0][0].shape[:2]))
                raise DataError(f"{path} is {own}, {files[0][0][0]} is {others}: scale or crop all to one size")
        labels = np.array([label for _, label in part], dtype=np.uint8)
        parts.append(Pictures(np.stack([_channels(image, gray) for image in images]), labels))
    return names, parts


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, without hidden files, in the order of their names. Raises OSError."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(path.name for path in _visible(folder) if path.is_dir())
    if not names:
        raise DataError(f"{folder} has no folders: it must have one of pictures for every class")
    if len(names) > CLASSES_MAX:
        raise DataError(f"{folder} has {len(names)} folders: at most {CLASSES_MAX} classes can be trained")
    for name in names:
        if not _files(folder / name):
            raise DataError(f"{folder / name} is empty: put pictures of the class into it, or remove it")
    return names


def _files(folder: Path) -> list[Path]:
    return _visible(folder) if folder.is_dir() else []


def _read(path: Path) -> UInt8Array:
    """Pixels (H, W) of a gray picture, or (H, W, 3). Raises DataError."""
    try:
        with Image.open(path) as image:
            if max(image.size) > SIDE_MAX:
                raise DataError(f"{path} has {max(image.size)} pixels a side: at most {SIDE_MAX}; scale it")
            if image.mode not in (*_GRAY, *_COLOUR):
                raise DataError(f"{path} has pixels of the kind {image.mode}: save it with 8 bits per channel")
            upright = ImageOps.exif_transpose(image)
            return np.array(upright.convert("L" if image.mode in _GRAY else "RGB"), dtype=np.uint8)
    except DataError:
        raise
    except Exception as error:  # whatever Pillow makes of bytes that are no picture, and of folders
        what = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path} cannot be read as a picture ({what}): remove it, or save it as PNG") from None


def _channels(image: UInt8Array, gray: bool) -> UInt8Array:
    """(C, H, W); a gray picture among others has three equal channels."""
    if image.ndim == 3:
        return image.transpose(2, 0, 1)
    return image[None] if gray else np.repeat(image[None], 3, axis=0)
