# SPDX-License-Identifier: Apache-2.0
"""The one definition of number format, rounding, saturation and random rounding bits.

Numbers are raw fixed point: signed integers of ``width`` bits that stand for ``raw / 2**frac``.
The formulas are those of docs/edge/arithmetic.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

LFSR_TAPS = 0xB400  # x^16 + x^14 + x^13 + x^11 + 1, period 65535
LFSR_SEED_FACTOR = 40503
PIECE = 1 << 16
"""Numbers of a piece of many."""


@dataclass(frozen=True)
class Format:
    """Signed two's complement format of ``width`` bits, ``frac`` of them after the binary point."""

    width: int
    frac: int

    @property
    def min_raw(self) -> int:
        """Smallest raw value, -2**(width-1)."""
        return -(1 << (self.width - 1))

    @property
    def max_raw(self) -> int:
        """Largest raw value, 2**(width-1) - 1."""
        return (1 << (self.width - 1)) - 1

    @property
    def one(self) -> int:
        """Raw value of 1.0."""
        return 1 << self.frac

    def quantise(self, real: npt.ArrayLike) -> IntArray:
        """Nearest raw values (halves upwards, saturated) of real numbers; same shape, int64."""
        scaled = np.floor(np.asarray(real, dtype=np.float64) * self.one + 0.5)
        return np.clip(scaled, self.min_raw, self.max_raw).astype(np.int64)

    def to_real(self, raw: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Real numbers that raw values stand for; same shape, float64."""
        return np.asarray(raw, dtype=np.float64) / self.one


def pieces(count: int) -> Iterator[slice]:
    """Of so many numbers, one after the other.

    A large network has millions of weights: new memory for each intermediate result took longer than the computation.
    """
    return (slice(first, first + PIECE) for first in range(0, count, PIECE))


def round_shift(x: npt.ArrayLike, shift: int, addend: npt.ArrayLike | None = None) -> IntArray:
    """``floor((x + addend) / 2**shift)``, by default with the addend of round-half-up.

    Args:
        x: integers of any shape; x + addend must fit in 64 bits.
        shift: 0 or more; 0 returns x (+ addend).
        addend: integers that broadcast with x; None means 2**(shift-1), or 0 for shift 0.
    """
    if shift < 0:
        raise ValueError(f"shift = {shift} must not be negative")
    half = (1 << shift) >> 1
    total = np.asarray(x, dtype=np.int64) + (half if addend is None else np.asarray(addend, dtype=np.int64))
    return np.asarray(total >> shift, dtype=np.int64)


def saturate(x: npt.ArrayLike, width: int) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Clip integers to the signed ``width``-bit range; returns (clipped values, mask of the clipped ones)."""
    value = np.asarray(x, dtype=np.int64)
    limit = 1 << (width - 1)
    clipped = np.clip(value, -limit, limit - 1)
    return clipped, np.asarray(clipped != value)


def lane_seed(lane: npt.ArrayLike, rng_seed: int) -> IntArray:
    """State of the LFSR of global lane number(s) at the start of a run, 1 … 65535."""
    seed = (((np.asarray(lane, dtype=np.int64) + 1) * LFSR_SEED_FACTOR) & 0xFFFF) ^ (rng_seed & 0xFFFF)
    return np.where(seed == 0, 1, seed).astype(np.int64)


def lfsr_step(state: npt.ArrayLike) -> IntArray:
    """Next state(s) of the 16-bit Galois LFSR."""
    now = np.asarray(state, dtype=np.int64)
    return (now >> 1) ^ ((now & 1) * LFSR_TAPS)


def half_addend(shift: int) -> int:
    """Addend that makes a right shift by ``shift`` >= 1 round half up."""
    return 1 << (shift - 1)


def stochastic_addend(state: npt.ArrayLike, shift: int) -> IntArray:
    """Addend that makes a right shift by ``shift`` round stochastically: the LFSR state, aligned to the top."""
    now = np.asarray(state, dtype=np.int64)
    return now << (shift - 16) if shift >= 16 else now >> (16 - shift)
