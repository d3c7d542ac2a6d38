# SPDX-License-Identifier: Apache-2.0
"""Well-formed files with wrong content: arrays and fields of a state dropped, of another kind, out of range."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]


def arrays_of(path: Path) -> Arrays:
    """What a file holds."""
    with np.load(path) as file:
        return dict(file)


def _others(array: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """Arrays of other shapes and types."""
    yield array[None]
    yield array.reshape(-1)[:0].reshape(0, *array.shape[1:]) if array.ndim else np.array([])
    if array.ndim:
        yield array[:-1]
        yield np.concatenate([array, array[-1:]])
        yield array.reshape(-1)[0]
    structured = np.dtype([("a", "i4"), ("b", "i4")])
    for dtype in ("f8", "S3", "U3", "O", "i8", "i4", "u1", structured, array.dtype.newbyteorder()):
        if np.dtype(dtype) != array.dtype:
            yield np.zeros(array.shape, dtype=dtype)


def wrong_arrays(arrays: Arrays, limits: dict[str, tuple[int, int]]) -> Iterator[tuple[str, Arrays]]:
    """(name of what is wrong, arrays). ``limits``: per prefix of a name, the range of values."""
    for name, array in arrays.items():
        rest = {other: values for other, values in arrays.items() if other != name}
        yield name, rest
        if name in ("identity", "state"):
            yield name, rest | {name: np.array(7)}
            continue
        for other in _others(array):
            yield name, rest | {name: other}
        low, high = limits.get(name.rstrip("0123456789"), (0, 0))
        info = np.iinfo(array.dtype) if array.dtype.kind == "i" else None
        for value in (low - 1, high + 1):
            if info and info.min <= value <= info.max:
                changed = array.copy()
                changed.reshape(-1)[-1:] = value
                yield name, rest | {name: changed}
    yield "extra", arrays | {"extra": np.array(1)}


def _places(values: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    """(container, key, name in messages) of everything in a state."""
    for key in values if isinstance(values, dict) else range(len(values)):
        here = f"{name}.{key}" if isinstance(values, dict) else f"{name}[{key}]"
        yield values, key, here
        if isinstance(values[key], dict | list):
            yield from _places(values[key], here)


ODD: tuple[Any, ...] = (None, -1, "x", "", [[]], {"x": None}, float("nan"), float("inf"), -0.5, 10**30, [None])


def wrong_states(state: dict[str, Any], free: str) -> Iterator[tuple[str, Any]]:
    """(name of the field that is wrong, state); two odd values of each, seeded.

    Args:
        free: pattern of the names of what may be missing or have further keys.
    """
    rng = random.Random(1)
    for number, (parent, key, name) in enumerate(_places(state, "state")):
        odd = rng.sample([value for value in ODD if value != parent[key]], 2)
        is_free = re.fullmatch(free, name) is not None
        for value in odd if is_free else [*odd, "drop"]:
            changed = copy.deepcopy(state)
            container, place, _ = list(_places(changed, "state"))[number]
            if value == "drop":
                del container[place]
            else:
                container[place] = value
            yield name, changed
        if isinstance(parent[key], dict) and not is_free:
            changed = copy.deepcopy(state)
            list(_places(changed, "state"))[number][0][key]["extra"] = 1
            yield name, changed
    yield "state.extra", state | {"extra": 1}
    for text in (None, 7, "x", []):
        yield "state", text


def with_state(arrays: Arrays, state: Any) -> Arrays:
    """The arrays of a checkpoint with another state."""
    return arrays | {"state": np.array(json.dumps(state))}


def broken_archives(path: Path) -> Iterator[str]:
    """Bytes that are no archive of arrays, each written to the file in turn; what they are."""
    whole = path.read_bytes()
    for name, content in {
        "empty": b"", "cut": whole[: len(whole) // 2], "text": b"name = 1\n", "zip": b"PK\x05\x06" + bytes(18),
        "pickle": b"\x80\x04K\x01.", "flipped": whole[:200] + bytes([whole[200] ^ 255]) + whole[201:],
    }.items():  # fmt: skip
        path.write_bytes(content)
        yield name
    with path.open("wb") as file:
        np.save(file, np.arange(3))
    yield "one array"
    path.write_bytes(whole)
