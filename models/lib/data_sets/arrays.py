# SPDX-License-Identifier: Apache-2.0
"""A set in a file of NumPy arrays, ``.npz``.

The file has ``images`` uint8 (n, C, H, W), or (n, H, W) if they are gray, and ``labels`` integers (n,); or the same
twice, as ``train_images``, ``train_labels``, ``test_images`` and ``test_labels``; and ``names`` of the classes if it
likes to, text (classes,), by label.
"""

from __future__ import annotations

from pathlib import Path

from models.lib import array_file
from models.lib.data_sets.data_set import DataError, Pictures, numbered, pictures

WHOLE = ("images", "labels")
PARTS = ("train_images", "train_labels", "test_images", "test_labels")
NAMES = "names"


def read_file(path: Path) -> tuple[tuple[str, ...], list[Pictures]]:
    """Names of the classes, and one part or two. Raises DataError."""
    try:
        arrays = array_file.read(path)
    except ValueError as error:
        raise DataError(f"{path} cannot be read as .npz ({error}): write it again with np.savez") from None
    given = set(arrays) - {NAMES}
    if given not in (set(WHOLE), set(PARTS)):
        held = ", ".join(sorted(arrays)) or "nothing"
        raise DataError(f"{path} holds {held}: it must hold {', '.join(WHOLE)}, or {', '.join(PARTS)}; {NAMES} may be")
    prefixes = ("",) if given == set(WHOLE) else ("train_", "test_")
    parts = [pictures(arrays[f"{each}images"], arrays[f"{each}labels"], str(path), each) for each in prefixes]
    if NAMES not in arrays:
        return numbered(parts), parts
    names = arrays[NAMES]
    if names.dtype.kind != "U" or names.ndim != 1 or not names.size:
        raise DataError(f"{path}: {NAMES} are {names.dtype} {names.shape}: they must be text of the shape (classes,)")
    return tuple(map(str, names)), parts
