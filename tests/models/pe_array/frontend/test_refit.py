# SPDX-License-Identifier: Apache-2.0
"""What pruning leaves of a layer is fitted to what the whole layer made."""

from __future__ import annotations

import numpy as np
import pytest

from models.pe_array.frontend.finetune import refit
from models.pe_array.isa.shapes import Conv
from models.pe_array.network import float_layers


@pytest.mark.parametrize(
    "conv",
    [
        Conv.make(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), groups=2),  # more pixels than weights
        Conv.make(3, 40, 2),  # fewer
    ],
)
def test_a_layer_that_is_fitted(conv: Conv) -> None:
    """Sums that the weights that are left can make are made by them; where few pixels leave freedom, nearly."""
    rng = np.random.default_rng(1)
    x = rng.normal(1.0, 1.0, (conv.cols, 9, 8, 2 if conv.cols > 6 else 40))
    if conv.cols > 6:
        x = x[:, :3, :3]
    mask = conv.allowed() & (rng.random((conv.rows, conv.cols)) < 0.7)
    true = rng.normal(0, 1, (conv.rows, conv.cols, *conv.kernel)) * mask[:, :, None, None]
    bias = rng.normal(0, 1, conv.rows)
    sums = float_layers.conv_forward(conv, x, true) + bias[:, None, None, None]
    weights, biases = refit.fitted(conv, mask, true + rng.normal(0, 0.1, true.shape), x, sums)
    assert not weights[~mask].any()
    got = float_layers.conv_forward(conv, x, weights) + biases[:, None, None, None]
    assert ((got - sums) ** 2).mean() < 0.005 * sums.var()
    assert refit.grouped(conv, weights).shape == (conv.rows, conv.cols // conv.groups, *conv.kernel)
