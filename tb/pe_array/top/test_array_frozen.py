# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/top/pe_array.v: random networks that somebody else trained, run once on a batch.

Expected is every map of the network's model, and the clocks that are predicted for the program.
"""

from __future__ import annotations

import numpy as np

from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.clocks.step import predicted
from models.pe_array.compiler.step_memory import StepMemory
from models.pe_array.compiler.step_program import StepProgram
from models.pe_array.isa.registers import Counter
from models.pe_array.isa.sizes import Sizes
from models.pe_array.network.frozen.network import FrozenNetwork
from models.pe_array.network.frozen.random_networks import images, random_network
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.array_cases import grid_of
from tb.pe_array.drivers.array_host import ArrayHost
from tb.pe_array.top.test_array_step import fill_memories

_CLOCKS = 400_000
"""No network takes longer."""
NETWORKS = 3


def program_of(b: Bench, host: ArrayHost, base: int) -> tuple[FrozenNetwork, StepProgram]:
    """A network whose layers fit in the PEs, and whose program fits in the memory."""
    grid = grid_of(b)
    while True:
        network = random_network(b.rng.getrandbits(32), steps=3, pes=grid.pes, batch=grid.shape.lanes, most=7)
        try:
            step = StepProgram(network, grid, training=False, base=base, search=False, pooled=b.rng.random() < 0.8)
        except ValueError:
            continue
        if step.allocation.size <= host.size:
            return network, step


@bench_test(timeout_clocks=NETWORKS * _CLOCKS)
async def frozen(b: Bench) -> None:
    """Networks behind each other: every map, and all counters of clocks."""
    host, grid = ArrayHost(b), grid_of(b)
    base = 4096 * b.rng.randrange(1 << 19)
    clocks = ArrayClocks(grid, Sizes.of(b.params))
    b.drive(later=0)
    await host.reset(base, stalls=False)
    await fill_memories(host, grid, base)
    for number in range(NETWORKS):
        network, step = program_of(b, host, base)
        memory = StepMemory(step, np.zeros(host.size, dtype=np.uint8))
        memory.put(network)
        given = images(network, b.rng.getrandbits(32))
        memory.put_batch(given)
        for each in network.config.layers:
            b.cover("frozen", each.kind)
        for what, there in {
            "halo": any(any(each.halo) for each in step.storage.maps.values()),
            "copy": bool(step.storage.copies),
            "part": any(each.channel for each in step.storage.maps.values()),
        }.items():
            b.cover("frozen", what if there else f"no_{what}")
        await host.load(memory.memory)
        expected = clocks.run(step.address, step.descriptors, memory.memory, base)
        await host.start(step.address, step.length, step.read_window, step.write_window, None)
        stop = await host.finish(_CLOCKS)
        b.require(stop is None, f"stopped: {stop}, {stop and step.descriptors[stop.index]}")
        counted = await host.counters()
        memory.memory[:] = await host.dump()
        want = network.forward(given)
        for layer, (got, map) in enumerate(zip(memory.trace().outputs, want.outputs, strict=True)):
            if f"output{layer}" not in step.absent:
                b.equal(f"output of layer {layer} of network {number}", got, map)
        for name, value in predicted(expected).items():
            b.equal(f"{name} of network {number}", counted[Counter[name]], value)
