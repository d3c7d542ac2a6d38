# SPDX-License-Identifier: Apache-2.0
"""Windows, activations and concatenations that configurations can say: model, float twin and program of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from slopes import assert_slopes

from models.lib.toml_section import ConfigError
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.shapes import WholeMap
from models.pe_array.network import averages, float_layers
from models.pe_array.network.config import PeConfig, grid_of
from models.pe_array.network.float_network import FloatNetwork
from models.pe_array.network.kinds.average_pool import AveragePool
from models.pe_array.network.network import PeNetwork
from tests.models.pe_array.compiler.pe_steps import train

FRACS = {"weight_frac": 6, "out_frac": 4, "delta_frac": 7}
CONV = {"kind": "conv", "outputs": 3, "kernel": 3, "pad": 1, **FRACS}
OUT = {"kind": "dense", "outputs": 5, "weight_frac": 6, "out_frac": 3}
Layers = list[dict[str, Any]]
CASES: dict[str, Layers] = {
    "strip": [CONV, CONV | {"kernel": [1, 3], "pad": [0, 1], "stride": [2, 1]}],
    "ragged": [CONV, CONV | {"kernel": [3, 2], "pad": [0, 1, 2, 0], "dilation": [1, 2]}],
    "max ceil": [CONV, {"kind": "max_pool", "kernel": 2, "stride": 2, "ceil": True}],
    "average ceil": [CONV, {"kind": "average_pool", "kernel": [2, 3], "stride": 2, "ceil": True, "pad": [0, 1]}],
    "average of what is seen": [CONV, {"kind": "average_pool", "kernel": 3, "stride": 1, "pad": 1,
                                      "count_padding": False, "delta_frac": 9}],
    "concat": [
        CONV | {"name": "a"}, CONV | {"name": "b", "outputs": 2, "delta_frac": 6}, CONV | {"name": "c", "input": "a"},
        {"kind": "concat", "inputs": ["a", "b", "c"], "name": "abc", "delta_frac": 8}, CONV | {"name": "d"},
        {"kind": "concat", "inputs": ["abc", "d"], "delta_frac": 8}, CONV | {"clip": 6.0},
    ],
    "two concats": [
        CONV | {"name": "a"}, CONV | {"name": "b", "density": 0.6}, {"kind": "concat", "inputs": ["a", "b"]},
        CONV | {"name": "c"}, {"kind": "concat", "inputs": ["b", "a", "c"], "delta_frac": 8}, CONV | {"add": "b"},
    ],
}  # fmt: skip


def network(layers: Layers, size: tuple[int, int] = (6, 5), **training: Any) -> PeNetwork:
    config = {
        "name": "shapes",
        "input": {"channels": 2, "height": size[0], "width": size[1], "frac": 6},
        "layers": [*layers, OUT],
        "training": {"batch": 8, "epochs": 1, "rate_shift": [15], "init_seed": 3, "order_seed": 1} | training,
        "array": {"pes": 2},
    }
    return PeNetwork(PeConfig.from_dict(config))


@pytest.mark.parametrize("case", CASES)
def test_the_array_trains_it(case: str) -> None:
    made = network(CASES[case], gradient_rounding="stochastic")
    train(made, StepProgram(made, grid_of(made.config), search=False), 2)


@pytest.mark.parametrize("case", CASES)
def test_gradients_of_the_float_twin_are_slopes_of_the_loss(case: str) -> None:
    made, rng = network(CASES[case]), np.random.default_rng(7)
    twin = FloatNetwork(made)
    images, labels = rng.standard_normal((*made.config.in_shape, 8)), rng.integers(0, 5, 8)
    found = twin.gradients(images, labels)[0]

    for w, gradient in zip(twin.weights, found, strict=True):
        places = rng.integers(0, w.size, 6 if w.size else 0)
        assert_slopes(twin, images, labels, w, gradient, places, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("case", ["max ceil", "average ceil", "average of what is seen"])
def test_windows_at_the_border_are_those_of_the_float_twin(case: str) -> None:
    layer, rng = network(CASES[case]).config.layers[1], np.random.default_rng(1)
    x = rng.integers(-60, 60, (*layer.in_shape, 8), dtype=np.int8)
    real = layer.float_forward(x / 2**layer.in_frac, np.empty(0))[0] * 2**layer.out_frac
    assert np.abs(layer.feedforward(x, None, None).values - real).max() <= 0.5 + 60 / 100
    d = rng.integers(-60, 60, (*layer.out_shape, 8), dtype=np.int8)
    indices = layer.feedforward(x, None, None).indices
    back = layer.input_gradient(d, indices, None) / 2**layer.scale
    assert back == pytest.approx(layer.float_input_gradient(d.astype(float), indices, np.empty(0)), rel=0.02, abs=0.8)


def test_an_average_of_what_is_seen_divides_by_that() -> None:
    window = network(CASES["average of what is seen"]).config.layers[1].window
    x = np.ones((1, 6, 5, 8))
    assert np.allclose(float_layers.average_pool(window, x), 1)  # type: ignore[arg-type]
    assert averages.base(window, 6, 5)[0] == 36  # type: ignore[arg-type]
    assert averages.table(window, 36)[8] == 4  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "size", "most"),
    [(3, 1, 2, 5, 1 / 64), (3, 2, 1, 6, 1 / 64), (5, 1, 2, 9, 1 / 16), (5, 3, [2, 2, 4, 4], 11, 1 / 16)],
)
def test_a_small_window_does_not_spoil_the_averages_of_the_others(
    kernel: int, stride: int, pad: int | list[int], size: int, most: float
) -> None:  # fmt: skip
    pool = {"kind": "average_pool", "kernel": kernel, "stride": stride, "pad": pad, "count_padding": False}
    layer = network([CONV, pool | {"out_frac": 4, "delta_frac": 8}], (size, size)).config.layers[1]
    assert isinstance(layer, AveragePool)
    pixels = averages.counts(layer.window, size, size)[1]
    made = np.array(layer.multipliers)[averages.counts(layer.window, size, size)[0]] * pixels / 2**layer.scale
    assert len(np.unique(pixels)) > 2
    assert np.abs(made - 1).max() <= most


def test_averages_that_are_far_off_are_refused() -> None:
    pool = {"kind": "average_pool", "kernel": 11, "stride": 1, "pad": 10, "count_padding": False}
    why = r"windows of 1 … 121 pixels .* off by 31%, which must be at most 6.2%: less padding"
    with pytest.raises(ConfigError, match=why):
        network([CONV, pool | {"out_frac": 4, "delta_frac": 8}], (11, 11))


@pytest.mark.parametrize("size", [(12, 5), (13, 14), (30, 9)])
def test_averages_of_whole_maps_are_of_any_size(size: tuple[int, int]) -> None:
    made = network([CONV, {"kind": "global_average_pool", "out_frac": 6, "delta_frac": 8}], size)
    layer = made.config.layers[1]
    assert isinstance(layer.window, WholeMap)
    x = np.random.default_rng(2).integers(-99, 99, (*layer.in_shape, 8), dtype=np.int8)
    real = layer.float_forward(x / 16, np.empty(0))[0]
    assert np.abs(layer.feedforward(x, None, None).values / 64 - real).max() <= 0.6 / 64 + np.abs(real).max() / 100
    d = np.full((*layer.out_shape, 8), 100, dtype=np.int8)
    back = layer.float_input_gradient(d.astype(float), np.empty(0, dtype=np.int64), np.empty(0))
    assert layer.input_gradient(d, np.empty(0, dtype=np.uint8), None) / 2**layer.scale == pytest.approx(back, rel=0.01)
    train(made, StepProgram(made, grid_of(made.config), search=False), 1)
    train(made, StepProgram(made, grid_of(made.config)), 1)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([CONV | {"kernel": [3]}], r"layers\[0\].kernel = \[3\] must be one number, or \[rows, columns\]"),
        ([CONV | {"pad": [1, 2, 3]}], r"pad = \[1, 2, 3\] must be one number, \[rows, columns\], or \[top, left"),
        ([CONV | {"kernel": [3, 12]}], r"kernel\[1\] = 12 must be 1 … 11"),
        ([{"kind": "dense", "outputs": 4, "stride": 2, **FRACS}], "a dense layer reads its input as one pixel"),
        ([{"kind": "dense", "outputs": 4, "groups": 2, **FRACS}], "a dense layer reads its input as one pixel"),
        ([CONV, {"kind": "concat"}], "layers.1..inputs is missing"),
        ([CONV, {"kind": "concat", "inputs": ["image", "nowhere"]}], "inputs.1. = .nowhere. must be one of image"),
        ([CONV, {"kind": "concat", "inputs": ["layers[0]", "image"]}], "maps of 4 and 6 fraction bits"),
        (
            [CONV, {"kind": "max_pool", "kernel": 2}, {"kind": "concat", "inputs": ["layers[0]", "layers[1]"]}],
            "maps of 3 x 6 x 5 and 3 x 3 x 2 must have one height and width",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(layers: Layers, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        network(layers)


def test_maps_whose_sums_may_not_fit_are_not_averaged() -> None:
    with pytest.raises(ConfigError, match="a map of 400 x 400 has more than 131071 pixels"):
        network([{"kind": "global_average_pool"}], (400, 400))


def test_a_window_that_begins_behind_the_map_is_none() -> None:
    pool = {"kind": "max_pool", "kernel": 2, "stride": 3, "pad": [0, 0, 1, 1], "ceil": True}
    assert network([CONV, pool], (6, 6)).config.layers[1].out_shape[1:] == (2, 2)
    assert network([CONV, pool | {"stride": 2, "pad": 0}], (7, 5)).config.layers[1].out_shape[1:] == (4, 3)
