# SPDX-License-Identifier: Apache-2.0
"""Quality of connectivity: useless patterns score badly, random ones well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edge_configs import values

from models.edge import quality as measures
from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity
from models.edge.quality import JunctionQuality, quality

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "edge"
NAMES = ("mnist_64", "mnist_sparse", "four_layer", "tiny")


def zeros(pattern: Connectivity) -> Connectivity:
    """The published pattern: every memory starts at address 0."""
    return Connectivity(pattern.shapes, tuple(np.zeros_like(seeds) for seeds in pattern.seeds), pattern.perms)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_patterns_are_good(name: str) -> None:
    config = EdgeConfig.load(CONFIGS / f"{name}.toml")
    for seed in (config.connectivity_seed, 101, 102):
        seeded = Connectivity.generate(replace(config, connectivity_seed=seed))
        assert all(junction.score > 0.5 for junction in quality(seeded, config.informative_inputs))
    deeper = quality(Connectivity.generate(config), config.informative_inputs)[1:]
    assert min(junction.reach for junction in deeper) > 0.85


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    measures.main([str(CONFIGS / "tiny.toml")])
    head, *rows = capsys.readouterr().out.splitlines()
    config = EdgeConfig.load(CONFIGS / "tiny.toml")
    expected = quality(Connectivity.generate(config), config.informative_inputs)
    assert head.split() == ["junction", "information", "spread", "distinct", "reach", "score"]
    assert [row.split()[0] for row in rows] == ["1", "2"]
    assert [float(row.split()[5]) for row in rows] == pytest.approx([each.score for each in expected], abs=0.006)
    with pytest.raises(SystemExit):
        measures.main(["nowhere.toml"])


@pytest.mark.parametrize("dither", [False, True])
def test_zero_seeds_score_badly(dither: bool) -> None:
    """Groups of hidden neurons see only padding, and without dithering all neurons have twins."""
    config = replace(EdgeConfig.load(CONFIGS / "mnist_64.toml"), dither=dither)
    pattern = zeros(Connectivity.generate(config))
    pattern.check()  # legal it is
    first = quality(pattern, 784)[0]
    assert first.information == 0
    assert first.spread < 0.3
    assert first.score == first.reach == 0
    if not dither:
        assert first.distinct < 1e-6
    good = quality(Connectivity.generate(config), 784)[0]
    assert good.score > 0.7
    assert good.spread > 2 * first.spread


def test_zero_seeds_score_badly_without_padding_too() -> None:
    config = replace(EdgeConfig.load(CONFIGS / "mnist_sparse.toml"), dither=False)
    first = quality(zeros(Connectivity.generate(config)))[0]
    assert first.information == 1
    assert first.spread < 0.2
    assert first.score < 1e-6


def test_one_seed_vector_for_all_sweeps_makes_twins() -> None:
    config = replace(EdgeConfig.load(CONFIGS / "mnist_64.toml"), sweep_seeds=False, dither=False)
    first = quality(Connectivity.generate(config), 784)[0]
    assert first.information > 0.7
    assert first.spread > 0.7
    assert first.distinct < 1e-6


def test_full_connection_is_perfect() -> None:
    config = EdgeConfig.from_dict(values([16, 8], [8], [4], ["sigmoid"]))
    (only,) = quality(Connectivity.generate(config), 10)
    assert only == JunctionQuality(information=1.0, spread=1.0, distinct=1.0, reach=1.0)


def test_measures_by_hand() -> None:
    """Two right neurons of two inputs each among eight, four of which are informative."""
    informative = np.arange(8) < 4
    joined = np.zeros((2, 8), dtype=bool)
    joined[0, [0, 3]] = True  # both windows {0, 1} and {2, 3}
    joined[1, [0, 7]] = True  # one of them
    assert measures.information(joined, informative) == 1.0  # fair share is 1
    assert measures.spread(joined, informative) == 1.0  # 3/4, where random is 1 - (3/4)^2 = 7/16
    assert measures.distinct(joined) == pytest.approx(0.5 / 0.75)  # half in common; random: a quarter
    joined[1, [0, 6]] = [False, True]
    assert measures.information(joined, informative) == 0.0
    assert measures.spread(joined, informative) == 1.0  # 2/4
    assert measures.distinct(joined) == 1.0
    joined[0, [1, 3]] = [True, False]
    assert measures.spread(joined, informative) == pytest.approx(1 / 4 / (7 / 16))
    nothing = np.zeros(8, dtype=bool)
    assert measures.spread(joined, nothing) == 0.0
    assert measures.information(joined, nothing) == 1.0  # nobody's share is not unfair
    assert measures.distinct(joined[:1]) == 1.0  # nobody to resemble


def test_neurons_that_see_only_padding_do_not_inform_the_next_layer() -> None:
    """Junction 1 joins neuron j to inputs 2j and 2j+1; with 4 of 8 inputs informative, half of layer 1 is blind."""
    config = EdgeConfig.from_dict(
        values([8, 4, 2], [1, 1], [2, 2], ["relu", "sigmoid"], connectivity={"sweep_seeds": False, "dither": False})
    )
    first, second = quality(zeros(Connectivity.generate(config)), 4)
    assert first.information == first.reach == 0
    assert second.information == 0.0  # neuron 1 of layer 2 hears from blind neurons 2 and 3 alone
    assert second.reach == 0.0
    assert quality(zeros(Connectivity.generate(config)))[1].reach == 0.5
