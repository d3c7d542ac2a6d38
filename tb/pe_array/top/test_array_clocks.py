# SPDX-License-Identifier: Apache-2.0
"""Bench of pe_array.v: with a steady memory a program takes the clocks that ``clocks.pe_array`` predicts.

So do its engines: clocks in which each is not idle, entries issued, clocks in which one waits, and beats read and
written, are all equal.
"""

from __future__ import annotations

from dataclasses import replace

from models.pe_array.clocks.pe_array import ArrayClocks
from models.pe_array.compiler.assemble import chain
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.operations import CommandField
from models.pe_array.isa.pe_command import Op
from models.pe_array.isa.registers import Counter
from models.pe_array.isa.sizes import Sizes
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.array_cases import KINDS, CaseMemory
from tb.pe_array.drivers.array_host import ArrayHost

_CLOCKS = 60_000
"""No program takes longer."""


class Session:
    """The array, its memory and its clocks; all go on where the last program left them."""

    def __init__(self, b: Bench) -> None:
        self.b, self.host, self.memory = b, ArrayHost(b), CaseMemory(b)
        sizes, self._later = Sizes.of(b.params), b.rng.choice([0, b.rng.randint(1, 60)])
        self.model = ArrayClocks(self.memory.grid, replace(sizes, latency=sizes.latency + self._later))

    async def begin(self) -> None:
        """Reset; fill the PEs' memories."""
        self.b.cover("memory", "steady")
        self.b.drive(later=self._later)
        await self.host.reset(self.memory.base, stalls=False)
        await self.run("load", self.memory.garbage())

    async def run(self, name: str, made: list[d.Descriptor]) -> None:
        """Run a program, of this name in messages and among the coverage points."""
        b, host, memory = self.b, self.host, self.memory
        b.cover("clocks", name)
        address = memory.program(made)
        expected = self.model.run(address, made, memory.data, memory.base)
        await host.load(memory.data)
        await host.start(address, len(made), *memory.windows, b.rng.getrandbits(16))
        stop = await host.finish(_CLOCKS)
        b.require(stop is None, f"stopped: {stop}, {stop and made[stop.index]}")
        counted, groups = await host.counters(), await host.groups()
        memory.data[:] = await host.dump()
        memory.empty()
        for counter, value in {
            Counter.CLOCKS: expected.clocks,
            Counter.BUSY_PES: expected.busy,
            Counter.STALL_PES: expected.stalls,
            Counter.LOAD_CLOCKS: expected.load_clocks,
            Counter.COMPUTE_CLOCKS: expected.compute_clocks,
            Counter.STORE_CLOCKS: expected.store_clocks,
            Counter.FETCH_BEATS: expected.fetch_beats,
            Counter.LOAD_BEATS: expected.load_beats,
            Counter.STORE_BEATS: expected.store_beats,
            Counter.WRITTEN_BEATS: expected.written_beats,
        }.items():
            b.equal(f"{name}: {counter.name}", counted[counter], value)
        for what, pes, got in (
            ("busy", expected.pe_busy, [group.busy for group in groups]),
            ("stalled", expected.pe_stalls, [group.stalled for group in groups]),
        ):
            each = len(pes) // len(groups)
            sums = [sum(pes[first : first + each]) for first in range(0, len(pes), each)]
            b.equal(f"{name}: {what} PE clocks of the groups", got, sums)

    def command(self, op: Op) -> list[d.Descriptor]:
        """A command that clears some words and has no element."""
        everyone = (1 << self.memory.grid.pes) - 1
        fields = {CommandField.ELEMENTS: 0, CommandField.TAPS: 1, CommandField.CLEAR: self.b.rng.randint(0, 20)}
        return [*(d.Set(field, value, everyone) for field, value in fields.items()), d.Compute(op)]

    def update(self) -> list[d.Descriptor]:
        """New weights, with momenta or without."""
        rng, memory, beats = self.b.rng, self.memory, self.b.rng.choice([1, 4, self.b.rng.randint(2, 40)])
        words = memory.grid.wide * beats  # of B bytes
        masters, momenta = (memory.out(1, 4, words).address for _ in range(2))
        arrays_log2 = rng.choice([0, 0, 1, 2])
        return [
            d.Update(
                memory.map(1, 4 << arrays_log2, words).address, masters, memory.out(1, 1, words).address, beats,
                rng.randint(0, 31), rng.random() < 0.5, rng.choice([0, rng.randint(1, 15)]), momenta,
                rng.random() < 0.5, rng.choice([0, rng.randint(1, 31)]), arrays_log2,
            )
        ]  # fmt: skip


@bench_test(timeout_clocks=200_000)
async def clocks_of_operations(b: Bench) -> None:
    """Programs of one operation, and of many short ones."""
    session = Session(b)
    memory, rng = session.memory, b.rng
    await session.begin()

    def stream(beats: int) -> d.Descriptor:
        return d.Stream(0, memory.map(1, 1, beats).address, beats, 0, rng.getrandbits(memory.grid.pes))

    def load_map(most: int) -> d.Descriptor:
        channels, rows, width = rng.randint(1, most), rng.randint(1, most), rng.randint(1, most)
        at = memory.map(channels, rows, width).address
        y, everyone, slot = rng.random() < 0.5, rng.random() < 0.5, rng.randrange(memory.grid.pes)
        return d.Map(at, channels * rows * width, 1, 0, width, channels, 0, 0, rows, y=y, all=everyone, slot=slot)

    def window() -> d.Descriptor:
        x, y = (0, rng.randint(1, 4)), (rng.randint(0, 2), rng.randint(1, 4))
        return d.Window(rng.randrange(memory.grid.pes), rng.randrange(memory.grid.pes), x, y, x, y)

    await session.run("stream", [stream(rng.choice([1, 2, 16, rng.randint(1, memory.grid.shape.w_depth)]))])
    await session.run("map", [load_map(5)])
    await session.run("window", [window()])
    await session.run("loads", [rng.choice([stream(1), stream(3), load_map(3), window()]) for _ in range(25)])
    await session.run("compute", session.command(rng.choice([Op.MAC, Op.MAX, Op.UNPOOL])))
    for beside in ("nothing", "mask", "addend", "biases", "full"):
        await session.run(f"drain_{beside}", memory.scaled_drain(beside))
    for kind in ("largest", "places", "spread"):
        await session.run(f"drain_{kind}", memory.pooled_drain(kind))
    await session.run("delta", memory.delta())
    await session.run("update", session.update())
    drains = [memory.scaled_drain, memory.scaled_drain, memory.pooled_drain]
    parts = rng.choices([*drains, memory.delta, session.update, session.update], k=8)
    await session.run("stores", [each for part in parts for each in part()])


@bench_test(timeout_clocks=400_000)
async def clocks_of_layers(b: Bench) -> None:
    """Random phases of layers of all kinds, with updates; and programs of several."""
    session = Session(b)
    await session.begin()
    for kind in [*KINDS, *KINDS][2 * b.seed % len(KINDS) :][:3]:
        await session.run("layer", session.memory.layer(kind, 150))
    await session.run("wg", session.memory.layer("wg", 150))
    for _ in range(2):
        await session.run("learn", session.memory.layer("learn", 150))
    wg = session.memory.layer("wg", 150)
    await session.run("add", [replace(each, add=True) if isinstance(each, d.Collect) else each for each in wg])
    await session.run("small", session.memory.small())
    parts = [session.memory.layer(kind, 80) for kind in b.rng.sample(KINDS, 2)]
    await session.run("several", chain([*parts, session.memory.delta()]))
