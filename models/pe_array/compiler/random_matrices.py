# SPDX-License-Identifier: Apache-2.0
"""Sparse weights at random places, in an order in which all slots have equal work: what clocks are measured with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from models.pe_array.compiler import balance
from models.pe_array.isa.csb import Csb, encode
from models.pe_array.isa.shapes import Conv, Pair


def coded(conv: Conv, mask: npt.NDArray[np.bool_], block: Pair) -> Csb:
    """The matrix of a mask; clocks do not depend on the weights: all are 0."""
    return encode(np.zeros((*mask.shape, *conv.kernel), dtype=np.int64), mask, *block)


def matrices(
    convs: Mapping[str, Conv], densities: Mapping[str, float], blocks: Mapping[str, Pair], seed: int
) -> dict[str, Csb]:
    """Weights of a chain of layers at random places; channels are permuted for the whole of it.

    Args:
        convs: the layers by name, in order.
        densities: share of a layer's kernels that are stored.
        blocks: rows and columns of a layer's CSB blocks.
    """
    rng = np.random.default_rng(seed)
    shaped = [
        balance.BalancedLayer(rng.random((conv.rows, conv.cols)) < densities[name], f"t{n}", f"t{n + 1}")
        for n, (name, conv) in enumerate(convs.items())
    ]
    names = list(convs)
    sizes = {"t0": blocks[names[0]][1]}
    for n, name in enumerate(names):
        after = blocks[names[n + 1]][1] if n + 1 < len(names) else convs[name].rows
        sizes[f"t{n + 1}"] = min(blocks[name][0], after)
    orders = balance.orders_of_tensors(shaped, sizes, fixed=("t0", f"t{len(names)}"))
    return {
        name: coded(conv, balance.permute(shape, orders, shape.mask), blocks[name])
        for (name, conv), shape in zip(convs.items(), shaped, strict=True)
    }
