# SPDX-License-Identifier: Apache-2.0
"""Networks of the PE array that tests train."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.lib.data_sets import catalogue
from models.lib.data_sets.data_set import DataSet
from models.pe_array.network.config import PeConfig
from models.pe_array.training.images import Images
from tests.models.pe_array.network.test_pe_layers import interpreted  # noqa: F401

CONFIGS = Path(__file__).resolve().parents[4] / "configs" / "pe_array"
LENET = CONFIGS / "lenet5_mnist.toml"


def values() -> dict[str, Any]:
    """A small network with every kind of layer; 10 classes."""
    return {
        "name": "small",
        "input": {"channels": 2, "height": 9, "width": 8, "frac": 6},
        "layers": [
            {"kind": "conv", "outputs": 4, "kernel": 3, "pad": 1, "weight_frac": 6, "out_frac": 4, "delta_frac": 6,
             "density": 0.8},
            {"kind": "max_pool", "kernel": 3, "stride": 2, "pad": 1},
            {"kind": "conv", "outputs": 6, "kernel": 2, "groups": 2, "weight_frac": 6, "out_frac": 4, "delta_frac": 6},
            {"kind": "average_pool", "kernel": 2, "stride": 1},
            {"kind": "conv", "outputs": 4, "kernel": 2, "dilation": 1, "stride": 2, "relu": False, "weight_frac": 6,
             "out_frac": 4, "delta_frac": 6},
            {"kind": "dense", "outputs": 10, "weight_frac": 6, "out_frac": 4, "density": 0.5},
        ],
        "training": {
            "batch": 8, "epochs": 2, "rate_shift": [14, 15], "momentum_shift": 2, "init_seed": 1, "order_seed": 1,
            "prune_at": 3, "validation": 100,
        },
    }  # fmt: skip


def small(**training_keys: Any) -> PeConfig:
    document = values()
    document["training"] |= training_keys
    return PeConfig.from_dict(document)


def batch(config: PeConfig, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    images = rng.integers(-128, 128, (*config.in_shape, config.training.batch), dtype=np.int8)
    return images, rng.integers(0, 10, config.training.batch)


def lenet(prune_at: int = 60, **keys: Any) -> PeConfig:
    config = PeConfig.load(LENET)
    return replace(config, training=replace(config.training, prune_at=prune_at, **keys))


@functools.cache
def whole_set() -> DataSet:
    return catalogue.load("mnist")


def first_images(count: int) -> tuple[Images, Images]:
    data = whole_set()
    return Images.of(data.train[:count]), Images.of(data.test[:500])


def changed(path: str, value: Any) -> dict[str, Any]:
    """The small configuration with the value at ``a.b.c`` replaced, or removed where it is None."""
    document = values()
    *way, key = path.split(".")
    table: Any = document
    for step in way:
        table = table[int(step)] if step.isdigit() else table[step]
    if value is None:
        del table[key]
    else:
        table[key] = value
    return document
