# SPDX-License-Identifier: Apache-2.0
"""Configurations of the PE array that break a rule are refused, with key, value and rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pe_trainings import changed, values

from models.lib.toml_section import ConfigError
from models.pe_array.network.config import PeConfig
from tests.models.pe_array.network.test_pe_layers import interpreted  # noqa: F401


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("layers", [], r"\[\[layers\]\] must be at least one table"),
        ("layers", None, r"must have either \[network\] .* or \[\[layers\]\] .*, and has neither"),
        ("name", None, "name is missing"),
        ("input.height", None, r"input\.height is missing"),
        ("input.height", 1, r"layers\[2\]\.kind = conv: height = 1 with pad"),
        ("input.depth", 1, r"input\.depth is not a known key"),
        ("extra", 1, "extra is not a known key"),
        ("layers.0.kind", "fold", r"layers\[0\]\.kind = 'fold' must be one of conv, dense, concat, max_pool"),
        ("layers.0.kernel", 12, r"layers\[0\]\.kernel = 12 must be 1 … 11"),
        ("layers.0.biases", 1, r"layers\[0\]\.biases is not a known key"),
        ("layers.0.delta_frac", None, r"layers\[0\]\.delta_frac is missing"),
        ("layers.0.density", 0.0, r"layers\[0\]\.density = 0\.0 must be"),
        ("layers.0.out_frac", 13, r"layers\[0\]: forward shift = -1 must be 0 … 31"),
        ("layers.2.groups", 4, r"layers\[2\]\.kind = conv: groups = 4 must divide rows = 6 and cols = 4"),
        ("layers.0.delta_frac", 13, r"layers\[2\]: backward shift = -1 must be 0 … 31"),
        ("layers.1.pad", 3, r"layers\[1\]\.kind = max_pool: pad .* sees nothing but padding"),
        ("layers.1.relu", True, r"layers\[1\]\.relu is not a known key"),
        ("layers.5.kind", "max_pool", r"layers\[5\]\.outputs|layers\[5\]\.kernel is missing"),
        ("layers.5.relu", True, r"layers\[5\] must have weights, no ReLU"),
        ("layers.5.out_frac", 8, r"layers\[5\]\.out_frac = 8 must be 0 … 7"),
        ("training.batch", 12, r"training\.batch = 12 must be one of 8, 16, 32, 64: a PE has"),
        ("training.batch", 4, r"training\.batch = 4 must be one of 8, 16, 32, 64: a PE has"),
        ("training.batch", 65, r"training\.batch = 65 must be 1 … 64"),
        ("layers.5.outputs", 257, r"layers\[5\]\.outputs = 257 must be at most 256 in the last layer"),
        ("layers.0.outputs", 4097, r"layers\[0\]\.outputs = 4097 must be 1 … 4096"),
        ("training.rate_shift", [14, 10], r"layers\[2\]: update shift at rate_shift = 10 = -2 must be 0 … 31"),
        ("training.momentum_shift", 16, r"training\.momentum_shift = 16 must be 0 … 15"),
        ("training.weight_decay_shift", 32, r"training\.weight_decay_shift = 32 must be 0 … 31"),
        ("training.weight_decay_shift", 31, r"training\.weight_decay_shift = 31 is a shift by 32 at rate_shift = 15"),
        ("training.loss", "hinge", r"training\.loss = 'hinge' must be one of sigmoid, softmax"),
        ("training.nesterov", 1, r"training\.nesterov = 1 must be true or false"),
        ("training.seed", 1, r"training\.seed is not a known key"),
    ],
)
def test_configurations_that_break_a_rule(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PeConfig.from_dict(changed(path, value))


def test_nesterov_needs_momentum() -> None:
    document = changed("training.momentum_shift", 0)
    document["training"]["nesterov"] = True
    with pytest.raises(ConfigError, match=r"training\.nesterov = true needs training\.momentum_shift of at least 1"):
        PeConfig.from_dict(document)


def test_weight_decay_falls_with_the_rate() -> None:
    training = PeConfig.from_dict(changed("training.weight_decay_shift", 12)).training
    assert [training.weight_decay(rate) for rate in training.rate_shifts] == [12, 13]
    assert PeConfig.from_dict(values()).training.weight_decay(15) == 0
    with pytest.raises(ValueError, match="weight_decay_shift = 12 is a shift by 0 at rate_shift = 2"):
        training.weight_decay(2)


def test_accumulators_that_could_overflow_are_refused() -> None:
    big = changed("input", {"channels": 4096, "height": 8, "width": 4, "frac": 6})
    big["layers"] = [{"kind": "dense", "outputs": 10, "weight_frac": 6, "out_frac": 4}]
    with pytest.raises(ConfigError, match=r"layers\[0\]: 131072 products of the forward do not fit in 32 bits"):
        PeConfig.from_dict(big)
    big["input"]["channels"] = 4095
    assert PeConfig.from_dict(big).layers[0].in_shape == (131040, 1, 1)
    large = changed("input", {"height": 182, "width": 182, "frac": 6})
    with pytest.raises(ConfigError, match=r"products of the weight gradient do not fit in 32 bits"):
        PeConfig.from_dict(large)


def test_last_layer_must_give_classes() -> None:
    document = values()
    document["layers"] = document["layers"][:-2]
    with pytest.raises(ConfigError, match=r"layers\[3\] must have weights, no ReLU, and a 1 x 1 map to give classes"):
        PeConfig.from_dict(document)


def test_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("name =")
    with pytest.raises(ConfigError, match=r"bad\.toml: Invalid value \(at "):
        PeConfig.load(tmp_path / "bad.toml")
    with pytest.raises(ConfigError, match=r"missing\.toml: no such configuration file"):
        PeConfig.load(tmp_path / "missing.toml")
