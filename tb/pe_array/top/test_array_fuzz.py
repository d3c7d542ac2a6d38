# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/top/pe_array.v: random descriptors, and programs with one corruption anywhere.

A good program must leave the memory that the machine leaves. Of a corrupted one the machine says, in many legal orders,
how it may end. Where its rules are broken in a way that nobody checks (it may wait for ever), the host stops it.
In every case nothing but the window for writing changes, and a good program runs right behind it.
"""

from __future__ import annotations

from random import Random

import numpy as np

from models.pe_array.isa import descriptors as d
from models.pe_array.isa.descriptors import BYTES, Cause
from models.pe_array.isa.encoding import DescriptorError, unpack
from models.pe_array.isa.registers import ArrayReg, ArrayStatus, Control, Counter
from models.pe_array.machine.machine import Machine, Stop
from models.pe_array.machine.memory import BusFault
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.array_cases import CaseMemory
from tb.pe_array.drivers.array_fuzz import FuzzProgram
from tb.pe_array.drivers.array_host import ArrayHost
from tb.pe_array.drivers.hdl_widths import has_multipliers, has_softmax, widths_of

_PATIENCE = (3_000, 5_000, 30_000)
"""Clocks that are waited for a program, one after the other."""
_ENTRIES = 20_000
"""Corrupted programs in which a PE issues more are not run."""
_FLIPS = 6
"""Corrupted programs of a seed, each with a bit of the next word."""
_CAUSES = (None, Cause.READ_SLVERR, Cause.READ_DECERR, Cause.WRITE_SLVERR, Cause.WRITE_DECERR)
"""Of bad data; None: wrong bytes."""
_ORDERS = 12
"""In which the machine executes a corrupted program."""
_HARMLESS = {
    "shift", "relu", "stochastic", "swap", "ebase", "wbase", "xbase", "wstride", "base", "word", "slot", "all", "decay",
    "bias", "bias_shift", "multiplier", "even", "zero", "low", "high", "mask_high", "addend_zero", "addend_multiplier",
    "addend_shift", "near_half", "x_columns", "x_rows", "y_columns", "y_rows", "elements", "row_max", "col_max",
    "coordinates", "check", "limited",
}  # fmt: skip
"""Fields that change what is computed, but not who waits for whom."""

Ending = Stop | str | None
"""Of a program: stopped, the rule that it breaks and nobody checks, or its end."""


class Fuzz:
    """The array, its memory, and programs in it, each with everything that it uses."""

    def __init__(self, b: Bench) -> None:
        self.b, self.host, self.memory = b, ArrayHost(b), CaseMemory(b)
        self.fault: BusFault | None = None

    async def begin(self) -> None:
        """Reset."""
        stalls = self.b.rng.random() < 0.6
        self.b.cover("memory", "stalls" if stalls else "steady")
        await self.host.reset(self.memory.base, stalls)

    def make(self, length: int) -> tuple[FuzzProgram, int]:
        """A program in a memory that is otherwise random, and its address."""
        memory = self.memory
        memory.empty()
        memory.data[:] = self.b.np.integers(0, 256, len(memory.data))
        made = FuzzProgram(memory, length)
        return made, memory.program(made.made)

    def machine(self) -> Machine:
        """An array of its own, with a copy of the memory."""
        memory, grid = self.memory, self.memory.grid
        frac, widths = int(self.b.params["FRAC"]), widths_of(self.b)
        machine = Machine(
            grid.pes, grid.shape, memory.data.copy(), memory.base, frac, widths=widths,
            scale=has_multipliers(self.b), softmax=has_softmax(self.b), wide=grid.wide,
        )  # fmt: skip
        machine.memory.read_window, machine.memory.write_window = memory.windows
        machine.memory.faults = [] if self.fault is None else [self.fault]
        return machine

    def endings(self, address: int, length: int, seed: int) -> tuple[set[Ending], np.ndarray | None]:
        """How the program may end, and what is then in memory if that is always the same; entries are limited.

        Raises:
            OverflowError: a PE would issue too many entries.
        """
        found: set[Ending] = set()
        memories: list[np.ndarray] = []
        for n in range(_ORDERS):
            machine = self.machine()
            try:
                found.add(machine.run(address, length, seed, Random(n) if n else None))
            except ValueError as broken:
                found.add(str(broken))
            if machine.grid.issued.max() > _ENTRIES:
                raise OverflowError
            memories.append(machine.memory.data)
        same = all((each == memories[0]).all() for each in memories[1:])
        return found, memories[0] if same else None

    async def play(self, address: int, length: int, seed: int, stop_after: int | None = None) -> tuple[Ending, bool]:
        """Run the program; how it ended, and whether the host had to stop it."""
        host, memory = self.host, self.memory
        await host.load(memory.data)
        await host.start(address, length, *memory.windows, seed)
        for clocks in _PATIENCE:
            await self.b.sleep(clocks)
            if not await host.read(ArrayReg.STATUS) & ArrayStatus.BUSY:
                return await host.finish(200), False
        counts = await host.counters()
        done = [counts[each] for each in (Counter.LOADS, Counter.COMPUTES, Counter.STORES)]
        self.b.log(f"stopped by the host after so many loads, computes and stores: {done}")
        await host.write(ArrayReg.CONTROL, Control.STOP)
        return await host.finish(2_000), True

    async def good(self, length: int) -> None:
        """A random program that must come to its end with the memory of the machine."""
        b = self.b
        made, address = self.make(length)
        seed, machine = b.rng.getrandbits(16), self.machine()
        b.require(
            machine.run(address, len(made.made), seed) is None,
            "the model stops",
        )
        ended, stopped = await self.play(address, len(made.made), seed)
        b.require((ended, stopped) == (None, False), f"{ended}, stopped by the host: {stopped}: {made.made}")
        self.compare(machine.memory.data, await self.host.dump(), made.made)
        for each in made.made:
            b.cover("descriptor", type(each).__name__.lower())

    async def corrupted(self, address: int, made: list[d.Descriptor], what: str, compares: bool, waits: bool) -> None:
        """Play a program with a fault.

        Args:
            compares: it may be compared if it comes to its end.
            waits: a COLLECT may wait for its COMPUTE, which the machine does not mind.
        """
        b, length, seed = self.b, len(made), self.b.rng.getrandbits(16)
        endings, after = self.endings(address, length, seed)
        unchecked = waits or any(isinstance(each, str) for each in endings)
        b.cover("ending", "unchecked" if unchecked else "end" if None in endings else "stop")
        ended, stopped = await self.play(address, length, seed)
        got, before = await self.host.dump(), self.memory.data
        closed = self.memory.high - self.memory.base
        wrong = np.flatnonzero(got[:closed] != before[:closed])
        b.equal("bytes outside the window", len(wrong), 0)
        outside = self.memory.last + 1 - self.memory.base
        b.require((got[outside:] == before[outside:]).all(), f"{what}: written behind the window")
        if stopped:
            assert isinstance(ended, Stop)
            b.require(ended.cause == Cause.HOST, f"{what}: {ended}")
            b.require(unchecked, f"{what}: it did not come to its end, expected {endings}")
        elif not unchecked:
            b.require(ended in endings, f"{what}: {ended}, expected {endings}")
            if ended is None and compares and after is not None:
                b.cover("ending", "compared")
                self.compare(after, got, [what])

    def compare(self, expected: np.ndarray, got: np.ndarray, made: object) -> None:
        """All of the memory."""
        wrong = np.flatnonzero(expected != got)
        self.b.expect("memory", 0)
        if len(wrong):
            first = self.memory.base + int(wrong[0])
            raise AssertionError(f"{len(wrong)} bytes differ, the first at {first:#x}: {made}")
        self.b.got("memory", 0)


@bench_test(timeout_clocks=1_000_000)
async def random_descriptors(b: Bench) -> None:
    """Programs of random descriptors."""
    fuzz = Fuzz(b)
    await fuzz.begin()
    for _ in range(3):
        await fuzz.good(b.rng.randint(10, 50))


@bench_test(timeout_clocks=1_000_000)
async def flipped_bits(b: Bench) -> None:
    """One bit of a program is wrong, in any word of any descriptor."""
    fuzz = Fuzz(b)
    await fuzz.begin()
    memory, rng = fuzz.memory, b.rng
    cases = 0
    while cases < _FLIPS:
        if rng.random() < 0.3:
            memory.empty()
            made, first = [*memory.garbage(), *memory.small()], 0
            address = memory.program(made)
        else:
            random, address = fuzz.make(rng.randint(3, 25))
            made, first = random.made, random.prologue
        at, bit = rng.randrange(len(made)), 32 * ((b.seed * _FLIPS + cases) % 8) + rng.randrange(32)
        place = address - memory.base + BYTES * at + bit // 8
        memory.data[place] ^= 1 << bit % 8
        word = int.from_bytes(memory.data[address - memory.base + BYTES * at :][:BYTES].tobytes(), "little")
        try:
            after = unpack(word)
        except DescriptorError:
            changed = {"opcode"}
        else:
            changed = {"opcode"} if type(after) is not type(made[at]) else differing(made[at], after)
        try:
            compares = at >= first > 0 and changed <= _HARMLESS
            what = f"bit {bit} of descriptor {at}, {made[at]}, flipped"
            await fuzz.corrupted(address, made, what, compares, waits="after" in changed)
        except OverflowError:
            continue
        cases += 1
        b.cover("flip", bit // 32)
        await fuzz.good(rng.randint(1, 8))


def differing(one: d.Descriptor, other: d.Descriptor) -> set[str]:
    """Names of the fields that differ."""
    return {name for name in vars(one) if getattr(one, name) != getattr(other, name)}


@bench_test(timeout_clocks=1_000_000)
async def bad_data(b: Bench) -> None:
    """Pointers, coordinates, taps and whatever else is read have wrong bytes; or the bus answers with an error."""
    fuzz = Fuzz(b)
    await fuzz.begin()
    memory, rng = fuzz.memory, b.rng
    cases = 0
    while cases < len(_CAUSES):
        memory.empty()
        made = [*memory.garbage(), *memory.small()]
        address = memory.program(made)
        cause = _CAUSES[cases]
        if cause is None:
            what = "bytes"
            arrays = [each.address for each in made if isinstance(each, d.Stream | d.Pointers)]
            for _ in range(rng.choice([1, 1, 5])):
                at = rng.choice(arrays) - memory.base + rng.randrange(2 * memory.lanes)
                memory.data[at] = rng.randrange(256)
        else:
            what, reading = cause.name, cause in (Cause.READ_SLVERR, Cause.READ_DECERR)
            low, high = (memory.first, memory.low) if reading else (memory.high, memory.last + 1)
            beats = rng.choice([1, 1, rng.randint(1, 40)])
            beat = memory.grid.beat
            start = low + rng.randrange((high - low) // beat) * beat
            fuzz.fault = BusFault(start, min(start + beats * beat, memory.last + 1) - 1, cause)
            slverr = cause in (Cause.READ_SLVERR, Cause.WRITE_SLVERR)
            fuzz.host.faults(start, fuzz.fault.last, 2 if slverr else 3, reading, not reading)
        b.cover("bad", what.lower())
        try:
            await fuzz.corrupted(address, made, f"{what} {fuzz.fault}", compares=False, waits=False)
        except OverflowError:
            continue
        finally:
            fuzz.fault = None
            fuzz.host.faults()
        cases += 1
        await fuzz.good(rng.randint(1, 8))
