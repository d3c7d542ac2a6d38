# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/top/pe_array.v: programs from memory to memory against the machine, all of memory compared."""

from __future__ import annotations

import numpy as np

from models.pe_array.compiler.assemble import chain
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import BYTES, Cause, Engine
from models.pe_array.isa.registers import ArrayReg, Control, Counter
from models.pe_array.machine.machine import Machine
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.array_cases import KINDS, CaseMemory
from tb.pe_array.drivers.array_faults import FAULTS, make_faulty
from tb.pe_array.drivers.array_host import ArrayHost
from tb.pe_array.drivers.array_registers import SETTINGS, GroupCount, constants
from tb.pe_array.drivers.hdl_widths import has_multipliers, has_softmax, widths_of

_CLOCKS = 60_000
"""No program takes longer."""


class Session:
    """Host, memory and model of a test; the memory goes on where the last program left it."""

    def __init__(self, b: Bench) -> None:
        self.b, self.host, self.memory = b, ArrayHost(b), CaseMemory(b)
        grid = self.memory.grid
        self.machine = Machine(
            grid.pes,
            grid.shape,
            self.memory.data,
            self.memory.base,
            int(b.params["FRAC"]),
            widths=widths_of(b),
            scale=has_multipliers(b),
            softmax=has_softmax(b),
            wide=grid.wide,
        )
        self.seeded = False

    async def begin(self, stalls: bool) -> None:
        """Reset."""
        self.b.cover("memory", "stalls" if stalls else "steady")
        await self.host.reset(self.memory.base, stalls)
        await self.check_registers()
        await self.run(self.memory.garbage())

    async def check_registers(self) -> None:
        """Constants, and every bit of the settings."""
        b, host = self.b, self.host
        for address, value in constants({**b.params}).items():
            b.equal("constants", await host.read(address), value)
        for register, bits in SETTINGS.items():
            some = b.rng.getrandbits(bits) | 1
            for value in (some, (1 << bits) - 1 ^ some | int(register == ArrayReg.LENGTH), some):
                await host.write(register, value)
                b.equal("settings", await host.read(register), value)

    def seed(self) -> int | None:
        """A seed, or None to go on with the random words."""
        if self.seeded and self.b.rng.random() < 0.3:
            return None
        self.seeded = True
        return self.b.rng.getrandbits(16)

    async def run(self, made: list[d.Descriptor]) -> None:
        """Run a program that must come to its end; compare memory and counters."""
        b, host, memory, machine = self.b, self.host, self.memory, self.machine
        address, seed = memory.program(made), self.seed()
        self.open_windows()
        window = machine.memory
        await host.load(memory.data)
        await host.start(address, len(made), window.read_window, window.write_window, seed)
        b.require(
            machine.run(address, len(made), seed) is None,
            "the model stops",
        )
        stop = await host.finish(_CLOCKS)
        b.require(stop is None, f"stopped: {stop}, {stop and made[stop.index]}")
        compare(b, "memory", memory.data, await host.dump(), memory.base)
        self.compare_counters(await host.counters(), await host.groups(), len(made))
        memory.empty()

    async def stopped(self, name: str) -> None:
        """Run a program with a fault: cause, engine and descriptor are the machine's, nothing else is written."""
        b, host, memory, machine = self.b, self.host, self.memory, self.machine
        made = memory.small()
        faulty = make_faulty(memory, b.rng, name, made)
        self.open_windows()
        window, before = machine.memory, memory.data.copy()
        await host.load(before)
        if (fault := faulty.fault) is not None:
            window.faults = [fault]
            reading = fault.cause in (Cause.READ_SLVERR, Cause.READ_DECERR)
            slverr = fault.cause in (Cause.READ_SLVERR, Cause.WRITE_SLVERR)
            host.faults(fault.first, fault.last, 2 if slverr else 3, reading, not reading)
        seed = b.rng.getrandbits(16)
        await host.start(faulty.address, len(made), window.read_window, window.write_window, seed)
        if name == "host":
            await b.clocks(b.rng.choice([1, b.rng.randint(1, 100), b.rng.randint(100, 1000)]))
            await host.write(ArrayReg.CONTROL, Control.STOP)
        stop = await host.finish(_CLOCKS)
        after, closed = await host.dump(), memory.high - memory.base
        compare(b, "memory outside the window", before[:closed], after[:closed], memory.base)
        late = name == "host" and stop is None  # the program had come to its end before the stop
        expected = machine.run(faulty.address, len(made), seed, stop_after=0 if name == "host" and not late else None)
        b.require(stop == expected, f"{name}: stopped by {stop}, not {expected}: {made}")
        if late:
            compare(b, "memory", memory.data, after, memory.base)
        host.faults()
        window.faults = []
        memory.data[:] = after
        memory.empty()
        self.seeded = False

    def open_windows(self) -> None:
        """Read everything but the ends, write what is to be written."""
        window = self.machine.memory
        window.read_window, window.write_window = self.memory.windows

    def compare_counters(self, got: dict[Counter, int], groups: list[GroupCount], length: int) -> None:
        """What the machine counts, and limits for the rest."""
        b, machine, memory = self.b, self.machine, self.machine.memory
        expected = {
            Counter.BUSY_PES: int(machine.grid.issued.sum()),
            Counter.FETCH_BEATS: -(-length * BYTES // memory.lanes),
            Counter.LOAD_BEATS: memory.read_beats[Engine.LOAD],
            Counter.STORE_BEATS: memory.read_beats[Engine.STORE],
            Counter.WRITTEN_BEATS: memory.written_beats[Engine.STORE],
            Counter.LOADS: machine.operations[Engine.LOAD],
            Counter.COMPUTES: machine.operations[Engine.COMPUTE],
            Counter.STORES: machine.operations[Engine.STORE],
            Counter.CLIPPED_OUTPUTS: machine.clipped.outputs,
            Counter.CLIPPED_MASTERS: machine.clipped.masters,
            Counter.CLIPPED_MOMENTA: machine.clipped.momenta,
            Counter.CLIPPED_WEIGHTS: machine.clipped.weights,
        }
        for counter, value in expected.items():
            b.equal(counter.name, got[counter], value)
        clocks = got[Counter.CLOCKS]
        engines = (Counter.LOAD_CLOCKS, Counter.COMPUTE_CLOCKS, Counter.STORE_CLOCKS)
        b.require(all(got[each] <= clocks for each in engines), got)
        b.equal(
            "busy PE clocks of the groups",
            [group.busy for group in groups],
            machine.grid.issued.reshape(len(groups), -1).sum(axis=1),
        )
        b.equal("PE clocks stalled", sum(group.stalled for group in groups), got[Counter.STALL_PES])
        of_group = clocks * self.memory.grid.pes // len(groups)
        b.require(all(group.busy + group.stalled <= of_group for group in groups), groups)


def compare(b: Bench, what: str, expected: np.ndarray, got: np.ndarray, base: int) -> None:
    """All bytes of the memory."""
    wrong = np.flatnonzero(expected != got)
    b.expect(what, 0)
    if len(wrong):
        first = f"{got[wrong[:8]]}, not {expected[wrong[:8]]}"
        raise AssertionError(f"{what}: {len(wrong)} bytes differ; from {base + int(wrong[0]):#x} on {first}")
    b.got(what, 0)


@bench_test(timeout_clocks=400_000)
async def single_layers(b: Bench) -> None:
    """Layers of all kinds, a program each."""
    session = Session(b)
    await session.begin(b.rng.random() < 0.5)
    for kind in [*KINDS, *KINDS][b.seed % len(KINDS) :][:4]:
        b.cover("kind", kind)
        await session.run(session.memory.layer(kind, 200))


@bench_test(timeout_clocks=400_000)
async def several_layers(b: Bench) -> None:
    """One program of several layers."""
    session = Session(b)
    await session.begin(b.rng.random() < 0.5)
    parts = [session.memory.layer(kind, 150) for kind in b.rng.sample(KINDS, 3)]
    parts.insert(b.rng.randint(0, 3), session.memory.delta())
    await session.run(chain(parts))


@bench_test(timeout_clocks=400_000)
async def faults(b: Bench) -> None:
    """Programs that are stopped; a good one runs after each."""
    session = Session(b)
    await session.begin(b.rng.random() < 0.5)
    for n in range(3):
        name = FAULTS[(3 * b.seed + n) % len(FAULTS)]
        b.cover("fault", name)
        await session.stopped(name)
        await session.run(session.memory.layer(b.rng.choice(KINDS), 60))
