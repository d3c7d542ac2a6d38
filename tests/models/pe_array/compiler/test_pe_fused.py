# SPDX-License-Identifier: Apache-2.0
"""Steps whose gradients go to the update at once: the same weights as with gradients in memory."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.descriptors import Collect, Engine, Learn, Slot, Stream, Update
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.runs import COLLECT_CHUNK
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.weight_update import learn_order
from tests.models.pe_array.compiler.pe_steps import KINDS, LARGE, SHAPE, fixed, random_config, train

WAYS: list[dict[str, Any]] = [
    {"momentum": 0},
    {"momentum": 3, "update_rounding": "stochastic", "rounding_seed": 9},
    {"momentum": 2, "nesterov": True, "weight_decay_shift": 12, "update_rounding": "stochastic"},
]


@pytest.mark.parametrize("keys", WAYS, ids=["plain", "stochastic", "all"])
def test_fused_steps_are_those_of_the_model(keys: dict[str, Any]) -> None:
    network = fixed(**keys)
    step = StepProgram(network, Grid(4, SHAPE), search=False)
    assert step.fused == {"wg5", "bg5", "wg4", "wg2", "bg2"}
    assert [name for name, _ in step.parts if name.startswith("update")] == ["update0"]
    assert sum(isinstance(each, Update) for each in step.descriptors) == 1
    train(network, step, 3)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("keys", WAYS, ids=["plain", "stochastic", "all"])
def test_steps_of_a_wide_port_are_those_of_the_model(keys: dict[str, Any], fused: bool) -> None:
    network = fixed(wide=2, fused=fused, **keys)
    train(network, StepProgram(network, Grid(4, SHAPE, 2), search=False), 2)


def test_gradients_of_several_strips_go_to_memory() -> None:
    network = fixed(size=LARGE)
    step = StepProgram(network, Grid(2, SHAPE), search=False)
    assert step.fused == {"wg5", "bg5", "wg4"}
    assert [name for name, _ in step.parts if name.startswith("update")] == ["update2", "update0"]
    assert sum(isinstance(each, Update) for each in step.descriptors) == 3
    apart = StepProgram(fixed(size=LARGE, fused=False), Grid(2, SHAPE), search=False)
    assert not apart.fused
    assert step.allocation.size < apart.allocation.size
    train(network, step, 2)


@pytest.mark.parametrize("seed", range(4))
def test_fused_steps_of_random_networks(seed: int) -> None:
    rng = random.Random(seed)
    network = PeNetwork(random_config(rng, rng.choice(KINDS)))
    network.prune()
    train(network, StepProgram(network, Grid(rng.choice([2, 4]), SHAPE), search=False), 2, seed)


def test_weights_are_changed_when_nothing_reads_the_old_ones() -> None:
    """A LEARN waits for all loads of its layer's weights, and no later load reads them."""
    step = StepProgram(fixed(), Grid(4, SHAPE), search=False)
    last: dict[str, int] = {}  # load after which nothing needs the old weights of a tensor
    changed: set[str] = set()
    loads = 0

    def values_at(address: int) -> str:
        inside = {name: each.address <= address < each.address + each.bytes for name, each in step.tensors.items()}
        return next(name for name, here in inside.items() if here)

    for each in step.descriptors:
        loads += each.counts and each.engine is Engine.LOAD
        if isinstance(each, Stream) and each.memory == 0:
            name = values_at(each.address)
            assert name not in changed
            last[name] = loads
        if isinstance(each, Learn):
            name = values_at(each.weights)
            assert each.after.loads >= last.get(name, 0)
            changed.add(name)
    assert changed == {"values2", "values4", "values5", "unused"}
    assert last.keys() > {"values2", "values4", "values5"}


def test_no_two_learns_change_the_same_weights() -> None:
    """So a LEARN need not wait until that before it has written them."""
    step = StepProgram(fixed(size=LARGE), Grid(2, SHAPE), search=False)
    changed: dict[int, list[int]] = {}  # beats, by address of the masters
    named: list[Slot] = []
    several = 0
    for each in step.descriptors:
        if isinstance(each, Slot):
            named.append(each)
        elif isinstance(each, Learn):
            several += each.masters in changed
            beats = changed.setdefault(each.masters, [])
            beats += [slot.beat + n for slot in named for n in range(-(-4 * slot.gradients // step.grid.beat))]
        if isinstance(each, Learn | Collect):
            named.clear()
    assert several > 1
    assert all(len(beats) == len(set(beats)) for beats in changed.values())


def test_order_of_chunks() -> None:
    assert learn_order([]) == []
    assert learn_order([9, 0, 3]) == [(0, 0, 8), (2, 0, 4), (0, 8, 4)]
    words = np.random.default_rng(1).integers(0, 60, 7)
    chunks = learn_order(words)
    for slot, count in enumerate(words):
        mine = [(first, size) for which, first, size in chunks if which == slot]
        assert [first for first, _ in mine] == list(range(0, int(count), COLLECT_CHUNK))
        assert sum(size for _, size in mine) == -(-count // 4) * 4
