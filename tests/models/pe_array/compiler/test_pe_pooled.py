# SPDX-License-Identifier: Apache-2.0
"""Steps whose drains pool and spread: the same bits as with phases for pooling."""

from __future__ import annotations

import random
from typing import Any

import pytest

from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Drain
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.runs import spreads
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from tests.models.pe_array.compiler.pe_steps import CONV, SHAPE, train, values

POOL = {"kind": "max_pool", "kernel": 2}
TWICE = CONV | {"kernel": 2, "pad": 0, "stride": 2}
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


def test_a_dense_layer_on_a_pooled_map() -> None:
    """Of one pixel its gradient is spread. Of several, flattened, they are no rows of the map; places are enough."""
    for size, absent in (((2, 2), {"output0", "delta1"}), ((4, 4), {"output0"})):
        network = network_of([CONV, POOL, DENSE], size)
        step = StepProgram(network, Grid(4, SHAPE), search=False, pooled=True)
        assert step.absent == absent
        train(network, step, 2)


def test_windows_of_four_tiles() -> None:
    """A map of 2 x 2 pixels on four PEs."""
    network = network_of([CONV | {"outputs": 3}, POOL, DENSE], (2, 2))
    step = StepProgram(network, Grid(4, SHAPE), search=True, pooled=True, blocks={0: (3, 2)})
    drains = [each for each in step.descriptors if isinstance(each, Drain) and each.windows]
    assert [(each.tile_height, each.tile_width, each.index) for each in drains] == [(1, 1, True)]
    train(network, step, 2)


def test_gradients_that_round_stochastically_keep_their_words() -> None:
    network = network_of([CONV, POOL, CONV, DENSE], gradient_rounding="stochastic", rounding_seed=5)
    step = StepProgram(network, Grid(4, SHAPE), search=False, pooled=True)
    assert step.absent == {"output0"}
    train(network, step, 2)


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        ([CONV, POOL, DENSE], (9, 8)),
        ([CONV, {"kind": "max_pool", "kernel": 3, "stride": 2}, DENSE], (8, 8)),
        ([CONV, {"kind": "average_pool", "kernel": 2}, DENSE], (8, 8)),
        ([POOL, DENSE], (8, 8)),
        ([CONV, POOL | {"pad": 1}, DENSE], (8, 8)),
        ([CONV | {"name": "a"}, POOL | {"name": "b"}, TWICE | {"input": "a", "add": "b"}, DENSE], (8, 8)),
    ],
)
def test_all_other_pooling_has_its_phases(layers: list[dict[str, Any]], size: tuple[int, int]) -> None:
    network = network_of(layers, size)
    step, plain = (StepProgram(network, Grid(4, SHAPE), search=False, pooled=each) for each in (True, False))
    assert not step.pools
    assert step.descriptors == plain.descriptors


def test_tiles_of_windows_that_do_not_fit() -> None:
    network = network_of([CONV, POOL, DENSE], (4, 4))
    shape = PeShape(8, 32, x_depth=256, y_depth=32, w_depth=64, e_depth=16, t_depth=64)
    step = StepProgram(network, Grid(1, shape), search=False, pooled=True, blocks={0: (6, 2)})
    assert not step.pools
    train(network, step, 1)


def test_rows_of_pooled_maps_that_are_too_long_are_cut() -> None:
    network = network_of([CONV, POOL, CONV, DENSE], (2, 132))
    step = StepProgram(network, Grid(4, SHAPE), search=False, pooled=True)
    assert step.absent == {"output0", "delta1"}
    drains = [each for each in step.descriptors if isinstance(each, Drain) and spreads(each)]
    assert drains
    assert max(each.width for each in drains) <= 64
    train(network, step, 1)
