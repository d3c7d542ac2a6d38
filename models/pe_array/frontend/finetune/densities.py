# SPDX-License-Identifier: Apache-2.0
"""Which share of its weights each layer keeps where a network is pruned at once: small layers keep more."""

from __future__ import annotations

from collections.abc import Sequence

from models.pe_array.frontend.finetune.real_layers import RealLayer


def densities(layers: Sequence[RealLayer], density: float) -> dict[str, float]:
    """Share of the kernels that every layer with weights keeps, by the map that it makes; together ``density``.

    The share of a layer is proportional to (rows + columns + KH + KW) / (rows * columns * KH * KW), and at most 1:
    Erdős-Rényi-Kernel of Evci, Gale, Menick, Castro, Elsen 2020 ("Rigging the lottery"). The first and the last layer
    keep all, if there are others. Layers that only pick pixels are not pruned.
    """
    trained = [each for each in layers if each.has_weights and not each.picks]
    shares = {each.makes: 1.0 for each in trained}
    if density >= 1.0:
        return shares
    sizes = {each.makes: each.weights.size for each in trained}
    slopes = {each.makes: sum(each.weights.shape) / each.weights.size for each in trained}
    whole = {trained[0].makes, trained[-1].makes} if len(trained) > 2 else set()
    while True:  # layers that would keep more than all keep all, and the others share what is left
        rest = [name for name in shares if name not in whole]
        room = density * sum(sizes.values()) - sum(sizes[name] for name in whole)
        factor = max(0.0, room) / max(1e-9, sum(sizes[name] * slopes[name] for name in rest))
        more = {name for name in rest if factor * slopes[name] >= 1.0}
        if not more:
            break
        whole |= more
    return shares | {name: round(max(factor * slopes[name], 1e-4), 4) for name in rest}
