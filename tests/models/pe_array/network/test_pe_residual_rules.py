# SPDX-License-Identifier: Apache-2.0
"""Networks that add maps: what is refused, and the shipped configuration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pe_nets import OUTPUT, RESNET, conv, document, pool

from models.lib.toml_section import ConfigError
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork


def broken(net: str, layer: int, **keys: Any) -> dict[str, Any]:
    made = document(net)
    made["layers"][layer] |= keys
    return made


@pytest.mark.parametrize(
    ("net", "layer", "keys", "message"),
    [
        ("identity", 2, {"add": "d"}, r"layers\[2\]\.add = 'd' must be .* an earlier layer \(here: image, a, b\)"),
        ("identity", 1, {"add": "c"}, r"layers\[1\]\.add = 'c' must be the name of an earlier layer"),
        ("identity", 2, {"input": "c"}, r"layers\[2\]\.input = 'c' must be the name of an earlier layer"),
        ("identity", 2, {"name": "a"}, r"layers\[2\]\.name = 'a' is the name of an earlier map"),
        ("identity", 2, {"name": "image"}, r"layers\[2\]\.name = 'image' is the name of an earlier map"),
        ("identity", 2, {"add": 1}, r"layers\[2\]\.add = 1 must be a string"),
        ("identity", 2, {"outputs": 5}, r"layers\[2\]\.add = a: its map of 4 x 6 x 5 must have .* output, 5 x 6 x 5"),
        ("identity", 2, {"input": "a"}, r"layers\[1\] \(b\): its output must be the input of a layer, or be added"),
        ("identity", 0, {"out_frac": 11}, r"layers\[2\]: shift of the map that is added = -1 must be 0 … 15"),
        ("identity", 2, {"delta_frac": 13}, r"layers\[1\] \(b\): what it adds to the gradient by layers\[0\] \(a\) "
         r"begins with that of layers\[2\] \(c\), delta_frac = 13, whose shift = -1 must be 0 … 15"),
        ("projection", 3, {"delta_frac": 5}, r"layers\[3\] \(c\): backward shift = -1 must be .* to delta_frac = 6"),
        ("over a max pool", 1, {"add": "a"}, r"layers\[1\]\.add is not a known key"),
        ("over a max pool", 3, {"kernel": 2}, r"layers\[3\]\.kernel is not a known key"),
    ],
)  # fmt: skip
def test_configurations_that_break_a_rule(net: str, layer: int, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PeConfig.from_dict(broken(net, layer, **keys))


def test_more_rules() -> None:
    two = document("over a max pool")
    two["layers"].insert(2, pool("m2", input="a", kind="max_pool"))
    two["layers"].insert(3, conv("e", add="m"))
    with pytest.raises(ConfigError, match=r"layers\[2\]\.input = a: layers\[1\] reads it too, and only one max_pool"):
        PeConfig.from_dict(two)
    big = document("dense")
    big["input"] |= {"channels": 4095, "height": 8, "width": 4, "frac": 10}
    big["layers"] = [
        {**OUTPUT, "name": "f", "delta_frac": 6},
        {**OUTPUT, "input": "image", "add": "f", "out_frac": 4, "weight_frac": 9},
    ]  # fmt: skip
    with pytest.raises(ConfigError, match=r"layers\[1\]: 131040 products of the forward and the map that is added"):
        PeConfig.from_dict(big)


def test_initial_weights_of_a_layer_are_scaled() -> None:
    plain, scaled = document("identity"), broken("identity", 1, init_scale=0.5)
    scaled["layers"][2]["init_scale"] = 0.0
    a, b = (PeNetwork(PeConfig.from_dict(each)) for each in (plain, scaled))
    assert np.array_equal(a.layer_weights(0).masters, b.layer_weights(0).masters)
    assert np.abs(a.layer_weights(1).masters - 2 * b.layer_weights(1).masters).max() <= 1
    assert a.layer_weights(2).masters.any()
    assert not b.layer_weights(2).masters.any()


def test_shipped_configuration_has_every_kind_of_convolution() -> None:
    config = PeConfig.load(RESNET)
    layers = config.layers
    convs = [layer for layer in layers if layer.kind == "conv"]
    for what in (
        any(layer.conv.dilation == (2, 2) for layer in convs),
        any(layer.conv.groups == layer.conv.cols > 1 for layer in convs),
        any(layer.conv.kernel == (1, 1) and layer.conv.stride == (1, 1) for layer in convs),
        any(layer.conv.kernel == (1, 1) and layer.conv.stride == (2, 2) for layer in convs),
        layers[-2].kind == "average_pool" and layers[-2].out_shape[1:] == (1, 1),
        any(layers[layer.add].conv.stride == (2, 2) for layer in convs if layer.add),
    ):
        assert what
    network = PeNetwork(config)
    network.prune()
    assert network.density < 0.5
    assert config.training.prune_at < config.training.epochs * 1875 // 2
    counts = [len(config.passes(index)) for index in range(len(layers))]
    assert counts[2] == 2  # block1 is read by a convolution and by the projection
    assert sum(counts) == len(layers)
