# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/update_store.v: arrays of gradients, masters and momenta in memory, all settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.lib.fixed_point import LFSR_SEED_FACTOR, IntArray
from models.pe_array.isa.descriptors import Cause, Update, unnamed
from models.pe_array.isa.link import ARRAYS_LOG2_MAX
from models.pe_array.network.requantise import RandomLanes
from models.pe_array.network.weight_update import weight_update
from tb.lib import values
from tb.lib.bench import Bench, bench_test
from tb.lib.ports import Tally
from tb.pe_array.drivers.descriptor_port import DescriptorPort
from tb.pe_array.drivers.hdl_widths import widths_of
from tb.pe_array.drivers.port_memory import PortMemory

TO_WRITE, DONE = 11, 2
"""Clocks: last beat that a word needs to its master at the write port; last answer to done."""
WEIGHT_BEATS = 4  # words of weights per beat of MAC weights
CHUNK = 16
COMMANDS = 31  # write commands without an answer, at most
CLIPPED = ("master", "momentum", "weight")
LEARN = (
    "learns", "learn_start", "learn_index", "learn_rd_valid", "learn_rd_offset", "learn_rd_beats", "learn_wr_valid",
    "learn_wr_offset", "learn_wr_beats", "learn_valid", "learn_data",
)  # fmt: skip
"""What collect_store drives: test_store_engine has both."""


