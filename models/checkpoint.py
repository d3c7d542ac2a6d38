# SPDX-License-Identifier: Apache-2.0
"""Files from which a training goes on: arrays, a state that JSON can hold, and which training they belong to."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.whole_file import written

Arrays = dict[str, np.ndarray[Any, Any]]


class CheckpointError(RuntimeError):
    """A file that is missing or damaged, or belongs to another training."""


def write(path: Path, identity: str, state: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write a checkpoint; a reader sees the old file or the new one, never a part.

    Args:
        identity: text that is equal for trainings that can go on from each other's checkpoints.
        state: what JSON can hold.
        arrays: not named ``identity`` or ``state``.
    """
    with written(path) as (file,):
        np.savez(file, identity=np.array(identity), state=np.array(json.dumps(state)), **arrays)  # type: ignore[arg-type]


def read(path: Path, identity: str) -> tuple[Any, Arrays]:
    """State and arrays of a checkpoint. Raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}: train without RESUME first")
    try:
        with np.load(path) as file:
            arrays = dict(file)
        found, state = str(arrays.pop("identity")), json.loads(str(arrays.pop("state")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from None
    if found != identity:
        raise CheckpointError(
            f"{path} belongs to another configuration or number of SAMPLES: give those again, or train anew "
            f"without RESUME"
        )
    return state, arrays


def damaged(path: Path, error: Exception) -> CheckpointError:
    """What to say of a checkpoint that lacks something."""
    return CheckpointError(f"{path} is damaged ({error}): train anew, without RESUME")
