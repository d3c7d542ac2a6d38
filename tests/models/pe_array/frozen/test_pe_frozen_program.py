# SPDX-License-Identifier: Apache-2.0
"""Frozen networks as programs: what the machine leaves in memory against the network's model, every bit."""

from __future__ import annotations

import random

import numpy as np
import pytest

from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.frozen.random_networks import images, random_network
from tests.models.pe_array.compiler.pe_steps import execute, machine


def run(network: FrozenNetwork, seed: int, balanced: bool = True) -> StepProgram:
    """A program's run in order, and then side by side on other images; every map is compared."""
    step = StepProgram(network, network.config.grid, training=False, search=False, balanced=balanced)
    memory = StepMemory(step)
    memory.put(network)
    array = machine(memory)
    for n, order in enumerate((None, random.Random(seed))):
        given = images(network, 2 * seed + n)
        memory.put_batch(given)
        execute(array, step, order)
        want = network.forward(given)
        for index, (got, expected) in enumerate(zip(memory.trace().outputs, want.outputs, strict=True)):
            assert np.array_equal(got, expected), (index, network.config.layers[index].kind)
        assert array.clipped.outputs == sum(want.saturated)
        assert np.array_equal(memory.logits, want.logits)
    return step


@pytest.mark.parametrize("seed", range(24))
def test_the_machine_makes_the_maps_of_the_model(seed: int) -> None:
    run(random_network(seed), seed)
