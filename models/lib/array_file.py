# SPDX-License-Identifier: Apache-2.0
"""Files of arrays (.npz) of which the reader says what it expects: what is anything else is damaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from models.lib.whole_file import written

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Expected:
    """What an array must be.

    Attributes:
        dtype: exactly this, in the byte order of this machine; ``np.str_``: text of any length.
        shape: sizes; a name in place of a size stands for one that is the same wherever the name occurs.
        low, high: what integers must lie between, both included.
    """

    dtype: type[np.generic]
    shape: tuple[int | str, ...] = ()
    low: int = 0
    high: int = 0

    def check(self, name: str, array: np.ndarray[Any, Any], sizes: dict[str, tuple[int, str]]) -> None:
        """ValueError, with the array's name, where it is something else.

        Args:
            sizes: those that have a name, and the array that they were learned from.
        """
        wanted: tuple[int | str, ...] = self.shape
        if array.ndim == len(wanted):
            for size, axis in zip(array.shape, wanted, strict=True):
                sizes.setdefault(str(axis), (size, name))
            wanted = tuple(sizes[axis][0] if isinstance(axis, str) else axis for axis in wanted)
        is_type = array.dtype.kind == "U" if self.dtype is np.str_ else array.dtype == self.dtype
        if not is_type or array.shape != wanted:
            others = {sizes[axis][1] for axis in self.shape if isinstance(axis, str) and axis in sizes} - {name}
            raise ValueError(
                f"{name} is {array.dtype} {array.shape}, must be {self.dtype.__name__} ({', '.join(map(str, wanted))})"
                + "".join(f" to fit {other}" for other in others)
            )
        if array.dtype.kind in "iu" and array.size and not self.low <= array.min() <= array.max() <= self.high:
            raise ValueError(f"{name} has values {array.min()} … {array.max()}, must be {self.low} … {self.high}")


def read(path: Path) -> Arrays:
    """All arrays of a file, in C order. Raises ValueError, which names an array that cannot be read."""
    name = ""
    try:
        file = np.load(path)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("it is not an archive of arrays")
        with file:
            arrays = {}
            for name in file.files:
                arrays[name] = np.array(file[name], order="C")
            return arrays
    except Exception as error:  # whatever NumPy, zipfile and zlib make of bytes that are nothing of theirs
        what = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{name}: {what}" if name else what) from None


def check(arrays: Arrays, expected: Mapping[str, Expected]) -> None:
    """ValueError, with the array's name, where one is missing, is too many, or is not what is expected."""
    for name in expected:
        if name not in arrays:
            raise ValueError(f"it has no {name}")
    for name in arrays:
        if name not in expected:
            raise ValueError(f"{name!r} does not belong in it")
    sizes: dict[str, tuple[int, str]] = {}
    for name, want in expected.items():
        want.check(name, arrays[name], sizes)


def write(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]], compressed: bool = False) -> None:
    """Write a file of exactly that name; a reader sees the old one or the new one, never a part."""
    with written(path) as (file,):
        save(file, arrays, compressed)


def save(file: BinaryIO, arrays: Mapping[str, np.ndarray[Any, Any]], compressed: bool = True) -> None:
    """The same into an open file."""
    (np.savez_compressed if compressed else np.savez)(file, **arrays)  # type: ignore[arg-type]
