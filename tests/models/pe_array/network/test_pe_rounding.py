# SPDX-License-Identifier: Apache-2.0
"""Stochastic rounding in whole training steps: the words of the network's model are those of the array."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pe_nets import NETS

from models.lib.fixed_point import lane_seed, lfsr_step
from models.lib.toml_section import ConfigError
from models.pe_array.compiler import random_programs
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.word_order import word_order
from models.pe_array.isa.descriptors import BYTES
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.grid import Grid
from models.pe_array.machine.machine import Machine
from models.pe_array.network import layers
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.random_words import PERIOD, RandomWords, WordOrder
from models.pe_array.network.requantise import DrainSettings, requantise
from tests.models.pe_array.compiler.pe_steps import (
    KINDS,
    LARGE,
    SHAPE,
    batch,
    execute,
    fixed,
    machine,
    random_config,
    same,
    same_weights,
    train,
    values,
)

BOTH = {"update_rounding": "stochastic", "gradient_rounding": "stochastic", "rounding_seed": 4711}


def stochastic(config: PeConfig, updates: bool = True, gradients: bool = True, seed: int = 77) -> PeConfig:
    """The configuration, rounding so."""
    training = replace(
        config.training, stochastic_updates=updates, stochastic_gradients=gradients, rounding_seed=seed
    )  # fmt: skip
    return replace(config, training=training)


def wind(array: Machine, words: RandomWords, seed: int) -> int:
    """Let the lanes of an array go on with the words of a training; how many programs that took."""
    grid = Grid(len(array.grid.pes), array.grid.shape)
    winder = Machine(grid.pes, grid.shape, np.zeros(1 << 16, dtype=np.uint8))
    count, at = 0, random_programs.SCRATCH * grid.shape.lanes
    winder.memory.write_window = (0, at - 1)
    for count, made in enumerate(random_programs.programs(words, grid), 1):
        assert len(made) <= random_programs.DESCRIPTORS
        winder.memory.data[at : at + BYTES * len(made)] = np.frombuffer(encode(made), dtype=np.uint8)
        assert winder.run(at, len(made), seed if count == 1 else None, random.Random(count)) is None
    array.store.outputs, array.store.updates = winder.store.outputs, winder.store.updates
    return count


@pytest.mark.parametrize("kinds", KINDS)
def test_random_networks(kinds: list[str]) -> None:
    """Ragged blocks and maps, groups, permuted channels, several words per weight of a lane."""
    rng = random.Random(KINDS.index(kinds))
    updates = rng.random() < 0.8
    network = PeNetwork(stochastic(random_config(rng, kinds), updates, not updates or rng.random() < 0.8))
    if rng.random() < 0.6:
        network.prune()
    shape = replace(SHAPE, lanes=network.config.training.batch)
    step = StepProgram(network, Grid(rng.choice([2, 4, 8]), shape), base=rng.choice([0, 1 << 20]), search=False)
    train(network, step, 3)


@pytest.mark.parametrize("name", ["projection", "max pool, two additions and a reader"])
def test_residual_networks(name: str) -> None:
    """Gradients that are made, and rounded, in several passes."""
    document = values(random.Random(3), NETS[name], momentum=2)
    document["input"] |= {"channels": 2, "height": 6, "width": 6}
    network = PeNetwork(stochastic(PeConfig.from_dict(document)))
    step = StepProgram(network, Grid(4, SHAPE), search=False)
    assert max(map(len, word_order(step).deltas.values())) > 1
    train(network, step, 2)


def test_strips_and_pruning_in_between() -> None:
    """Words go on over steps, programs and arrays, though maps are drained in strips and elements move."""
    network = fixed(size=LARGE, **BOTH)
    network = PeNetwork(network.config)  # dense
    rate = network.config.training.rate_shift(0)
    for part in range(2):
        step = StepProgram(network, Grid(4, SHAPE), search=False)
        assert network.random is not None
        network.random.order = word_order(step)
        memory = StepMemory(step)
        memory.put(network, rate)
        array = machine(memory)
        wind(array, network.random, network.config.training.rounding_seed)
        for n in range(2):
            images, labels = batch(network.config, 2 * part + n)
            memory.put_batch(images, labels)
            execute(array, step, random.Random(n))
            same(memory, network.train_step(images, labels, rate))
            same_weights(memory, network)
        network.prune()
    assert (network.random.taken > 0).all()


def test_words_of_a_lane_follow_each_other() -> None:
    """Two lanes of updates: word n of a lane is its seed's state after n steps, beyond the period too."""
    config = stochastic(fixed().config, gradients=False)
    words = RandomWords(config)
    numbers = np.array([[0, 1], [PERIOD, PERIOD - 1]])
    words.order = WordOrder({0: numbers * 2 + np.array([0, 1])}, PERIOD - 1, {}, 0)
    state = lane_seed([8, 9], 77)
    after = lfsr_step(state)
    before = state.copy()
    for _ in range(PERIOD - 1):
        before = lfsr_step(before)
    assert words.of_update(0).tolist() == [state[0], after[1], state[0], before[1]]
    words.updates_done()
    words.deltas_done()
    assert words.taken.tolist() == [PERIOD - 1, 0]
    assert words.of_update(0).tolist()[:2] == [before[0], state[1]]
    assert not len(words.of_delta(0, 0))


