# SPDX-License-Identifier: Apache-2.0
"""Networks whose layers add maps, and the layers that they are made of."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from tests.models.pe_array.compiler.pe_steps import values

RESNET = Path(__file__).resolve().parents[4] / "configs" / "pe_array" / "resnet_mnist.toml"
Layers = list[dict[str, Any]]


def conv(name: str, **keys: Any) -> dict[str, Any]:
    """A 3 x 3 convolution that keeps the size of its map."""
    kernel = keys.get("kernel", 3)
    plain = {
        "kind": "conv", "name": name, "outputs": 4, "kernel": kernel, "pad": kernel // 2, "weight_frac": 6,
        "out_frac": 4, "delta_frac": 6, "density": 0.6,
    }  # fmt: skip
    return plain | keys


def pool(name: str, kind: str = "max_pool", **keys: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "kernel": 3, "stride": 1, "pad": 1} | keys


OUTPUT: dict[str, Any] = {"kind": "dense", "outputs": 5, "weight_frac": 6, "out_frac": 4}
HEAD: Layers = [{"kind": "global_average_pool", "out_frac": 6, "delta_frac": 5}, OUTPUT]
NETS: dict[str, Layers] = {
    "identity": [conv("a"), conv("b"), conv("c", add="a"), *HEAD],
    "projection": [
        conv("a"), conv("b", outputs=6, stride=2),
        conv("p", outputs=6, kernel=1, stride=2, input="a", relu=False, bias=True),
        conv("c", outputs=6, input="b", add="p", out_frac=3, bias=True), conv("d", outputs=6, add="c", delta_frac=7),
        *HEAD,
    ],
    "over a max pool": [conv("a"), pool("m"), conv("c", add="a", delta_frac=7), *HEAD],
    "max pool, two additions and a reader": [
        conv("a"), pool("m"), conv("c", add="a", delta_frac=7), conv("d", input="a", add="c", delta_frac=8),
        conv("e", add="a"), *HEAD,
    ],
    "average pool, depth-wise": [
        conv("a", outputs=6), pool("m", "average_pool"),
        conv("dw", outputs=6, groups=6, density=1.0, bias=True, clip=2.0),
        conv("pw", outputs=6, kernel=1, add="a"), conv("dil", outputs=6, dilation=2, pad=2, input="m", add="pw"), *HEAD,
    ],
    "reads and adds the same": [conv("a"), conv("b", add="a"), conv("c", kernel=1, add="b"), *HEAD],
    "two readers": [
        conv("a", clip=1.5), conv("b"), conv("c", input="a", add="b"), conv("d", input="a", add="c"), *HEAD,
    ],
    "the image": [
        conv("a", outputs=3, input="image", add="image"), conv("b", input="image"), conv("c", add="b", input="a"),
        *HEAD,
    ],
    "unnamed": [
        conv("x"), {k: v for k, v in conv("").items() if k != "name"}, conv("c", add="layers[1]", input="x"), *HEAD,
    ],
    "dense": [
        conv("a"), OUTPUT | {"name": "f", "outputs": 7, "delta_frac": 6},
        OUTPUT | {"name": "g", "outputs": 7, "delta_frac": 6, "add": "f"},
        OUTPUT | {"outputs": 7, "add": "g", "input": "a"},
    ],
}  # fmt: skip


def document(name: str, size: tuple[int, int] = (6, 5), lanes: int = 8) -> dict[str, Any]:
    made = values(random.Random(1), [dict(layer) for layer in NETS[name]], lanes, momentum=2)
    made["input"] |= {"channels": 3, "height": size[0], "width": size[1]}
    made["training"]["rate_shift"] = [14]
    return made


def network(name: str, size: tuple[int, int] = (6, 5), lanes: int = 8, prune: bool = True) -> PeNetwork:
    made = PeNetwork(PeConfig.from_dict(document(name, size, lanes)))
    if prune:
        made.prune()
    return made
