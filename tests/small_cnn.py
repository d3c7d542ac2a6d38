# SPDX-License-Identifier: Apache-2.0
"""A small network for images of MNIST, trained in seconds: a convolution, a pool and a dense layer, with biases."""

from __future__ import annotations

import json
from typing import Any

_HIDDEN = """[[layers]]
kind = "dense"
outputs = {outputs}
weight_frac = 7
out_frac = 4
delta_frac = 9
bias = true
density = {density}
"""

_TEXT = """
name = "{name}"
[input]
height = 28
width = 28
frac = 7
[[layers]]
kind = "conv"
outputs = {outputs}
kernel = 5
stride = 4
weight_frac = 7
out_frac = 4
delta_frac = 9
clip = 4.0
bias = true
density = {density}
[[layers]]
kind = "max_pool"
kernel = 2
{hidden}[[layers]]
kind = "dense"
outputs = 10
weight_frac = 6
out_frac = 4
bias = true
density = {dense_density}
{array}[training]
"""


def small_cnn(
    name: str = "small", outputs: int = 3, density: float = 0.7, dense_density: float = 0.3, pes: int = 2,
    hidden: int = 0, **training: Any,
) -> str:  # fmt: skip
    """The text of its configuration, whose last table is [training].

    Args:
        outputs: channels of the convolution.
        hidden: outputs of another dense layer, or 0: there is none.
        density, dense_density: shares of the weights that pruning leaves.
        training: keys of [training] with other values, None: without that key.
    """
    keys = {"batch": 8, "epochs": 2, "rate_shift": [11, 12], "momentum_shift": 3, "init_seed": 1, "order_seed": 1}
    keys |= {"prune_at": 5} | training
    array = f"[array]\npes = {pes}\n"
    middle = _HIDDEN.format(outputs=hidden, density=dense_density) if hidden else ""
    text = _TEXT.format(
        name=name, outputs=outputs, density=density, dense_density=dense_density, array=array, hidden=middle
    )  # fmt: skip
    return text + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items() if value is not None)


SMALL = small_cnn()