def test_every_word_of_a_step_is_used_once() -> None:
    """Every weight and every pixel has a word of its own; what is left over is what fills the blocks."""
    network = fixed(size=LARGE, **BOTH)
    step = StepProgram(network, Grid(4, SHAPE), search=False)
    order = word_order(step)
    weights = np.concatenate([each.reshape(-1) for each in (*order.updates.values(), *order.biases.values())])
    assert sorted(order.updates) == [0, 2, 4, 5]
    assert sorted(order.biases) == [2, 5]
    assert len(np.unique(weights)) == len(weights) < order.update_words * 2
    matrices = (*step.matrices.values(), *step.biases.values())
    assert order.update_words * 2 == sum(matrix.length for matrix in matrices)
    assert 0 <= weights.min() <= weights.max() < order.update_words * 2
    pixels = np.concatenate([each.reshape(-1) for passes in order.deltas.values() for each in passes])
    assert sorted(order.deltas) == [0, 1, 2, 3, 4]
    assert np.array_equal(np.sort(pixels), np.arange(order.delta_words))


@pytest.mark.parametrize("taken", [(0, 0), (4, 1), (0, 300), (2048, 512), (65534, 65534)])
def test_random_programs(taken: tuple[int, int]) -> None:
    """The lanes of an array after as many words as were taken."""
    words = RandomWords(stochastic(fixed().config))
    words.taken[:] = taken
    array = Machine(4, SHAPE, np.zeros(1024, dtype=np.uint8))
    count = wind(array, words, 77)
    assert count == 1 + (max(taken) > 0) if max(taken) < 5000 else 10 < count < 60
    for lanes, first, number in ((array.store.updates, 8, taken[0]), (array.store.outputs, 0, taken[1])):
        state = lane_seed(first + np.arange(len(lanes.state)), 77)
        for _ in range(number):
            state = lfsr_step(state)
        assert np.array_equal(lanes.state, state)


def test_requantising_maps() -> None:
    """The compiled loop against the model of the RTL's module, at all shifts."""
    rng = np.random.default_rng(3)
    for shift in range(32):
        acc = rng.integers(-(1 << min(shift + 8, 31)), 1 << min(shift + 8, 31), 300).astype(np.int32)
        random = rng.integers(1, 65536, 300).astype(np.uint16)
        want, clipped = requantise(acc, DrainSettings(shift), random)
        got = layers.requantise(acc, shift, random=random)
        assert np.array_equal(got.values, want)
        assert got.saturated == clipped.sum()
    with pytest.raises(ValueError, match="299 random words must be none or 300"):
        layers.requantise(acc, 3, random=random[1:])


@pytest.mark.parametrize("shift", [3, 7, 12, 18])
def test_the_mean_of_the_rounding_error_vanishes(shift: int) -> None:
    """Over steps of a network whose gradients never change: rounding half up would always err in the same direction."""
    config = stochastic(fixed(momentum=0).config, gradients=False)
    network = PeNetwork(config)
    step = StepProgram(network, Grid(4, SHAPE), search=False)
    assert network.random is not None
    network.random.order = word_order(step)
    rng = np.random.default_rng(1)
    errors = []
    gradient = rng.integers(-(1 << shift), 1 << shift, network.layer_weights(0).masters.size)
    for _ in range(200):
        words = network.random.of_update(0).astype(np.int64)
        addend = words << (shift - 16) if shift > 16 else words >> (16 - shift)
        errors.append(((gradient + addend) >> shift) - gradient / (1 << shift))
        network.random.updates_done()
    error = np.array(errors)
    assert np.abs(error).max() < 1
    deviation = np.sqrt(1 / 4 / error.size)  # of the mean, at most
    assert abs(error.mean()) < 4 * deviation
    assert np.abs(error.mean(axis=0)).max() < 6 * np.sqrt(1 / 4 / len(error))


def test_without_an_order_no_step_is_made() -> None:
    network = fixed(**BOTH)
    with pytest.raises(ValueError, match="needs the order of a program's words"):
        network.train_step(*batch(network.config, 0), 14)
    assert network.classify(batch(network.config, 0)[0]).shape == (8,)
    assert fixed().random is None


def test_seeds_and_kinds_of_rounding_differ() -> None:
    def masters(**keys: Any) -> bytes:
        network = fixed(**keys)
        if network.random:
            network.random.order = word_order(StepProgram(network, Grid(4, SHAPE), search=False))
        for n in range(2):
            network.train_step(*batch(network.config, n), 14)
        return network.layer_weights(0).masters.tobytes()

    kinds = [{}, {"update_rounding": "stochastic"}, {"gradient_rounding": "stochastic"}, BOTH,
             BOTH | {"rounding_seed": 4712}]  # fmt: skip
    assert len({masters(**keys) for keys in kinds}) == len(kinds)
    assert masters(**BOTH) == masters(**BOTH)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"update_rounding": "nearest"}, "training.update_rounding = 'nearest' must be one of half_up, stochastic"),
        ({"gradient_rounding": 1}, "training.gradient_rounding = 1 must be one of half_up, stochastic"),
        ({"rounding_seed": 0}, "training.rounding_seed = 0 must be 1 … 65535"),
        ({"rounding_seed": 65536}, "training.rounding_seed = 65536 must be 1 … 65535"),
        ({"update_rounding": "stochastic", "batch": 4}, "training.batch = 4 must be one of 8, 16"),
    ],
)
def test_refused_keys(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fixed(**keys)
