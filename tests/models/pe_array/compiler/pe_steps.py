# SPDX-License-Identifier: Apache-2.0
"""Training steps as programs on the machine, for the tests of steps."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from models.lib.toml_section import ConfigError
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.word_order import word_order
from models.pe_array.isa.descriptors import Descriptor, Engine
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.operations import After
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.shapes import Pair
from models.pe_array.machine.machine import Machine
from models.pe_array.network.config import PeConfig
from models.pe_array.network.network import PeNetwork
from models.pe_array.network.trace import Trace
from tests.models.pe_array.compiler.pe_races import needs, races

SHAPE = PeShape(8, 32, x_depth=256, y_depth=128, w_depth=64, e_depth=16, t_depth=64)
Batch = tuple[np.ndarray, np.ndarray]


def batch(config: PeConfig, seed: int) -> Batch:
    """Images and labels; among the labels also some that are no class."""
    rng = np.random.default_rng(seed)
    images = rng.integers(-128, 128, (*config.in_shape, config.training.batch), dtype=np.int8)
    return images, rng.integers(0, config.classes + 2, config.training.batch)


def machine(memory: StepMemory) -> Machine:
    """The array with that memory, and with its windows open as far as the program needs."""
    step = memory.step
    config = step.config
    made = Machine(
        step.grid.pes, step.grid.shape, memory.memory, step.allocation.base, config.logit_frac, widths=config.widths,
        wide=step.grid.wide,
    )  # fmt: skip
    made.memory.read_window, made.memory.write_window = step.read_window, step.write_window
    return made


def execute(array: Machine, step: StepProgram, order: random.Random | None, seed: int | None = None) -> None:
    stop = array.run(step.address, step.length, seed, order)
    assert stop is None, (stop, step.descriptors[stop.index])


def same(memory: StepMemory, expected: Trace) -> None:
    got, want = memory.trace(), memory.in_memory(expected)
    for name in ("inputs", "outputs", "indices", "deltas", "gradients", "bias_gradients"):
        for layer, (a, b) in enumerate(zip(getattr(got, name), getattr(want, name), strict=True)):
            assert (a.dtype, a.shape) == (b.dtype, b.shape), (name, layer)
            assert np.array_equal(a, b), (name, layer)


def same_weights(memory: StepMemory, network: PeNetwork) -> None:
    for layer, (a, b) in enumerate(zip(memory.weights(), network.weights, strict=True)):
        assert (a is None) == (b is None)
        if a and b:
            for name in ("masters", "momenta", "mac", "bias", "bias_momenta"):
                got, want = getattr(a, name), getattr(b, name)
                assert got.dtype == want.dtype, (name, layer)
                assert np.array_equal(got, want), (name, layer)
            assert not memory.gaps(layer).any()


def train(network: PeNetwork, step: StepProgram, steps: int, seed: int = 0) -> StepMemory:
    """Steps of the machine and of the network's model side by side, the first one in order; everything is compared.

    What the first one touches tells whether its program keeps all orders that matter.
    """
    memory = StepMemory(step)
    rate = network.config.training.rate_shift(0)
    memory.put(network, rate)
    array = machine(memory)
    first = step.write_window[0] - step.allocation.base
    last = step.write_window[1] + 1 - step.allocation.base
    if network.random:
        network.random.order = word_order(step)
    for n in range(steps):
        images, labels = batch(network.config, 100 * seed + n)
        memory.put_batch(images, labels)
        before, clipped = memory.memory.copy(), network.saturations.sum(axis=1)
        if n:
            execute(array, step, random.Random(seed))
        else:
            needed = needs(array, step, network.config.training.rounding_seed)
            assert races(step.descriptors, needed) == []
        expected = network.train_step(images, labels, rate)
        same(memory, expected)
        same_weights(memory, network)
        forward, backward, update = network.saturations.sum(axis=1) - clipped
        assert array.clipped.outputs == forward + backward
        assert array.clipped.masters + array.clipped.momenta == update
        assert np.array_equal(before[:first], memory.memory[:first])
        assert np.array_equal(before[last:], memory.memory[last:])
    return memory


def values(rng: random.Random, layers: list[dict[str, Any]], lanes: int = 8, momentum: int = 0) -> dict[str, Any]:
    return {
        "name": "random",
        "input": {
            "channels": rng.randint(1, 4), "height": rng.randint(1, 11), "width": rng.randint(1, 11), "frac": 6,
        },
        "layers": layers,
        "training": {
            "batch": lanes, "epochs": 1, "rate_shift": [rng.randint(13, 17)], "momentum_shift": momentum,
            "init_seed": rng.randint(0, 999), "order_seed": 1, "prune_at": 0, "validation": 0,
        },
    }  # fmt: skip


def random_layer(rng: random.Random, kind: str) -> dict[str, Any]:
    layer: dict[str, Any] = {"kind": kind}
    if kind != "dense":
        layer |= {
            "kernel": rng.randint(1, 4), "stride": rng.randint(1, 3), "pad": rng.randint(0, 2),
            "dilation": rng.choice([1, 1, 2]),
        }  # fmt: skip
    if "pool" not in kind:
        groups = rng.choice([1, 1, 2]) if kind == "conv" else 1
        layer |= {
            "outputs": groups * rng.randint(1, 7), "relu": rng.random() < 0.7, "weight_frac": rng.randint(5, 7),
            "out_frac": rng.randint(3, 5), "delta_frac": rng.randint(5, 8), "density": rng.choice([0.2, 0.5, 1.0]),
            "bias": rng.random() < 0.5,
        }  # fmt: skip
        if kind == "conv":
            layer["groups"] = groups
        if layer["relu"] and rng.random() < 0.5:
            layer["clip"] = rng.choice([0.5, 1.5, 3.0, 16.0])
    return layer


def random_config(rng: random.Random, kinds: list[str]) -> PeConfig:
    """A legal configuration with these layers and a last one."""
    while True:
        last = {"kind": "dense", "outputs": rng.randint(1, 12), "weight_frac": 6, "out_frac": rng.randint(3, 5)}
        last["bias"] = rng.random() < 0.5
        layers = [*(random_layer(rng, kind) for kind in kinds), last | {"density": rng.choice([0.3, 1.0])}]
        try:
            return PeConfig.from_dict(values(rng, layers, rng.choice([8, 8, 8, 16]), rng.choice([0, 2, 5])))
        except ConfigError:
            continue


KINDS = [
    [],
    ["dense"],
    ["conv", "max_pool"],
    ["conv", "average_pool"],
    ["max_pool", "conv"],
    ["average_pool", "max_pool", "dense"],
    ["conv", "conv", "dense"],
    ["conv", "max_pool", "conv", "average_pool"],
    ["conv", "dense", "dense"],
]
CONV = {
    "kind": "conv", "outputs": 6, "kernel": 3, "pad": 1, "weight_frac": 6, "out_frac": 4, "delta_frac": 6,
    "density": 0.5,
}  # fmt: skip
LARGE = (16, 17)
"""A map that needs strips."""


def fixed(momentum: int = 3, size: Pair = (9, 8), widths: Pair = (8, 24), wide: int = 1, **keys: Any) -> PeNetwork:
    """Conv, pooling, conv, pooling, dense, dense; pruned."""
    layers = [
        CONV,
        {"kind": "max_pool", "kernel": 2},
        CONV | {"outputs": 5, "bias": True},
        {"kind": "average_pool", "kernel": 3, "stride": 2},
        {"kind": "dense", "outputs": 9, "weight_frac": 6, "out_frac": 4, "delta_frac": 6, "density": 0.4},
        {"kind": "dense", "outputs": 10, "weight_frac": 6, "out_frac": 4, "bias": True},
    ]
    document = values(random.Random(1), layers, momentum=momentum)
    document["input"] |= {"channels": 2, "height": size[0], "width": size[1]}
    document["training"] |= {"rate_shift": [14, 15]} | keys
    document["array"] = {"data_bits": widths[0], "master_bits": widths[1], "wide": wide}
    network = PeNetwork(PeConfig.from_dict(document))
    network.prune()
    return network


def hasty(step: StepProgram, change: Callable[[Descriptor], After | None]) -> bytes:
    """The program with some waits changed."""
    made = [(each, change(each)) for each in step.descriptors]
    assert any(after not in (None, each.after) for each, after in made)
    return encode([each if after is None else replace(each, after=after) for each, after in made])


class Favour(random.Random):
    """An order in which the engine goes on that comes first in a list, wherever it can."""

    def __init__(self, *first: Engine) -> None:
        super().__init__(0)
        self._first = [Engine.FETCH, *first]

    def choices(self, population: Any, *args: Any, **keys: Any) -> list[Any]:
        return [min(population, key=self._first.index)]
