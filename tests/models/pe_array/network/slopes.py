# SPDX-License-Identifier: Apache-2.0
"""Gradients of the float twin against slopes of its loss, measured on both sides of a weight or bias."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from models.pe_array.network import float_layers
from models.pe_array.network.float_network import FloatNetwork


def assert_slopes(
    twin: FloatNetwork, images: np.ndarray, labels: np.ndarray, values: np.ndarray, gradient: np.ndarray,
    places: Iterable[int], step: float = 1e-6, **tolerance: Any,
) -> None:  # fmt: skip
    """The gradient by ``values``, weights or biases of the twin, at places of the flat arrays; ``pytest.approx``."""

    def loss() -> float:
        logits = twin.forward(images)[0][-1]
        return float_layers.cross_entropy(logits.reshape(len(logits), -1), labels)

    flat, found = values.reshape(-1), gradient.reshape(-1)
    assert values.flags.c_contiguous  # so that flat is the same memory
    for place in places:
        start = flat[place]
        flat[place] = start + step
        above = loss()
        flat[place] = start - step
        below = loss()
        flat[place] = start
        assert found[place] == pytest.approx((above - below) / (2 * step), **tolerance)
