# SPDX-License-Identifier: Apache-2.0
"""Configuration: every rule is refused with its key, value and rule; shapes and parameters derive from it."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from edge_configs import values

from models.edge.config import EdgeConfig, Mode
from models.lib.toml_section import ConfigError

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "configs" / "edge").glob("*.toml"))

GOOD: dict[str, Any] = values([1024, 64, 32], [4, 16], [128, 32], ["sigmoid", "sigmoid"])
MNIST = {"set": "mnist"}


def broken(**changes: Any) -> dict[str, Any]:
    """GOOD with single keys replaced: section__key=value, or section=table."""
    result = copy.deepcopy(GOOD)
    for name, value in changes.items():
        section, _, key = name.partition("__")
        if key:
            result.setdefault(section, {})[key] = value
        else:
            result[section] = value
    return result


def small(*network: Any) -> dict[str, Any]:
    """Changes that replace the network; activations are sigmoid."""
    layers, fan_out, z = network
    table = {"layers": layers, "fan_out": fan_out, "z": z, "activation": ["sigmoid"] * len(z), "classes": 2}
    return {"network": table}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # rules of docs/edge/overview.md
        ({"network__z": [96, 32]}, "network.z[0]: z = 96 does not divide W = 4096 (junction 1)"),
        (small([6, 12], [4], [12]), "network.z[0]: z = 12 does not divide N_left = 6 (junction 1)"),
        (small([6, 4], [3], [2]), "network.fan_out[0]: N_right = 4 does not divide W = 18, fan-in is not an integer"),
        (small([8, 4], [5], [2]), "network.fan_out[0]: fan-out = 5 exceeds N_right = 4 (junction 1)"),
        (small([12, 8], [4], [4]), "network.z[0]: neither divides the other, z = 4 and fan-in = 6 (junction 1)"),
        (small([8, 4], [1], [8]), "network.z[0]: z = 8 leaves C = W/z = 1 clocks, at least 2 needed (junction 1)"),
        (
            small([40000, 2], [2], [1]),
            "network.z[0]: z = 1 leaves W/z = 80000 rows of weights, at most 65536 (junction 1)",
        ),
        (
            small([16, 8, 4], [1, 1], [8, 2]),
            "network.z[1]: P = 4 neurons that junction 1 completes per clock does not divide z = 2 of junction 2",
        ),
        ({"network__in_lanes": 3}, "network.in_lanes = 3 does not divide z = 128 of junction 1"),
        ({"network__in_lanes": 16}, "network.in_lanes = 16 is too narrow: a sample of 1024 values takes 64 beats"),
        ({"format__width": 3}, "format.width = 3 must be 4 … 16"),
        ({"format__width": 17}, "format.width = 17 must be 4 … 16"),
        ({"format__frac": 0}, "format.frac = 0 must be 1 … 10"),
        ({"format__frac": 11}, "format.frac = 11 must be 1 … 10"),
        ({"training__lr_max": 0}, "training.lr_max = 0 must be 1 … 16"),
        ({"training__lr_max": 17}, "training.lr_max = 17 must be 1 … 16"),
        ({"network__classes": 0}, "network.classes = 0 must be 1 … 32"),
        ({"network__classes": 33}, "network.classes = 33 must be 1 … 32"),
        (
            {"network__activation": ["sigmoid", "relu"]},
            "network.activation[1] = 'relu': the last layer must be sigmoid",
        ),
        # lists that do not fit together
        ({"network__layers": [64]}, "network.layers = [64] must have 2 … 57 entries"),
        ({"network__layers": [2] * 58}, "must have 2 … 57 entries"),
        ({"network__fan_out": [4]}, "network.fan_out = [4] must have 2 entries, one fewer than network.layers"),
        ({"network__z": [1, 2, 3]}, "network.z = [1, 2, 3] must have 2 entries"),
        ({"network__activation": ["sigmoid"]}, "network.activation = ['sigmoid'] must have 2 entries"),
        # types and ranges
        ({"network__layers": 3}, "network.layers = 3 must be a list of at least one integer"),
        ({"network__layers": [1024, 64.0, 32]}, "network.layers[1] = 64.0 must be an integer"),
        ({"network__layers": [1024, True, 32]}, "network.layers[1] = True must be an integer"),
        ({"network__layers": [65536, 64, 32]}, "network.layers[0] = 65536 must be 1 … 65535"),
        ({"network__activation": "sigmoid"}, "network.activation = 'sigmoid' must be a list of at least one string"),
        ({"network__activation": ["tanh", "sigmoid"]}, "network.activation[0] = 'tanh' must be one of sigmoid, relu"),
        ({"connectivity__dither": 1}, "connectivity.dither = 1 must be true or false"),
        ({"training__mode": "inference"}, "training.mode = 'inference' must be one of pipelined, sequential"),
        ({"training__mode": ["pipelined", "both"]}, "training.mode[1] = 'both' must be one of pipelined, sequential"),
        ({"training__mode": []}, "training.mode = [] must be a list of at least one string"),
        ({"training__mode": 1}, "training.mode = 1 must be one of pipelined, sequential"),
        (
            {"training": {"epochs": 1, "mode": ["pipelined", "sequential"]}},
            "training.mode = ['pipelined', 'sequential'] has 2 entries, more than training.epochs = 1: give",
        ),
        ({"training__rounding": "up"}, "training.rounding = 'up' must be one of half_up, stochastic"),
        ({"training__lr_shift": [9]}, "training.lr_shift[0] = 9 must be 0 … 8"),
        ({"training__lr_shift": []}, "training.lr_shift = [] must be a list of at least one integer"),
        ({"training__rng_seed": 65536}, "training.rng_seed = 65536 must be 0 … 65535"),
        ({"training__init_scale": "x"}, "training.init_scale = 'x' must be a number"),
        ({"training__init_scale": -1}, "training.init_scale = -1 must be 0.0 … 1000.0"),
        ({"clock__mhz": 0}, "clock.mhz = 0 must be"),
        ({"name": ""}, "name = '' must be a string that is not empty"),
        ({"name": "a/b"}, "name = 'a/b' must consist of letters"),
        ({"data__set": "cifar"}, "data.set = 'cifar' must be one of none, mnist"),
        ({"data": MNIST | {"pool": 5}}, "data.pool = 5 does not divide the 28 pixels"),
        ({"data": MNIST, "network__classes": 9}, "network.classes = 9 is less than the 10 classes of mnist"),
        ({"data": MNIST, **small([64, 16], [4], [16])}, "network.layers[0] = 64 is less than the 784 pixels"),
        # tables and unknown keys
        ({"network": 3}, "[network] must be a table, not 3"),
        ({"network__depth": 3}, "network.depth is not a known key (known here: activation, classes, fan_out"),
        ({"training__learning_rate": 3}, "training.learning_rate is not a known key"),
        ({"extra": {}}, "extra is not a known key"),
    ],
)
def test_broken_rules_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EdgeConfig.from_dict(broken(**changes))
    assert message in str(caught.value)


@pytest.mark.parametrize("key", ["name", "format"])
def test_missing_tables_are_named(key: str) -> None:
    incomplete = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(ConfigError, match=f"^{key} is missing$"):
        EdgeConfig.from_dict(incomplete)


def test_published_network() -> None:
    config = EdgeConfig.from_dict(GOOD)
    first, second = config.junctions
    assert (first.edges, first.fan_in, first.clocks, first.sweep, first.p, first.q, first.groups) == (
        4096, 64, 32, 8, 2, 1, 32)  # fmt: skip
    assert (second.edges, second.fan_in, second.clocks, second.sweep, second.p, second.q, second.groups) == (
        1024, 32, 32, 2, 1, 1, 32)  # fmt: skip
    assert (first.lane_base, first.lanes, second.lane_base, second.lanes) == (0, 130, 130, 33)
    assert config.pass_clocks == 32
    assert config.in_lanes == 32
    assert config.density == pytest.approx(5120 / 67584)
    assert (first.density, second.density) == (4 / 64, 16 / 32)


def test_more_inputs_per_neuron_than_lanes() -> None:
    shape = EdgeConfig.from_dict(broken(**small([24, 6], [3], [4]))).junctions[0]
    assert (shape.fan_in, shape.p, shape.q, shape.groups, shape.clocks) == (12, 1, 3, 6, 18)


def test_verilog_parameters_are_literals() -> None:
    parameters = EdgeConfig.from_dict(broken(network__activation=["relu", "sigmoid"])).verilog_parameters("dir/s.hex")
    assert parameters == {
        "JUNCTIONS": 2, "LAYERS": "48'h2000400400", "FAN_OUT": "32'h100004", "LANES": "32'h200080",
        "ACTIVATIONS": "8'h1", "WIDTH": 12, "FRAC": 8, "LR_MAX": 8, "CLASSES": 32, "SWEEP_SEEDS": 1, "DITHER": 1,
        "IN_LANES": 32,
        "SIGMOID_FILE": '"dir/s.hex"',
    }  # fmt: skip


def test_learning_rate_of_an_epoch() -> None:
    training = EdgeConfig.from_dict(broken(training={"lr_shift": [1, 2, 5], "mode": "sequential"})).training
    assert [training.lr_shift(epoch) for epoch in range(5)] == [1, 2, 5, 5, 5]
    assert training.modes == (Mode.SEQUENTIAL,)


def test_mode_of_an_epoch() -> None:
    """The last one goes on, however often it is written."""
    for names, modes, letters in (
        (["pipelined"], 1, "PPPP"),
        (["pipelined", "sequential"], 2, "PSSS"),
        (["pipelined", "sequential", "sequential"], 2, "PSSS"),
        (["sequential", "sequential", "pipelined", "sequential"], 4, "SSPS"),
    ):
        training = EdgeConfig.from_dict(broken(training={"epochs": 4, "mode": names})).training
        assert len(training.modes) == modes
        assert "".join(training.mode(epoch).name[0] for epoch in range(4)) == letters
    one = EdgeConfig.from_dict(broken(training={"epochs": 4, "mode": "sequential"}))
    assert one == EdgeConfig.from_dict(broken(training={"epochs": 4, "mode": ["sequential"] * 3}))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations(path: Path) -> None:
    config = EdgeConfig.load(path)
    assert config.name == path.stem
    assert config.data.set == "mnist"


def test_what_is_shipped() -> None:
    shipped = {path.stem: EdgeConfig.load(path) for path in CONFIGS}
    assert {"mnist_64", "mnist_sparse", "four_layer", "tiny"} <= set(shipped)
    published = shipped["mnist_64"]
    assert published.layers == (1024, 64, 32)
    assert [(shape.fan_out, shape.z) for shape in published.junctions] == [(4, 128), (16, 32)]
    assert (published.format.width, published.format.frac) == (12, 8)
    assert shipped["mnist_sparse"].density <= 0.10
    assert len(shipped["four_layer"].layers) == 4
    for name in ("mnist_64", "mnist_sparse", "four_layer"):
        assert len({shape.clocks for shape in shipped[name].junctions}) == 1, "no junction waits for another"


def test_load_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such configuration file"):
        EdgeConfig.load(tmp_path / "nowhere.toml")
    path = tmp_path / "bad.toml"
    path.write_text("name = ")
    with pytest.raises(ConfigError, match=r"bad\.toml: "):
        EdgeConfig.load(path)
    path.write_text('name = "x"\n[network]\n')
    with pytest.raises(ConfigError, match=r"bad\.toml: format is missing"):
        EdgeConfig.load(path)


def test_a_file_means_what_its_text_says(tmp_path: Path) -> None:
    path = CONFIGS[0]
    assert EdgeConfig.load(path) == EdgeConfig.from_dict(tomllib.loads(path.read_text()))
