# SPDX-License-Identifier: Apache-2.0
"""Frozen networks as programs: what the machine leaves in memory against the network's model, every bit."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.network.frozen.builder import FrozenBuilder
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.frozen.random_networks import images, random_network
from models.pe_array.network.layer import IMAGE
from models.pe_array.network.scaling import Scaling
from tests.models.pe_array.compiler.pe_steps import execute, machine


def run(network: FrozenNetwork, seed: int, pooled: bool = False) -> StepProgram:
    """A program's run in order, and then side by side on other images; every map in memory is compared."""
    step = StepProgram(network, network.config.grid, training=False, search=False, pooled=pooled)
    memory = StepMemory(step)
    memory.put(network)
    array = machine(memory)
    for n, order in enumerate((None, random.Random(seed))):
        given = images(network, 2 * seed + n)
        memory.put_batch(given)
        execute(array, step, order)
        want = network.forward(given)
        for index, (got, expected) in enumerate(zip(memory.trace().outputs, want.outputs, strict=True)):
            there = f"output{index}" not in step.absent
            assert np.array_equal(got, expected) == there, (index, network.config.layers[index].kind)
        assert array.clipped.outputs == sum(want.saturated)
        assert np.array_equal(memory.logits, want.logits)
    return step


def test_only_sums_have_records_of_their_channels() -> None:
    made = FrozenBuilder("maxima", (3, 4, 4), 8)
    made.max_pool(IMAGE, Pool.make(2), Scaling.of([1.0, 0.5, 0.25], [1, 2, 3], low=-40, high=70))
    assert "records0" not in run(made.network(2), 1).tensors


@pytest.mark.parametrize("seed", range(24))
def test_the_machine_makes_the_maps_of_the_model(seed: int) -> None:
    run(random_network(seed), seed)


@pytest.mark.parametrize(("limits", "pools"), [(None, {0: 1}), ((-20, 100), {0: 1}), ((0, 100), {}), ((-20, 60), {})])
def test_pooling_in_drains(limits: tuple[int, int] | None, pools: dict[int, int]) -> None:
    """With records of channels, and a border around the pooled map; where a pooling limits its map it has a phase."""
    made, rng = FrozenBuilder("pooled", (3, 8, 6), 8, 7), np.random.default_rng(1)
    scaling = Scaling.of([1 / 64, 1 / 90, 1 / 70, 1 / 80], [1, 2, 3, 4], zero_in=7, zero=-9, low=-9, high=80)
    first = made.convolution(IMAGE, Conv.make(4, 3, 3, pad=1), rng.integers(-90, 90, (4, 3, 3, 3)), scaling)
    own = None if limits is None else Scaling.of(1.0, low=limits[0], high=limits[1])
    second = made.max_pool(first, Pool.make(2), own)
    last = Scaling.of(1 / 64, zero_in=-9)
    made.convolution(second, Conv.make(4, 4, 3, pad=1), rng.integers(-90, 90, (4, 4, 3, 3)), last)
    step = run(made.network(2), 1, pooled=True)
    assert step.pools == pools
    assert any(step.storage.maps["output1"].halo)


def test_a_map_with_a_border_that_is_read_as_one_pixel_too() -> None:
    """Padding of a zero point lies around the map; the dense layer reads a copy without it."""
    made, rng = FrozenBuilder("flat", (3, 4, 4), 8, 7), np.random.default_rng(1)
    scaling = Scaling.of(1 / 64, zero_in=7, zero=-9)
    first = made.convolution(IMAGE, Conv.make(4, 3), rng.integers(-90, 90, (4, 3, 1, 1)), scaling)
    own = replace(scaling, zero_in=-9)
    made.convolution(first, Conv.make(4, 4, 3, pad=1), rng.integers(-90, 90, (4, 4, 3, 3)), own)
    made.dense(first, rng.integers(-90, 90, (5, 64)), own)
    step = run(made.network(2), 1)
    assert [(each.source, each.before) for each in step.storage.copies] == [(first, 2)]


def test_joined_maps_that_lie_like_that_in_a_later_one() -> None:
    """The first concatenation costs nothing: its maps are next to each other in the second."""
    made, rng = FrozenBuilder("joined", (3, 4, 4), 8), np.random.default_rng(1)

    def conv(reads: int, rows: int) -> int:
        cols = made.shape(reads)[0]
        weights = rng.integers(-90, 90, (rows, cols, 1, 1))
        return made.convolution(reads, Conv.make(rows, cols), weights, Scaling.of(1 / 64))

    parts = [conv(IMAGE, rows) for rows in (4, 2)]
    early = made.concat(parts)
    third = conv(early, 3)
    conv(made.concat([*parts, third]), 5)
    step = run(made.network(2), 2)
    assert not step.storage.copies


def test_depth_wise_layers_keep_the_order_of_channels() -> None:
    """Slots read the channels that they make: blocks off the diagonal are empty, whatever the order in front."""
    made, rng = FrozenBuilder("deep", (6, 5, 5), 8), np.random.default_rng(1)
    sparse = rng.integers(1, 90, (32, 6, 1, 1)) * (rng.random((32, 6, 1, 1)) < 0.5)
    first = made.convolution(IMAGE, Conv.make(32, 6), sparse, Scaling.of(1 / 64))
    deep = replace(Conv.make(32, 32, 3, pad=1), groups=32)
    second = made.convolution(first, deep, rng.integers(1, 90, (32, 1, 3, 3)), Scaling.of(1 / 64))
    made.convolution(second, Conv.make(4, 32), rng.integers(-90, 90, (4, 32, 1, 1)), Scaling.of(1 / 64))
    step = run(made.network(4), 1)
    orders = step.order("output0"), step.order("output1")
    assert orders[0].tolist() == orders[1].tolist() != list(range(32)), "balanced, and then kept"
    csb = step.matrices[1].csb
    rows, cols = csb.shape.grid
    assert rows == cols > 1
    assert [len(range(*csb.elements(n).indices(32))) > 0 for n in range(rows * cols)] == [
        n % (cols + 1) == 0 for n in range(rows * cols)
    ]
