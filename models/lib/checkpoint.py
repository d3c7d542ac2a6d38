# SPDX-License-Identifier: Apache-2.0
"""Files from which a run goes on: arrays, a state that JSON can hold, and which run they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.lib import array_file
from models.lib.array_file import Arrays, Expected

_TEXTS = {"identity": Expected(np.str_), "state": Expected(np.str_)}


class CheckpointError(RuntimeError):
    """A file that is missing or damaged, or belongs to another run."""


def write(path: Path, identity: str, state: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write a checkpoint; a reader sees the old file or the new one, never a part.

    Args:
        identity: text that is equal for runs that can go on from each other's checkpoints.
        state: what JSON can hold.
        arrays: not named ``identity`` or ``state``.
    """
    array_file.write(path, {"identity": np.array(identity), "state": np.array(json.dumps(state)), **arrays})


_IDENTITY = "configuration, data set or number of SAMPLES (--samples)"


def read(
    path: Path, identity: str, expected: Mapping[str, Expected], belongs_to: str = _IDENTITY
) -> tuple[Any, Arrays]:  # fmt: skip
    """State and arrays of a checkpoint.

    Args:
        expected: what its arrays must be, all of them.
        belongs_to: what the identity stands for, for the message.

    Raises:
        CheckpointError: it is missing or damaged, or belongs to another run.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}: begin without RESUME (--resume)")
    try:
        arrays = array_file.read(path)
        array_file.check({name: arrays[name] for name in _TEXTS if name in arrays}, _TEXTS)
        found, text = str(arrays.pop("identity")), str(arrays.pop("state"))
        if found != identity:
            raise CheckpointError(
                f"{path} belongs to another {belongs_to}: give those again, or begin anew, without RESUME (--resume)"
            )
        array_file.check(arrays, expected)
        state = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(path, error) from None
    return state, arrays


def damaged(path: Path, error: Exception) -> CheckpointError:
    """What to say of a checkpoint in which something is not what it must be."""
    return CheckpointError(f"{path} is damaged ({error}): begin anew, without RESUME (--resume)")
