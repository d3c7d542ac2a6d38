# SPDX-License-Identifier: Apache-2.0
"""Connectivity: the formula, the proof of legality, and that the proof finds what is wrong."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from edge_configs import random_config, values

from models.edge.config import EdgeConfig
from models.edge.interleaver import Connectivity, ConnectivityError, check_edges, duplicate_edges


def made(**more: object) -> tuple[EdgeConfig, Connectivity]:
    config = EdgeConfig.from_dict(values([24, 12, 4], [4, 2], [8, 6], ["relu", "sigmoid"], **more))
    return config, Connectivity.generate(config)


@pytest.mark.parametrize("seed", range(60))
def test_generated_patterns_follow_the_formula_and_are_legal(seed: int) -> None:
    config = random_config(random.Random(seed), 1 + seed % 3)
    pattern = Connectivity.generate(config)
    assert pattern.check() == (0,) * len(config.junctions)
    for i, shape in enumerate(config.junctions):
        seeds, perms = pattern.seeds[i], pattern.perms[i]
        assert seeds.shape == (shape.fan_out if config.sweep_seeds else 1, shape.z)
        assert perms.shape == (shape.fan_out, shape.z)
        assert seeds.dtype == perms.dtype == np.int32
        if not config.dither:
            assert (perms == np.arange(shape.z)).all()
        left = pattern.left_neuron(i)
        assert left.dtype == np.int32
        for e in range(shape.edges):
            f, t = divmod(e // shape.z, shape.sweep)
            m = int(perms[f][e % shape.z])
            assert left[e] == (int(seeds[f if config.sweep_seeds else 0][m]) + t) % shape.sweep * shape.z + m
        pairs = {(e // shape.fan_in, int(k)) for e, k in enumerate(left)}
        assert len(pairs) == shape.edges, "no two edges join the same neurons"
        assert np.array_equal(np.bincount(left, minlength=shape.n_left), np.full(shape.n_left, shape.fan_out))


def test_same_seed_same_pattern() -> None:
    one, two, other = (made(connectivity={"seed": seed})[1] for seed in (5, 5, 6))
    assert all(np.array_equal(one.left_neuron(i), two.left_neuron(i)) for i in range(2))
    assert not np.array_equal(one.left_neuron(0), other.left_neuron(0))


def test_patterns_use_the_whole_range() -> None:
    """Random addresses and permutations, not just some."""
    config = EdgeConfig.from_dict(values([1024, 64, 32], [4, 16], [128, 32], ["sigmoid"] * 2))
    pattern = Connectivity.generate(config)
    assert set(pattern.seeds[0].ravel().tolist()) == set(range(8))
    assert len({tuple(row) for row in pattern.perms[0].tolist()}) == 4


def test_neurons_that_straddle_sweeps_are_covered() -> None:
    """fi = 12, z = 4: 3 clocks per neuron, 8 per sweep. Unlimited random seeds would repeat edges here."""
    config = EdgeConfig.from_dict(values([32, 8], [3], [4], ["sigmoid"]))
    shape = config.junctions[0]
    assert shape.sweep % shape.q
    for seed in range(30):
        pattern = Connectivity.generate(replace(config, connectivity_seed=seed))
        assert pattern.check() == (0,)
        assert len(np.unique(pattern.seeds[0], axis=0)) > 1
    seeds = np.array([[0] * 4, [6] * 4, [0] * 4], dtype=np.int32)  # clocks 6, 7 read addresses 6, 7; clock 8 reads 6
    repeated = Connectivity(pattern.shapes, (seeds,), pattern.perms)
    assert repeated.check() == (4,)


def test_duplicates_are_counted() -> None:
    shape = EdgeConfig.from_dict(values([4, 2], [2], [1], ["sigmoid"])).junctions[0]
    assert duplicate_edges(shape, [0, 1, 2, 3, 0, 1, 2, 3]) == 0
    assert duplicate_edges(shape, [0, 1, 0, 1, 2, 3, 2, 2]) == 4


def test_clash_is_found() -> None:
    config, pattern = made()
    shape = config.junctions[0]
    left = pattern.left_neuron(0)
    check_edges(shape, left)
    clash = left.copy()
    clash[[8, 16]] = clash[[16, 8]]  # lane 0 of clocks 1 and 2
    if clash[8] % 8 == left[8] % 8:
        clash[[8, 17]] = clash[[17, 8]]
    with pytest.raises(ConnectivityError, match="clock 1 does not read each of the z = 8 memories once"):
        check_edges(shape, clash)


def test_neuron_missed_by_a_sweep_is_found() -> None:
    config, pattern = made()
    shape = config.junctions[0]
    left = pattern.left_neuron(0).copy()
    left[24:48] = left[24:32].tolist() * 3  # one clock of sweep 1 three times: no clash, but two thirds unvisited
    with pytest.raises(ConnectivityError, match="sweep 1 does not visit each of the 24 left neurons once"):
        check_edges(shape, left)


@pytest.mark.parametrize("wrong", [[0], [24] * 96, [-1] * 96])
def test_lists_that_are_none_are_refused(wrong: list[int]) -> None:
    with pytest.raises(ConnectivityError, match="must list W = 96 left neurons of 0 … 23"):
        check_edges(made()[0].junctions[0], wrong)


def test_seeds_and_perms_out_of_range_are_refused() -> None:
    _, pattern = made()
    seeds = [array.copy() for array in pattern.seeds]
    seeds[1][0, 0] = 2
    with pytest.raises(ConnectivityError, match=r"junction 2: a seed is not in 0 … D-1 = 1"):
        Connectivity(pattern.shapes, tuple(seeds), pattern.perms).check()
    perms = [array.copy() for array in pattern.perms]
    perms[0][2, 0] = perms[0][2, 1]
    with pytest.raises(ConnectivityError, match=r"junction 1: perms of sweep 2 are not a permutation of 0 … 7"):
        Connectivity(pattern.shapes, pattern.seeds, tuple(perms)).check()
    with pytest.raises(
        ConnectivityError, match=r"junction 1: seeds \(3, 8\) and perms \(4, 8\) do not fit fan-out = 4"
    ):
        Connectivity(pattern.shapes, (pattern.seeds[0][:3], pattern.seeds[1]), pattern.perms).check()
