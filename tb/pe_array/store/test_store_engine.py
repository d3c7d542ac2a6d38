# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/store_engine.v: operations of all kinds behind each other, against the machine's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.pe_array.isa.channel_records import Records
from models.pe_array.isa.descriptors import (
    MULTIPLIER_MAX,
    Cause,
    Collect,
    Delta,
    Descriptor,
    Drain,
    Learn,
    Output,
    Scales,
    Slot,
    Update,
)  # fmt: skip
from models.pe_array.isa.map_transfer import drain_reads
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.machine.engines import StoreEngine
from models.pe_array.machine.grid import MachineGrid
from models.pe_array.machine.memory import BusFault, BusMemory, Refused
from models.pe_array.network.weight_update import UPDATE_WORDS
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.ports import Beside, Tally
from tb.pe_array.drivers.descriptor_port import DescriptorPort
from tb.pe_array.drivers.drain_side import DrainSide, drain_command
from tb.pe_array.drivers.gradient_slots import GradientSlots
from tb.pe_array.drivers.hdl_widths import widths_of
from tb.pe_array.drivers.port_memory import PortMemory

ARRAY, MAPS, LEARN_BEATS = 256, 256, 20
"""Beats of the gradients, of the masters and of the momenta; of the maps; of a slot of a LEARN, with a gap, at most."""
CLIPPED = ("outputs", "masters", "momenta", "weights")
WORDS_MAX = 40  # of a drain
BEHIND = Learn.opcode + 1
"""First unknown opcode behind those of the engine."""


class CommandsBehindError(Beside):
    """Counts clocks with a command for memory behind an error.

    Attributes:
        count: of such clocks.
    """

    def __init__(self, b: Bench, port: DescriptorPort) -> None:
        super().__init__(b)
        self._port = port
        self.count = 0

    def look(self) -> None:
        """One clock."""
        if self._port.errors:
            self.count += self.b.high("rd_cmd_valid") or self.b.high("wr_cmd_valid")


