# SPDX-License-Identifier: Apache-2.0
"""What a byte of a quantised network would be in exact arithmetic, straight from the operators of its graph.

Scales of models are float32 numbers; their products and quotients are taken in float64 here, sums in whole numbers. So
a value is known to about 1e-13 of a step, and onnxruntime's float32 and the array's 24 bits can be judged by it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.pe_array.frontend.graph import Average, Operator, Products
from models.pe_array.network.layers import Int8Array

Place = tuple[int, ...]
Maps = Mapping[str, Int8Array]


def exact(operator: Operator, maps: Maps, place: Place) -> int | None:
    """The byte at (channel, y, x, image) of the map that an operator makes.

    Args:
        operator: of products, or an average of whole maps; of another kind there is no rounding to judge: None.
        maps: int8 (channels, H, W, n), those that the operator reads, by name.
        place: (channel, y, x, image) of its output.
    """
    if isinstance(operator, Products):
        real = _products(operator, maps, place)
    elif isinstance(operator, Average) and operator.window is None:
        channel, _, _, image = place
        mean = (maps[operator.reads[0]][channel, :, :, image].astype(int) - operator.zero_in).mean()
        real = float(operator.scale[channel] * (mean + operator.bias[channel]))
    else:
        return None
    even_bytes = isinstance(operator, Products) and operator.even_bytes
    steps = round(real + operator.zero) if even_bytes else round(real) + operator.zero
    return min(max(steps, operator.low), operator.high)


def _products(operator: Products, maps: Maps, place: Place) -> float:
    """Of a place, in steps of the output from its zero point on."""
    row, y, x, image = place
    conv = operator.conv
    seen = maps[operator.reads[0]][..., image].astype(int) - operator.zero_in
    if operator.flat:
        seen = seen.reshape(conv.cols, 1, 1)
    top, left, bottom, right = conv.pad
    padded = np.pad(seen, ((0, 0), (top, bottom), (left, right)))
    lines, columns = (
        first * stride + dilation * np.arange(size)
        for first, stride, dilation, size in zip((y, x), conv.stride, conv.dilation, conv.kernel, strict=True)
    )
    own = conv.cols // conv.groups
    first = row // (conv.rows // conv.groups) * own
    window = padded[first : first + own][:, lines[:, None], columns]
    real = float(operator.scale[row] * (int((window * operator.weights[row]).sum()) + operator.bias[row]))
    if operator.addend is not None:
        added = maps[operator.addend.name][row, y, x, image]
        real += operator.addend.scale * (int(added) - operator.addend.zero)
    return real
