# SPDX-License-Identifier: Apache-2.0
"""How an epoch presents pictures: in which order, and where each is shifted to and whether it is mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.lib.data_sets.pixels import Raw

Rows = npt.NDArray[np.int64]

_WORDS = 1
"""Behind seed and epoch: this stream of random numbers is not that of the order."""
_STEP = np.uint64(0x9E3779B97F4A7C15)


def epoch_order(n: int, epoch: int, seed: int) -> Rows:
    """Order in which an epoch (0 being the first) presents n samples: a permutation that depends on both seeds."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def _mixed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Random words of neighbouring numbers: SplitMix64 (Steele, Lea, Flood 2014), a number of each row by itself."""
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)


@dataclass(frozen=True)
class Augmentation:
    """How pictures are changed for training.

    Attributes:
        shift: by at most so many rows and columns, each way; what comes in from outside is raw number 0.
        mirror: half of the pictures are mirrored, left to right, before they are shifted.
        seed: what is done to a picture depends on it, on the epoch, and on the picture's row in the set alone.
    """

    shift: int = 0
    mirror: bool = False
    seed: int = 1

    @property
    def is_on(self) -> bool:
        """Whether it changes anything."""
        return self.shift > 0 or self.mirror

    def choices(self, epoch: int, rows: Rows) -> tuple[Rows, Rows, npt.NDArray[np.bool_]]:
        """Rows and columns by which pictures are moved down and right, and which ones are mirrored; (n,) each."""
        start = np.random.default_rng([self.seed, epoch, _WORDS]).integers(0, 1 << 64, dtype=np.uint64)
        words = _mixed(start + rows.astype(np.uint64) * _STEP)
        down, right = ((words >> np.uint64(at) & np.uint64(0xFFFF)).astype(np.int64) for at in (0, 16))
        places = 2 * self.shift + 1  # of 65,536: none is likelier than another by more than a sixteenth
        mirrored = words >> np.uint64(63) == 1 if self.mirror else np.zeros(len(rows), dtype=np.bool_)
        return down % places - self.shift, right % places - self.shift, mirrored

    def changed(self, maps: npt.NDArray[Raw], epoch: int, rows: Rows) -> npt.NDArray[Raw]:
        """Pictures as an epoch (0 being the first) presents them.

        Args:
            maps: raw numbers (n, C, H, W).
            rows: int64 (n,), their rows in the training set.
        """
        if not self.is_on:
            return maps
        height, width = maps.shape[2:]
        down, right, mirrored = self.choices(epoch, rows)
        columns = np.arange(width) - right[:, None]  # where each pixel comes from
        lines = np.arange(height) - down[:, None]
        inside = ((lines >= 0) & (lines < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
        columns = np.where(mirrored[:, None], width - 1 - columns, columns).clip(0, width - 1)
        lines = lines.clip(0, height - 1)
        taken = maps[np.arange(len(maps))[:, None, None], :, lines[:, :, None], columns[:, None, :]]
        moved: npt.NDArray[Raw] = np.where(inside[:, None], taken.transpose(0, 3, 1, 2), 0).astype(maps.dtype)
        return moved