class Unit:
    """A store_engine between its queue, a grid and a memory, and the machine's."""

    def __init__(self, b: Bench) -> None:
        p = {name: int(value) for name, value in b.params.items()}
        self.b, self.beat, self.count = b, p["B"], p["P"]
        self.wide = p.get("WIDE", 1)  # beats of gradients and weights have so many times B bytes
        size = 1 << 15
        self.memory = PortMemory(b, b.rng.randrange(1 << 17) << 15, size, wide=self.wide)
        self.port, self.side, self.slots = DescriptorPort(b), DrainSide(b, self.count), GradientSlots(b)
        shape = PeShape(p["B"], p["ACC"], 16, 1024, 16, 16, 16)
        self.grid = MachineGrid(self.count, shape)
        self.grid.y[:] = values.signed(b, p["ACC"], self.grid.y.shape, "small")
        self.model = BusMemory(self.beat, self.memory.data.copy(), self.memory.base, self.wide)
        self.engine = StoreEngine(self.grid, self.model, p["FRAC"], widths_of(b))
        self.tally = Tally(b, *(f"clipped_{name}" for name in CLIPPED))
        self.late = CommandsBehindError(b, self.port)

    async def start(self) -> None:
        """Reset and load a seed; what memory holds stays, no errors any more."""
        seed = self.b.rng.getrandbits(16)
        self.b.drive(seed=seed, seed_load=1)
        await self.b.reset()
        self.b.drive(seed_load=0)
        self.memory.read_faults.clear()
        self.memory.write_faults.clear()
        self.model.faults.clear()
        self.model.data[:] = self.memory.data
        self.grid.reset()
        self.engine.reset()
        self.engine.seed(seed)
        self.late.count = 0
        self.tally.clear()

    def any_gaps(self) -> None:
        """Other patterns at all handshakes."""
        self.memory.any_gaps()
        for each in (self.port, self.side, self.slots):
            each.gaps.any()

    def addr(self, beat: int, wide: int = 1) -> int:
        """Address of a beat of so many times B bytes."""
        return self.memory.base + beat * wide * self.beat

    def send(self, descriptor: Descriptor) -> tuple[Cause, int] | None:
        """Queue a descriptor and execute it in the model; its error, if it has one."""
        index = self.port.send(descriptor)
        if isinstance(descriptor, Drain):
            units, addresses = drain_reads(drain_command(descriptor), self.count, self.grid.shape.y_depth)
            self.side.expect(descriptor, accumulators=self.grid.y[units, addresses])
        try:
            self.engine.execute(descriptor)
        except Refused as stop:
            return stop.cause, index
        return None

    # --- operations of all kinds, on the same arrays ---

    def drain(self) -> list[Descriptor]:
        """DRAIN to the maps, with SCALES and OUTPUT before it; what it reads is from the half that is not written."""
        rng = self.b.rng
        slots = rng.randint(1, self.count)
        channels = rng.randint(1, 3)
        height, width = rng.randint(1, 3), rng.randint(1, 3)
        while slots * channels * height * width > WORDS_MAX:
            slots -= 1
        drain = Drain(
            slots, channels, channels, height, width, height, width, ybase=rng.getrandbits(12), ystride=height * width
        )
        words = drain_command(drain).words
        halves = rng.sample([0, 1], 2)
        beside = rng.choice(["mask", "addend", "biases", "full", "nothing", "defaults"])
        self.b.cover("beside", beside)
        kind = {"biases": Records.BIASES, "full": Records.FULL}.get(beside, Records.NONE)
        scales = Scales() if beside == "defaults" else Scales(
            kind, self.addr(self.maps + halves[1] * MAPS // 2) + 8 * rng.randint(0, 10), rng.randint(-9999, 9999),
            rng.randint(0, MULTIPLIER_MAX), rng.randrange(16), rng.random() < 0.5, rng.randint(-9, 9), -100, 100,
            rng.random() < 0.5, beside == "addend", 3, rng.randint(0, MULTIPLIER_MAX), rng.randrange(32),
            rng.random() < 0.5,
        )  # fmt: skip
        output = Output(
            self.addr(self.maps + halves[0] * MAPS // 2 + rng.randint(0, 10)), run_beats=height * width,
            runs=words // (height * width), run_stride=height * width,
            mask=self.addr(self.maps + halves[1] * MAPS // 2 + rng.randint(0, 10)), shift=rng.randrange(20),
            field=rng.choice([0, 0, 1, 2]), stochastic=rng.random() < 0.5, relu=rng.random() < 0.5,
            use_mask=beside == "mask",
        )  # fmt: skip
        return [scales, output, drain, *([drain] if rng.random() < 0.2 else [])]

    def gradients(self, unit: int, most: int, beat: int = 0) -> tuple[list[Descriptor], int]:
        """SLOTs for up to so many gradients each, at multiples of ``unit`` beats, and the last; the grid has them."""
        rng, lanes = self.b.rng, self.wide * self.beat // 4
        named: list[Descriptor] = []
        for slot in rng.sample(range(self.count), rng.randint(1, self.count)):
            gradients = rng.randint(1, most)
            named.append(Slot(slot, beat, gradients))
            beat += (-(-gradients // lanes // unit) + rng.randrange(3)) * unit
            fresh = values.signed(self.b, 32, gradients)
            self.grid.gradients[slot] = np.concatenate([self.grid.gradients[slot], fresh])
            self.slots.queue[slot].extend(int(x) & 0xFFFFFFFF for x in fresh)
        return named, beat

    def collect(self) -> list[Descriptor]:
        """SLOTs and a COLLECT to the gradients."""
        named, beats = self.gradients(1, 24)
        place = self.addr(self.b.rng.randrange(ARRAY - beats), self.wide)
        return [*named, Collect(place, add=self.b.rng.random() < 0.5)]

    def learn(self) -> list[Descriptor]:
        """SLOTs and a LEARN of some of the weights; now and then one behind the other, of other parts or arrays."""
        rng, made = self.b.rng, list[Descriptor]()
        place = beat = 0
        for number in range(rng.choice([1, 1, 2, 2])):
            same = bool(number) and rng.random() < 0.7
            named, beat = self.gradients(UPDATE_WORDS, 3 * self.beat, beat if same else 0)
            place = place if same else rng.randrange(ARRAY - beat - self.count * LEARN_BEATS)
            masters, momenta = (self.addr(array * ARRAY + place, self.wide) for array in (1, 2))
            learn = Learn(
                masters, self.addr(3 * ARRAY + place // 4, self.wide), shift=rng.choice([0, 8, 20]),
                stochastic=rng.random() < 0.5, decay=rng.choice([0, rng.randint(1, 15)]), momenta=momenta,
                nesterov=rng.random() < 0.5, weight_decay=rng.choice([0, rng.randint(1, 31)]),
            )  # fmt: skip
            if number:
                self.b.cover("learn", "same_arrays" if same else "other_arrays")
            self.b.cover("learn", "momentum" if learn.decay else "no_momentum")
            self.b.cover("learn", "stochastic" if learn.stochastic else "half_up")
            made += [*named, learn]
        return made

    def update(self) -> list[Descriptor]:
        """UPDATE of some of the weights."""
        rng = self.b.rng
        beats, arrays_log2 = rng.choice([1, rng.randint(1, 6)]), rng.choice([0, 0, 1])
        place = rng.randrange(ARRAY - 4 * beats)
        masters, momenta = (self.addr(array * ARRAY + place, self.wide) for array in (1, 2))
        gradients = self.addr(rng.randrange(ARRAY - (4 << arrays_log2) * beats), self.wide)
        return [
            Update(
                gradients, masters, self.addr(3 * ARRAY + place // 4, self.wide), beats, shift=rng.choice([0, 8, 20]),
                stochastic=rng.random() < 0.5, decay=rng.choice([0, rng.randint(1, 15)]), momenta=momenta,
                nesterov=rng.random() < 0.5, weight_decay=rng.choice([0, rng.randint(1, 31)]), arrays_log2=arrays_log2,
            )
        ]  # fmt: skip

    def delta(self) -> list[Descriptor]:
        """DELTA from one half of the maps to the other."""
        rng = self.b.rng
        halves = rng.sample([0, 1], 2)
        logits, output = (self.addr(self.maps + half * MAPS // 2 + rng.randint(0, 20)) for half in halves)
        return [Delta(logits, self.addr(self.maps + MAPS), output, rng.randint(1, 20), rng.random() < 0.5)]

    @property
    def maps(self) -> int:
        """First beat of the maps, behind the arrays of weights."""
        return self.wide * (3 * ARRAY + ARRAY // 4 + 8)

    @property
    def kinds(self) -> dict[str, Callable[[], list[Descriptor]]]:
        """All kinds of operations."""
        return {
            "drain": self.drain, "collect": self.collect, "learn": self.learn, "update": self.update,
            "delta": self.delta,
        }  # fmt: skip

    def send_any(self, number: int, before: str = "") -> None:
        """So many operations of random kinds; none has an error."""
        for _ in range(number):
            kind = self.b.rng.choice(list(self.kinds))
            for descriptor in self.kinds[kind]():
                self.b.require(self.send(descriptor) is None, "an error is expected")
            if before:
                self.b.cover("before", f"{before}_{kind}")
            before = kind

    async def compare(self) -> None:
        """Wait for the end and compare all of memory and the counts."""
        await self.port.until_done()
        await self.b.clocks(2)  # clipped values are counted one clock late
        self.b.equal("memory", int((self.memory.data != self.model.data).sum()), 0)
        self.b.equal("clipped", self.tally.sums.values(), [getattr(self.engine.clipped, name) for name in CLIPPED])


@bench_test(timeout_clocks=100_000)
async def operations(b: Bench) -> None:
    """Operations of all kinds in any order, each on what those before have left, under every pattern of pauses."""
    unit = Unit(b)
    await unit.start()
    for _ in range(4):
        unit.any_gaps()
        unit.send_any(5)
        await unit.compare()


@bench_test(timeout_clocks=20_000)
async def slots_in_collect(b: Bench) -> None:
    """Only other parts wait for the end of an operation: SLOTs are taken while the COLLECT before them runs."""
    unit = Unit(b)
    await unit.start()
    first = unit.collect()
    for descriptor in first + unit.collect():
        b.require(unit.send(descriptor) is None, "an error is expected")
    await unit.compare()
    b.cover("before", "collect_collect")
    b.equal("a SLOT is taken before the COLLECT is done", unit.port.taken[len(first)] < unit.port.finished[0], True)


ERRORS = ("opcode_far", "opcode_behind", "field", "lengths", "slot", "collect", "learn", "update", "delta", "drain")


@bench_test(timeout_clocks=100_000)
async def errors(b: Bench) -> None:
    """Each part reports its errors, with the right place in the program; then all works again."""
    unit = Unit(b)
    await unit.start()
    cases: list[tuple[str, bool]] = []  # kind, and whether all before has ended; else it is still under way
    for n in range(4):  # three seeds have them all
        kind = ERRORS[(4 * b.seed + n) % len(ERRORS)]
        if kind == "opcode_far":
            cases += [(kind, True), (kind, False)]
        else:
            cases.append((kind, kind in unit.kinds or (kind != "opcode_behind" and b.rng.random() < 0.5)))
    for kind, waits in cases:
        unit.any_gaps()
        unit.send_any(1)
        if waits:
            await unit.compare()
        expected = provoke(unit, kind)
        b.cover("error", kind)
        b.equal("error", await unit.port.until_error(shut=True), expected)
        if kind.startswith("opcode"):  # it is looked at when all before it is done
            b.cover("unknown", "behind_the_end" if waits else "while_running")
            late = sum(clock > unit.port.errors[0][2] for clock in unit.port.finished)
            b.equal("not done before the error", late + unit.port.begun - unit.port.done, 0)
        unit.port.gaps.none()
        if kind != "opcode_behind":  # nothing is taken or reported any more
            unit.port.send(unit.update()[0])
        else:
            unit.port.send_word(b.rng.getrandbits(248) << 8 | BEHIND)
        left = len(unit.port.queue)
        await b.clocks(10)
        b.equal("left, errors", [len(unit.port.queue), len(unit.port.errors)], [left, 1])
        if kind.startswith("opcode"):
            b.equal("commands behind an unknown opcode", unit.late.count, 0)
        b.require(b.low("idle"), "idle while an operation runs")
        await unit.start()
        unit.send_any(1)
        await unit.compare()


def provoke(unit: Unit, kind: str) -> tuple[Cause, int]:
    """An error of that kind, the last thing that is sent; its cause and place."""
    rng = unit.b.rng
    if kind.startswith("opcode"):
        others = [0x30 ^ 1 << rng.randrange(3, 8), rng.randrange(0x30), rng.randrange(BEHIND + 1, 0x100)]
        opcode = BEHIND if kind == "opcode_behind" else rng.choice(others)
        return Cause.OPCODE, unit.port.send_word(rng.getrandbits(248) << 8 | opcode)
    made: list[Descriptor]
    if kind == "field":
        made = [Output(0, 1, field=3)]
    elif kind == "lengths":
        sizes = [rng.getrandbits(12) for _ in range(8)]
        drain = Drain(rng.getrandbits(7), *sizes, sy_log2=rng.getrandbits(3), sx_log2=rng.getrandbits(3))  # type: ignore[misc,arg-type]
        unit.port.send(Output(unit.addr(unit.maps), 7))
        unit.side.expect(drain, most=20)
        return Cause.FIELD, unit.port.send(drain)
    elif kind == "slot":
        made = [Slot(rng.randint(unit.count, 63), 0, 1)]
    else:
        made = unit.kinds[kind]()
        spoil(unit)
    for descriptor in made:
        if (stop := unit.send(descriptor)) is not None:
            return stop
    raise AssertionError(f"{kind} has no error")


def spoil(unit: Unit) -> None:
    """All of memory answers writes with an error."""
    cause = unit.b.rng.choice([Cause.WRITE_SLVERR, Cause.WRITE_DECERR])
    memory = unit.memory
    unit.model.faults.append(BusFault(memory.base, memory.base + len(memory.data) - 1, cause))
    for addr in range(memory.base, memory.base + len(memory.data), unit.beat):
        memory.write_faults[addr] = cause - Cause.WRITE_SLVERR + 2


@bench_test(timeout_clocks=60_000)
async def resets(b: Bench) -> None:
    """A reset in the middle of any operation."""
    unit = Unit(b)
    await unit.start()
    for _ in range(4):
        unit.any_gaps()
        unit.send_any(2)
        await b.wait_for(lambda: unit.port.begun, 2000, "an operation")
        await b.clocks(b.rng.randint(0, 60))
        b.cover("reset", "running" if unit.port.busy else "done")
        await unit.start()
    unit.send_any(1)
    await unit.compare()
    b.cover("reset", "done")
    unit.port.gaps.none()
    unit.port.send_word(BEHIND)  # offered in the clock of the reset
    await b.clocks()
    await unit.start()
    unit.send_any(3)
    await unit.compare()
