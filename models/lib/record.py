# SPDX-License-Identifier: Apache-2.0
"""Registers of a clock model, each by its name: records that Numba compiles to loads and stores, like arrays.

A model of clocks is a state and functions that play one clock of it. The state is a record, or a ``NamedTuple`` of
records and arrays. Flags in records are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

Array = Any  # Numba compiles the functions for the types they are called with
Record = Any
Int = Any  # int64 in compiled code
Flag = Any
Beats = Any  # first beat, and how many of them, 0: none

Kind = np.dtype[np.void]

Clock = TypeVar("Clock", bound=Callable[..., Any])


def clocked(function: Clock) -> Clock:
    """A function of a clock model, compiled.

    Nothing in it makes an array, and its caller holds those that it is given. So Numba need not count references to
    them, which took two thirds of the time of a clock. Numba refuses to compile what does make one.

    It becomes a part of every function that calls it. A call would write all arrays of a state to the stack, and that
    took half of the time of a clock.
    """
    options: dict[str, Any] = {"cache": True, "_nrt": False, "forceinline": True}  # which Numba's own types do not name
    options["no_cfunc_wrapper"] = True  # nobody calls it from C, and it would be compiled a second time for that
    compiled: Clock = njit(**options)(function)
    return compiled


def kind(names: str, **wide: int | Kind) -> Kind:
    """A kind of record.

    Args:
        names: of its int64, with blanks between them.
        wide: behind those: names of arrays of so many int64, and of records inside.

    Raises:
        ValueError: NumPy's records have an attribute of that name, which uncompiled code would get instead.
    """
    if taken := [name for name in (*names.split(), *wide) if hasattr(np.record, name)]:
        raise ValueError(f"{', '.join(taken)}: records of NumPy have attributes of that name")
    numbers: list[Any] = [(name, np.int64) for name in names.split()]
    more: list[Any] = [
        (name, np.int64, (of,)) if isinstance(of, int) else (name, of) for name, of in wide.items()
    ]  # fmt: skip
    return np.dtype(numbers + more, align=True)


def record(of: Kind, **values: npt.ArrayLike) -> Record:
    """A record of a kind, in which all is 0 but these."""
    made = records(of, 1)[0]
    for name, value in values.items():
        made[name] = value
    return made


def records(of: Kind, count: int) -> Any:
    """Array of so many, in which all is 0."""
    return np.zeros(count, dtype=of).view(np.recarray)
