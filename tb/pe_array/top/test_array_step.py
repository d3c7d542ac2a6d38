# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/top/pe_array.v: whole training steps of a small network that round stochastically.

Expected is what the network's model gives, word by word with the random words that the array takes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.compiler.word_order import word_order
from models.pe_array.isa.encoding import encode
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.widths import STANDARD
from models.pe_array.network.config import LOSSES, PeConfig
from models.pe_array.network.layers import ACC_BITS
from models.pe_array.network.network import PeNetwork
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.array_cases import grid_of
from tb.pe_array.drivers.array_host import ArrayHost, fill
from tb.pe_array.drivers.hdl_widths import has_softmax, widths_of

_CLOCKS = 100_000
"""No step takes longer."""
STEPS = 2
KINDS = ("updates", "both", "gradients")
"""What is rounded stochastically."""


def pools(b: Bench) -> bool:
    """Whether drains pool."""
    return b.seed % 5 > 1


def network_of(b: Bench) -> PeNetwork:
    """A pruned network of every kind of layer; its sums are of so few products that 24 bits would hold them."""
    rng, widths = b.rng, widths_of(b)
    finer = widths.dropped - STANDARD.dropped + STANDARD.data - widths.data  # bits that updates shift less
    scales = {"weight_frac": 6, "out_frac": 4, "delta_frac": rng.randint(5, 7)}
    which = KINDS[b.seed % len(KINDS)]
    b.cover("step", which)
    rounding = {
        key: "stochastic" if which in (what, "both") else "half_up"
        for key, what in (("update_rounding", "updates"), ("gradient_rounding", "gradients"))
    }
    momentum = rng.choice([0, 3])
    document: dict[str, Any] = {
        "name": "step",
        "input": {"channels": 2, "height": 5, "width": 5, "frac": 6},
        "layers": [
            {"kind": "conv", "outputs": 3, "kernel": 2, "pad": 1, "density": 0.8, "bias": True, "clip": 3.0} | scales,
            {"kind": "max_pool" if pools(b) else rng.choice(["max_pool", "average_pool"]), "kernel": 2},
            {"kind": "conv", "outputs": 2, "kernel": 2} | scales,
            {"kind": "dense", "outputs": 5, "density": 0.5} | scales,
            {"kind": "dense", "outputs": 3, "weight_frac": 6, "out_frac": int(b.params["FRAC"]), "bias": True},
        ],
        "training": {
            "batch": int(b.params["B"]), "epochs": 1, "rate_shift": [rng.randint(13, 16) + finer],
            "momentum_shift": momentum, "nesterov": momentum > 0 and rng.random() < 0.5,
            "weight_decay_shift": rng.choice([0, rng.randint(4, 16)]),
            "loss": rng.choice(LOSSES if has_softmax(b) else ["sigmoid"]),
            "init_seed": rng.getrandbits(16), "order_seed": 1, "prune_at": 0,
            "rounding_seed": rng.randint(1, 65535), "fused": b.seed % 2 == 1,
        } | rounding,
    }  # fmt: skip
    document["array"] = {"data_bits": widths.data, "master_bits": widths.master, "wide": grid_of(b).wide}
    network = PeNetwork(PeConfig.from_dict(document))
    network.prune()
    return network


async def fill_memories(host: ArrayHost, grid: Grid, base: int) -> None:
    """Load all memories of the PEs with zeros."""
    program, memory = fill(grid, lambda _: base), np.zeros(host.size, dtype=np.uint8)
    code = np.frombuffer(encode(program), dtype=np.uint8)
    first, last = host.size - len(code) - len(code) % 64, base + host.size - 1  # where beats of up to 64 bytes begin
    memory[first : first + len(code)] = code
    await host.load(memory)
    await host.start(base + first, len(program), (base, last), (base, base), None)
    host.b.require(await host.finish(_CLOCKS) is None, "the fill was stopped")


@bench_test(timeout_clocks=STEPS * _CLOCKS)
async def steps(b: Bench) -> None:
    """Steps behind each other, the seed loaded before the first: maps, gradients, weights, and what lies between."""
    host, network, grid = ArrayHost(b), network_of(b), grid_of(b)
    training = network.config.training
    base, rate = 4096 * b.rng.randrange(1 << 19), training.rate_shift(0)
    step = StepProgram(
        network, replace(grid, shape=replace(grid.shape, acc_bits=ACC_BITS)), base=base, search=False, pooled=pools(b)
    )  # fmt: skip
    b.cover("step", "fused" if step.fused else "two_steps")
    spread = any(name.startswith("delta") for name in step.absent)
    b.cover("step", "spread" if spread else "pooled" if step.pools else "phases")
    assert network.random is not None
    network.random.order = word_order(step)
    memory = StepMemory(step, np.zeros(host.size, dtype=np.uint8))
    memory.put(network, rate)
    await host.reset(base, b.rng.random() < 0.5)
    await fill_memories(host, grid, base)
    for number in range(STEPS):
        images = b.np.integers(-128, 128, (*network.config.in_shape, training.batch), dtype=np.int8)
        labels = b.np.integers(0, network.config.classes, training.batch)
        memory.put_batch(images, labels)
        await host.load(memory.memory)
        seed = None if number else training.rounding_seed
        await host.start(step.address, step.length, step.read_window, step.write_window, seed)
        stop = await host.finish(_CLOCKS)
        b.require(stop is None, f"stopped: {stop}, {stop and step.descriptors[stop.index]}")
        memory.memory[:] = await host.dump()
        found, trace = memory.trace(), memory.in_memory(network.train_step(images, labels, rate))
        for name in ("outputs", "indices", "deltas", "gradients", "bias_gradients"):
            for layer, (got, want) in enumerate(zip(getattr(found, name), getattr(trace, name), strict=True)):
                b.equal(f"{name} of layer {layer}", got, want)
        for layer, (state, wanted) in enumerate(zip(memory.weights(), network.weights, strict=True)):
            if state and wanted:
                for name in ("masters", "momenta", "mac", "bias", "bias_momenta"):
                    b.equal(f"{name} of layer {layer}", getattr(state, name), getattr(wanted, name))
                b.require(not memory.gaps(layer).any(), f"weights between the blocks of layer {layer}")
