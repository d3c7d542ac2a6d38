# SPDX-License-Identifier: Apache-2.0
"""Which max poolings are a part of the drains of other phases: those of 2 x 2 windows side by side.

Forward, a layer's drains pool its map, which is not in memory as it is. Backward, the drains that make the gradient by
the pooled map spread it, by the places of the largest pixels; these say also where the layer's ReLU has stopped them.
"""

from __future__ import annotations

from models.pe_array.compiler.storage import MapStorage, output_of
from models.pe_array.isa.shapes import Pool
from models.pe_array.network.config import PeConfig
from models.pe_array.network.frozen.network import FrozenConfig
from models.pe_array.network.layer import Layer

SIDES = (2, 2)
PLANE = 1 << 18
"""Words of a map above which the strides of a larger one do not fit."""


def pooled_layers(config: PeConfig | FrozenConfig, storage: MapStorage) -> dict[int, int]:
    """Layers whose maps are read by such a pooling alone, and its number."""
    found: dict[int, int] = {}
    layers = config.layers
    for number, pool in enumerate(layers):
        index = pool.reads
        if index < 0 or not _pools(pool):
            continue
        layer = layers[index]
        alone = sum((index in each.sources) + (each.add == index) for each in layers) == 1
        stored = storage.maps[output_of(index)].tensor == output_of(index)
        even = not layer.out_shape[1] % 2 and not layer.out_shape[2] % 2
        if alone and stored and even and layer.has_weights and layer.add is None and _limits(layer, pool):
            found[index] = number
    return found


def _pools(layer: Layer) -> bool:
    window = layer.window
    return (
        layer.kind == "max_pool" and isinstance(window, Pool) and window.kernel == window.stride == SIDES
        and window.dilation == (1, 1) and not any(window.pad)
    )  # fmt: skip


def _limits(layer: Layer, pool: Layer) -> bool:
    """Whether the limits of a frozen pooling change nothing."""
    if layer.scaling is None or pool.scaling is None:
        return pool.scaling is None
    return pool.scaling.low <= layer.scaling.low and layer.scaling.high <= pool.scaling.high


def spreads(config: PeConfig, pool: int) -> bool:
    """Whether the drains that make the gradient by the map of such a pooling can spread it.

    Not where they round stochastically: which random word rounds which pixel would be another question.
    """
    layer, passes = config.layers[pool], config.passes(pool)
    if len(passes) != 1 or config.training.stochastic_gradients or layer.out_shape[1] * layer.out_shape[2] >= PLANE:
        return False
    way, (back,) = passes[0], config.passes(layer.reads)
    reader = config.layers[way.layer]
    plain = not way.skip and way.preset is None and back.shift == 0
    return plain and reader.seen_shape == layer.out_shape and not reader.keeps_indices
