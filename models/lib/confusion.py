# SPDX-License-Identifier: Apache-2.0
"""What a network took images for: only what occurred, so that its size follows the images and not the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Cells = list[list[int]]
"""(label, class, images) of every pair that occurred, in rising order: at most one per image."""


def cells(labels: npt.NDArray[np.integer[Any]], predicted: npt.NDArray[np.integer[Any]]) -> Cells:
    """Count the pairs of labels and predicted classes, both of shape (n,)."""
    pairs = np.stack([labels.astype(np.int64), predicted.astype(np.int64)], axis=1)
    found, images = np.unique(pairs, axis=0, return_counts=True)
    counted: Cells = np.column_stack([found, images]).tolist()
    return counted


def by_label(counted: Cells) -> list[dict[str, int]]:
    """``label``, ``images`` that have it and how many of these are ``right``, of every label that occurred."""
    labels: dict[int, dict[str, int]] = {}
    for label, predicted, images in counted:
        each = labels.setdefault(label, {"label": label, "images": 0, "right": 0})
        each["images"] += images
        each["right"] += images if predicted == label else 0
    return list(labels.values())


def mistakes(counted: Cells) -> Cells:
    """The pairs of a label and another class, the most frequent first."""
    return sorted((cell for cell in counted if cell[0] != cell[1]), key=lambda cell: -cell[2])
