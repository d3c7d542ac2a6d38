# SPDX-License-Identifier: Apache-2.0
"""The file of a space: its points, and what is wrong with it in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flow.paths import ROOT, FlowError
from flow.sweep import space
from models.edge.config import EdgeConfig
from models.lib.toml_section import ConfigError, read_toml
from models.pe_array.network.config import PeConfig

HEAD = 'name = "x"\nbase = "configs/edge/tiny.toml"\n'


def read(tmp_path: Path, text: str) -> space.Space:
    """The space that a text says."""
    (tmp_path / "x.toml").write_text(text)
    return space.read(str(tmp_path / "x.toml"))


def test_points_are_all_combinations_in_order(tmp_path: Path) -> None:
    keys = '"format.width" = {from = 8, to = 11, step = 2}\n"network.z" = [[8, 2], [16, 4]]\n'
    text = f"{HEAD}seeds = [5, 7]\n[space]\n{keys}"
    found = read(tmp_path, text)
    assert [tuple(point.values()) for point in found.points] == [
        (width, z, seed) for width in (8, 10) for z in ([8, 2], [16, 4]) for seed in (5, 7)
    ]
    assert list(next(found.points)) == ["format.width", "network.z", "training.init_seed"]
    assert (found.kind.folder, found.area, found.samples, found.epochs) == ("edge", "fit", None, None)


def test_a_range_ends_with_its_end(tmp_path: Path) -> None:
    keys = '"training.init_scale" = {from = 0.1, to = 0.3, step = 0.1}\n"format.width" = {from = 8, to = 10}\n'
    assert read(tmp_path, f"{HEAD}[space]\n{keys}").keys == {
        "training.init_scale": [0.1, 0.2, 0.3],
        "format.width": [8, 9, 10],
    }


def test_values_stand_in_their_places() -> None:
    values = read_toml(ROOT / "configs/pe_array/lenet5_mnist.toml")
    found = space.changed(values, {"layers.2.density": 0.5, "array.pes": 8, "clock.mhz": 100})
    assert (found["layers"][2]["density"], found["array"]["pes"], found["clock"]) == (0.5, 8, {"mhz": 100})
    assert values["layers"][2]["density"] == 0.75
    assert space.changed({"network": {"z": [1, 2]}}, {"network.z.1": 4}) == {"network": {"z": [1, 4]}}
    for key in ("layers.x.density", "layers.99.density", "array.pes.more"):
        with pytest.raises(ConfigError, match=re.escape(repr(key))):
            space.changed(values, {key: 1})


@pytest.mark.parametrize("name", ["tiny_lanes", "lenet5_density"])
def test_shipped_spaces(name: str) -> None:
    """Some of their points are configurations, and some are refused, as they say."""
    found = space.read(f"configs/sweep/{name}.toml")
    assert found.name == name
    refused = 0
    for point in found.points:
        try:
            made = space.made(found.kind, space.changed(found.values, point), found.base.parent)
            assert isinstance(made, EdgeConfig | PeConfig)
        except ConfigError:
            refused += 1
    assert 0 < refused < len([*found.points])


@pytest.mark.parametrize(("text", "message"), [
    ("", "name is missing"),
    ('name = "x"\n', "base is missing"),
    ('name = "x"\nbase = "none.toml"\n[space]\n', "base = none.toml: there is no such file"),
    (HEAD, "space is missing"),
    (HEAD + "[space]\n", "[space] has no key: give at least one with a list of values"),
    (HEAD + '[space]\n"network.zz" = [1]\n', "[space] network.zz is not a known key"),
    (HEAD + '[space]\n"nothing.z" = [1]\n', "[space] nothing is not a known key"),
    (HEAD + '[space]\n"network.z.9" = [1]\n', "[space] 'network.z.9': '9' must be a number, 0 … 1"),
    (HEAD + '[space]\n"format.width" = 8\n', "space.format.width = 8 must be a list of at least one value"),
    (HEAD + '[space]\n"format.width" = []\n', "space.format.width = [] must be a list of at least one value"),
    (HEAD + '[space]\n"format.width" = [8, 8]\n', "space.format.width = [8, 8] must name each value once"),
    (HEAD + '[space]\n"format.width" = [8, 2026-11-30]\n', "has a date or a time: no key of a configuration takes one"),
    (HEAD + '[space]\n"format.width" = {from = 8}\n', "space.format.width.to is missing"),
    (HEAD + '[space]\n"format.width" = {from = 8, to = 4}\n', "space.format.width: to = 4 must be at least from = 8"),
    (HEAD + '[space]\n"format.width" = {from = 0, to = 1, step = 1e-8}\n', "more than 100,000 values"),
    (HEAD + '[space]\n"training.rng_seed" = {from = 0, to = 999}\n"training.init_seed" = {from = 0, to = 999}\n',
     "[space] has 1,000,000 points, at most 100,000"),
    (HEAD + 'seeds = [1, 1]\n[space]\n"format.width" = [8]\n', "seeds = [1, 1] must name each once"),
    (HEAD + 'seeds = [1]\n[space]\n"training.init_seed" = [8]\n', "seeds are values of training.init_seed"),
    (HEAD + 'area = "guess"\n[space]\n"format.width" = [8]\n', "area = 'guess' must be one of fit, synth, none"),
    (HEAD + 'colour = 1\n[space]\n"format.width" = [8]\n', "colour is not a known key (known here: name, base,"),
    (HEAD + "[space]\nx = [\n", "Invalid value"),
])  # fmt: skip
def test_a_wrong_space_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=re.escape(message)) as caught:
        read(tmp_path, text)
    assert "x.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_space_that_is_not_there() -> None:
    with pytest.raises(FlowError, match=r"no\.toml: no such configuration file"):
        space.read("no.toml")
    with pytest.raises(FlowError, match=r"^say which space, as in SPACE=configs/sweep/tiny_lanes"):
        space.read("")