class Unit:
    """An update_store between its queue and a memory, and their model."""

    def __init__(self, b: Bench, beats: int = 1024) -> None:
        self.b, self.beat, self.beats = b, int(b.params["B"]), beats
        self.lanes, self.lane_base = self.beat // 4, int(b.params["LANE_BASE"])
        size = beats * self.beat
        self.memory = PortMemory(b, min(b.rng.getrandbits(32) // self.beat * self.beat, (1 << 32) - size), size)
        self.port = DescriptorPort(b)
        self.widths = widths_of(b)
        self.random = RandomLanes(self.lanes, 0, self.lane_base)
        self.expected = self.memory.data.copy()
        self.tally = Tally(b, *(f"{name}_clipped" for name in CLIPPED))
        self.expected_clipped = dict.fromkeys(CLIPPED, 0)
        b.drive(seed_load=0, seed=0, **dict.fromkeys(LEARN, 0))

    async def seed(self) -> None:
        """Load all random lanes; now and then with the number that is 0 in one of them."""
        seed = self.b.rng.getrandbits(16)
        if self.b.rng.random() < 0.3:
            seed = (self.lane_base + self.b.rng.randrange(self.lanes) + 1) * LFSR_SEED_FACTOR & 0xFFFF
            self.b.cover("seed", "zero_in_a_lane")
        self.b.drive(seed=seed, seed_load=1)
        await self.b.clocks()
        self.b.drive(seed_load=0)
        self.random.load(seed)

    async def start(self) -> None:
        """Reset, and another seed."""
        await self.b.reset()
        await self.seed()
        self.memory.writes.clear()
        self.memory.answers = 0
        self.tally.clear()
        self.expected_clipped = dict.fromkeys(CLIPPED, 0)
        self.expected[:] = self.memory.data

    def any_gaps(self) -> None:
        """Other patterns at all handshakes."""
        self.memory.any_gaps()
        self.port.gaps.any()

    def descriptor(self, beats: int, **given: int | bool) -> Update:
        """An UPDATE of so many beats of MAC weights: arrays anywhere in memory, side by side; random settings."""
        rng = self.b.rng
        kind: dict[str, int | bool] = {
            "shift": rng.choice([0, 1, 8, 16, 31, rng.randrange(32)]),
            "stochastic": rng.random() < 0.5,
            "decay": rng.choice([0, 0, 1, 15, rng.randint(1, 15)]),
            "nesterov": rng.random() < 0.5,
            "weight_decay": rng.choice([0, 0, 1, 31, rng.randint(1, 31)]),
            "arrays_log2": rng.choice([0, 0, 1, 2, 3, ARRAYS_LOG2_MAX]),
        }
        kind |= given
        while kind["arrays_log2"] and ((4 << kind["arrays_log2"]) + 9) * beats > self.beats:
            kind["arrays_log2"] -= 1
        gradients = (4 << kind["arrays_log2"]) * beats
        sizes = {"gradients": gradients, "masters": 4 * beats, "momenta": 4 * beats, "weights": beats}
        free = self.beats - sum(sizes.values())
        self.b.require(free >= 0, "the arrays do not fit in memory")
        place, addresses = 0, {}
        for name in rng.sample(list(sizes), len(sizes)):
            gap = rng.randint(0, free)
            addresses[name] = self.memory.base + (place + gap) * self.beat
            free, place = free - gap, place + gap + sizes[name]
        return Update(beats=beats, **addresses, **kind)  # type: ignore[arg-type]

    def _array(self, address: int, words: int) -> IntArray:
        """Numbers of 32 bits in the model's memory, a view of them (words, U)."""
        start = address - self.memory.base
        view: IntArray = self.expected[start : start + words * self.beat].view("<i4").reshape(words, self.lanes)
        return view

    def fill(self, update: Update) -> None:
        """Random gradients, masters and momenta of all kinds; the upper bits of the masters are anything."""
        b, words = self.b, WEIGHT_BEATS * update.beats
        shape = (words, self.lanes)
        gradients = values.signed(b, 32, shape)
        if b.rng.random() < 0.3:  # ties of rounding
            gradients = values.signed(b, 8, shape, "uniform") << b.rng.randrange(24)
        bits = self.widths.master
        upper = b.np.integers(-1 << 32 - bits, 1 << 32 - bits, shape) >> 1
        masters = values.signed(b, bits, shape) & ((1 << bits) - 1) | upper << bits
        arrays = {"gradients": gradients, "masters": masters, "momenta": values.signed(b, 32, shape)}
        for name, numbers in arrays.items():
            self._array(getattr(update, name), words)[:] = numbers
        for n in range(1, 1 << update.arrays_log2):
            more = self._array(update.gradients + n * words * self.beat, words)
            more[:] = values.signed(b, 32, shape)  # most sums wrap
        self.memory.data[:] = self.expected

    def result(self, update: Update) -> None:
        """An UPDATE in the model."""
        b, words = self.b, WEIGHT_BEATS * update.beats
        masters = self._array(update.masters, words)
        momenta = self._array(update.momenta, words)
        w = masters.astype(np.int64) << 64 - self.widths.master >> 64 - self.widths.master
        random = self.random.take(words) if update.stochastic else None
        v = momenta.astype(np.int64) if update.decay else None
        arrays = 1 << update.arrays_log2
        g = self._array(update.gradients, arrays * words).reshape(arrays, words, -1).astype(np.int64).sum(axis=0)
        wrapped = g.astype(np.int32).astype(np.int64)
        b.cover("arrays", {1: "one", 2: "two", 1 << ARRAYS_LOG2_MAX: "most"}.get(arrays, "more"))
        if (wrapped != g).any():
            b.cover("sum", "wraps")
        g = wrapped
        new = weight_update(
            w, g, update.shift, random, v, update.decay, self.widths, nesterov=update.nesterov,
            weight_decay=update.weight_decay,
        )  # fmt: skip
        masters[:] = new.master
        if new.momentum is not None:
            momenta[:] = new.momentum
        start = update.weights - self.memory.base
        self.expected[start : start + update.beats * self.beat] = new.weight.reshape(-1).astype(np.int8).view(np.uint8)
        for name in CLIPPED:
            clipped = int(getattr(new, f"{name}_clipped").sum())
            self.expected_clipped[name] += clipped
            if clipped:
                b.cover("clipped", name)
        b.cover("rounding", "stochastic" if update.stochastic else "half_up")
        b.cover("momentum", {0: "none", 1: "1", 15: "15"}.get(update.decay, "between"))
        b.cover("nesterov", "no" if not update.nesterov else "yes" if update.decay else "ignored")
        b.cover("weight_decay", {0: "none", 1: "1", 31: "31"}.get(update.weight_decay, "between"))
        b.cover("length", "one" if update.beats == 1 else "whole_chunks" if update.beats % 4 == 0 else "ragged")

    def noise(self) -> int:
        """Bits that UPDATE ignores."""
        return self.b.rng.getrandbits(256) & unnamed(Update.opcode)

    def send(self, update: Update) -> int:
        """An UPDATE, also in the model; its place in the program."""
        self.result(update)
        return self.port.send(update, self.noise())

    async def compare(self) -> None:
        """Wait for the end and compare all of memory."""
        await self.port.until_done()
        for name in CLIPPED:
            self.b.equal(f"{name} clipped", self.tally.sums[f"{name}_clipped"], self.expected_clipped[name])
        self.b.equal("memory", int((self.memory.data != self.expected).sum()), 0)
        self.b.equal("answers", self.memory.answers, len(self.memory.writes))


@bench_test(timeout_clocks=100_000)
async def updates(b: Bench) -> None:
    """UPDATEs of all settings and lengths, some behind each other on the same arrays, under every pattern of pauses."""
    unit = Unit(b)
    await unit.start()
    for _ in range(5):
        unit.any_gaps()
        update = unit.descriptor(b.rng.choice([1, 4, 8, b.rng.randint(1, 14)]))
        unit.fill(update)
        unit.send(update)
        if b.rng.random() < 0.5:  # again with other settings
            unit.send(
                replace(update, shift=b.rng.randrange(32), stochastic=not update.stochastic, decay=b.rng.randrange(16))
            )
        await unit.compare()
        if b.rng.random() < 0.3:
            await unit.seed()


@bench_test(timeout_clocks=20_000)
async def clocks(b: Bench) -> None:
    """Latencies, and a beat of the read port per clock where nobody waits."""
    unit = Unit(b)
    unit.memory.fast()
    await unit.start()
    for decay, more in ((0, 0), (b.rng.randint(1, 15), 0), (0, b.rng.randint(1, 2)), (b.rng.randint(1, 15), 2)):
        beats = 40
        update = unit.descriptor(beats, decay=decay, arrays_log2=more)
        unit.fill(update)
        unit.send(update)
        reads: list[int] = []
        writes: list[int] = []
        answered = 0
        while unit.port.busy:
            await b.clocks()
            if b.high("rd_valid") and b.high("rd_ready"):
                reads.append(unit.port.clock)
            if b.high("wr_valid") and b.high("wr_ready"):
                writes.append(unit.port.clock)
            if b.high("wr_done"):
                answered = unit.port.clock
        arrays = (2 if decay else 1) + (1 << more)
        b.equal("read beats", reads[-1] - reads[0] + 1, 4 * arrays * beats)
        first = (arrays - 1) * CHUNK  # the first word is complete with the first beat of the last array
        b.require(writes[0] - reads[first] == TO_WRITE, f"{writes[0] - reads[first]} clocks to the first master")
        # behind the last read: the last chunks of all arrays, that of the masters along with the reads
        b.require(
            writes[-1] - reads[-1] <= TO_WRITE + CHUNK + WEIGHT_BEATS, f"{writes[-1] - reads[-1]} clocks to the end"
        )
        # this test and the ports look at the same clock edges, in no particular order: a clock more or less
        b.require(
            unit.port.finished[-1] - answered - DONE in (-1, 0, 1),
            "the clock of done",
        )
        await unit.compare()


@bench_test(timeout_clocks=20_000)
async def late_answers(b: Bench) -> None:
    """Answers come so late that no more write commands may go out."""
    unit = Unit(b)
    await unit.start()
    unit.memory.fast()
    unit.memory.queue, unit.memory.latency = 40, 600
    update = unit.descriptor(60, decay=3, arrays_log2=0)  # more arrays are read more slowly than answers come
    unit.fill(update)
    unit.send(update)
    most = 0
    while unit.port.busy:
        await b.clocks()
        most = max(most, len(unit.memory.writes) - unit.memory.answers)
    b.require(most == COMMANDS, f"{most} commands wait for an answer")
    await unit.compare()


KINDS = (
    "read_outside", "read_misaligned", "read_slverr", "read_decerr",
    "write_outside", "write_misaligned", "write_slverr", "write_decerr",
)  # fmt: skip
READ, WRITTEN = ("gradients", "masters", "momenta"), ("masters", "momenta", "weights")


@bench_test(timeout_clocks=100_000)
async def errors(b: Bench) -> None:
    """Refused commands and error responses, at any place of any array; then all works again."""
    unit = Unit(b)
    await unit.start()
    for kind in b.rng.sample(KINDS, len(KINDS)):
        if b.rng.random() < 0.2:
            unit.any_gaps()
        cause, index = await provoke(unit, kind)
        b.cover("error", kind)
        b.equal("error", await unit.port.until_error(), [cause, index])
        memory = unit.memory
        memory.read_faults.clear()
        memory.write_faults.clear()
        memory.read_window = memory.write_window = (memory.base, memory.base + unit.beats * unit.beat)
        await unit.start()
        update = unit.descriptor(b.rng.randint(1, 5))
        unit.fill(update)
        unit.send(update)
        await unit.compare()


async def provoke(unit: Unit, kind: str) -> tuple[Cause, int]:
    """An error of that kind is on its way; its cause and place."""
    memory, rng = unit.memory, unit.b.rng
    update = unit.descriptor(rng.randint(1, 10), decay=rng.randrange(16))
    unit.fill(update)
    if rng.random() < 0.5:
        unit.send(update)  # one before that is good
        await unit.compare()
    names = [name for name in (READ if kind.startswith("read") else WRITTEN) if name != "momenta" or update.decay]
    name = rng.choice(names)
    address = getattr(update, name)
    words = {"weights": 1, "gradients": 4 << update.arrays_log2}.get(name, 4)
    place = address + unit.beat * rng.randrange(update.beats * words)
    window = (memory.base, memory.base + unit.beats * unit.beat)
    if kind == "read_outside":
        memory.read_window = rng.choice([(window[0], place), (place + unit.beat, window[1])])
    elif kind == "write_outside":
        memory.write_window = rng.choice([(window[0], place), (place + unit.beat, window[1])])
    elif kind.endswith("misaligned"):
        # of masters and momenta the read is refused first
        name = "gradients" if kind == "read_misaligned" else "weights"
        update = replace(update, **{name: getattr(update, name) + rng.randrange(1, unit.beat)})
    else:
        faults = memory.read_faults if kind.startswith("read") else memory.write_faults
        faults[place] = 2 if kind.endswith("slverr") else 3
    cause = {
        "read_slverr": Cause.READ_SLVERR, "read_decerr": Cause.READ_DECERR,
        "write_slverr": Cause.WRITE_SLVERR, "write_decerr": Cause.WRITE_DECERR,
    }.get(kind, Cause.ADDRESS)  # fmt: skip
    return cause, unit.port.send(update, unit.noise())


@bench_test(timeout_clocks=60_000)
async def resets(b: Bench) -> None:
    """A reset forgets what is under way, however long it would have been."""
    unit = Unit(b)
    for round_ in range(6):
        await unit.start()
        unit.any_gaps()
        update = unit.descriptor(40, decay=b.rng.choice([0, b.rng.randint(1, 15)]))
        unit.fill(update)
        unit.port.send(update, unit.noise())
        await b.wait_for(lambda: unit.port.begun, 2000, "the update")
        await b.clocks(b.rng.randint(0, 4) if round_ % 2 else b.rng.randint(10, 150))
        b.cover("reset", "soon" if round_ % 2 else "late")
    await unit.start()
    update = unit.descriptor(10)
    unit.fill(update)
    unit.send(update)
    await unit.compare()


@bench_test(timeout_clocks=60_000)
async def longest(b: Bench) -> None:
    """Begins of the longest arrays, in the first beats of which all is as it should be; a reset ends them."""
    unit = Unit(b)
    for _ in range(4):
        await unit.start()
        update = unit.descriptor(50)
        unit.fill(update)
        many = b.rng.randint(1 << 10, 1 << 24)
        update = replace(update, arrays_log2=0)  # the second one is far away
        unit.port.send(replace(update, beats=many), unit.noise())
        b.cover("length", "huge")
        unit.memory.reads.clear()
        await b.wait_for(lambda: len(unit.memory.reads) >= 6, 2000, "reads")
        beats = {size for _, size in unit.memory.reads}
        b.equal("beats", sorted(beats), [CHUNK])
    await unit.start()
    update = unit.descriptor(3)
    unit.fill(update)
    unit.send(update)
    await unit.compare()
