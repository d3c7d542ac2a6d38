# SPDX-License-Identifier: Apache-2.0
"""Operators of hand-made quantised graphs as layers of real numbers: what few models have, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.pe_array.frontend.finetune.plan import Plan, names_of
from models.pe_array.frontend.finetune.real_layers import RealLayer, real_layers
from models.pe_array.frontend.graph import (
    Average,
    MapAddend,
    Maximum,
    ModelOutput,
    Operator,
    Products,
    QuantisedGraph,
    QuantisedMap,
    UnsupportedModel,
)  # fmt: skip
from models.pe_array.isa.shapes import Conv, Pool

SHAPE = (2, 4, 4)
ONES = np.ones(2)
PICK = Conv.make(2, 2, groups=2)


def conv(reads: str, makes: str, weight: int = 3, window: Conv | None = None) -> Products:
    """Channel by channel, scale 1."""
    weights = np.full((2, 1, *(window or PICK).kernel), weight, dtype=np.int16)
    return Products(makes, (reads,), makes, -128, 127, window or PICK, weights, 0 * ONES, ONES, 0, 0)


def plus(operator: Products, name: str, scale: float = 1.0) -> Products:
    return replace(operator, reads=(*operator.reads, name), addend=MapAddend(name, scale, 0))


def layers(*operators: Operator, unknown: tuple[str, ...] = ()) -> list[RealLayer]:
    names = ["x", *(each.makes for each in operators)]
    maps = {name: QuantisedMap(name, SHAPE, None if name in unknown else 1.0, 0, False) for name in names}
    outputs = (ModelOutput(names[-1], names[-1], names[-1], SHAPE),)
    return real_layers(QuantisedGraph("g", "x", False, SHAPE, (0, 1, 2), maps, operators, outputs), {}, {})


def test_sums_of_what_is_picked() -> None:
    """Every second pixel plus a convolution: the convolution adds. Where that cannot be, what picks adds."""
    half = Conv.make(2, 2, stride=2, groups=2)
    made = layers(conv("x", "a", window=half), plus(conv("x", "y", 1, half), "a"))
    assert [(each.makes, each.add) for each in made] == [("y/picked", None), ("y", "y/picked")]
    assert (made[0].picks, made[1].picks) == (True, False)
    relu = replace(conv("x", "a", window=half), low=0)
    made = layers(relu, plus(conv("x", "y", 1, half), "a"))
    assert [(each.makes, each.add) for each in made] == [("a", None), ("y", "a")]


def test_what_is_worth_training_makes_the_sum() -> None:
    half = Conv.make(2, 2, stride=2, groups=2)
    made = layers(conv("x", "p", 1, half), conv("x", "a", 3, half), plus(conv("p", "y", 1), "a"))
    assert [(each.makes, each.add, each.picks) for each in made] == [("p", None, True), ("y", "p", False)]


def test_activations_that_need_a_layer() -> None:
    """A ReLU of pooling whose input others read as well; of an average; a limit of bytes."""
    pool = Pool.make(1)
    made = layers(
        conv("x", "a"), Maximum("m", ("a",), "m", 0, 127, pool), plus(conv("a", "s"), "m"),
        Average("v", ("s",), "v", 0, 100, pool, True, 0 * ONES, 2 * ONES, 0, 0), conv("v", "y"),
    )  # fmt: skip
    kinds = [(each.kind, each.makes, each.relu) for each in made]
    assert ("conv", "m", True) in kinds
    assert ("conv", "v", True) in kinds
    scale = next(each for each in made if each.makes == "v")
    assert (scale.weights.reshape(-1).tolist(), scale.limit) == ([2.0, 2.0], 100.0)


@pytest.mark.parametrize(
    ("operators", "message"),
    [
        ((plus(conv("x", "y"), "x", 0.5),), "a map times 0.5 is added"),
        ((replace(conv("x", "y", 3, Conv.make(2, 2, 3, 1, 1, 1, 2)), zero_in=4),), "padding is worth something else"),
        ((replace(conv("x", "y"), high=100),), "limited in another way"),
    ],
)
def test_refused(operators: tuple[Operator, ...], message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        layers(*operators)


def test_unknown_scales_and_operators() -> None:
    with pytest.raises(UnsupportedModel, match="does not say what the bytes of x are worth"):
        layers(conv("x", "y"), unknown=("x",))
    with pytest.raises(TypeError):
        layers(Operator("n", ("x",), "y", -128, 127))


def test_names_are_told_apart() -> None:
    layer = RealLayer("n", "conv", ("x",), "a")
    assert names_of([layer, replace(layer, makes="b")], "x") == {"x": "image", "a": "n", "b": "n'"}


def test_gradients_that_are_added_can_be_shifted_to_each_other() -> None:
    """A map that one layer adds and another one reads: at most 15 bits between their gradients."""
    weights = np.ones((2, 2, 1, 1))
    made = [
        RealLayer("a", "conv", ("x",), "a", weights=weights),
        RealLayer("b", "conv", ("a",), "b", weights=weights),
        RealLayer("c", "conv", ("b",), "c", weights=weights, add="a"),
        RealLayer("d", "conv", ("c",), "d", weights=weights),
    ]
    plan = Plan(
        made, "x", dict.fromkeys("xabcd", 4), {"x": 0, "a": 24, "b": 24, "c": 3, "d": 7}, dict.fromkeys("abcd", 6), 15,
        {},
    )  # fmt: skip
    plan.settle()
    assert plan.deltas["b"] + 6 - plan.deltas["c"] <= 15
    assert plan.deltas["a"] <= plan.deltas["c"] == 3
