# SPDX-License-Identifier: Apache-2.0
"""Steps whose drains pool and spread: the same bits as with phases for pooling."""

from __future__ import annotations

import random
from typing import Any

import pytest

from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.grid import Grid
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from tests.models.pe_array.compiler.pe_steps import CONV, SHAPE, train, values

POOL = {"kind": "max_pool", "kernel": 2}
DENSE = {"kind": "dense", "outputs": 7, "weight_frac": 6, "out_frac": 4}


def network_of(layers: list[dict[str, Any]], size: tuple[int, int] = (8, 12), seed: int = 1, **keys: Any) -> PeNetwork:
    document = values(random.Random(seed), layers)
    document["input"] |= {"channels": 2, "height": size[0], "width": size[1]}
    document["training"] |= keys
    network = PeNetwork(PeConfig.from_dict(document))
    network.prune()
    return network


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("clip", [0, 1.5])
def test_pooled_steps_are_those_of_the_model(relu: bool, clip: float) -> None:
    conv = CONV | {"relu": relu, "bias": True} | ({"clip": clip} if clip and relu else {})
    network = network_of([conv, POOL, conv | {"outputs": 5}, POOL, conv, DENSE])
    step = StepProgram(network, Grid(4, SHAPE), search=False, pooled=True)
    assert step.pools == {0: 1, 2: 3}
    assert step.absent == {"output0", "output2", "delta1", "delta3"}
    names = [name for name, _ in step.parts]
    assert not {"ff1", "ff3", "ng1", "ng3"} & set(names)
    train(network, step, 3)
