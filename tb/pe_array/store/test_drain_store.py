# SPDX-License-Identifier: Apache-2.0
"""Bench of rtl/pe_array/store/drain_store.v: drains of all shapes into patterns of runs, masks, and every error."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.isa.descriptors import Cause, Drain, Output
from models.pe_array.network.requantise import AccumulatorField, RandomLanes, requantise
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.descriptor_port import DescriptorPort
from tb.pe_array.drivers.drain_side import DrainSide, drain_command
from tb.pe_array.drivers.hdl_widths import widths_of
from tb.pe_array.drivers.port_memory import ByteWords, PortMemory, as_signed

PES = 64
COMMAND, CHECKED, REPORT, DONE = 1, 5, 5, 2
"""Clocks: DRAIN to drain_cmd_valid, to commands for memory and to the error of lengths; last wr_done to done."""


@dataclass
class Expected:
    """What memory holds after all drains, and what the counter has counted."""

    data: ByteWords
    clipped: int = 0


def divisors(number: int) -> list[int]:
    """All divisors of a number, from one on."""
    return [n for n in range(1, number + 1) if number % n == 0]


def one_tile(slots: int, channels: int, channels_last: int, height: int, width: int) -> Drain:
    """A drain whose slots are single PEs."""
    return Drain(slots, channels, channels_last, height, width, height, width, ybase=0, ystride=height * width)


def offsets(output: Output) -> IntArray:
    """Beats of a pattern, from its first one on, in order."""
    group, run, beat = np.indices((output.groups, output.runs, output.run_beats))
    offset: IntArray = (group * output.group_stride + run * output.run_stride + beat).reshape(-1)
    return offset


class Unit:
    """A drain_store between its queue, a grid and a memory, and their model."""

    def __init__(self, b: Bench, size: int = 1 << 17) -> None:
        self.b, self.beat = b, int(b.params["B"])
        base = b.rng.randrange(1 << 16) << 16 if b.rng.random() < 0.8 else (1 << 32) - size
        base = min(base, (1 << 32) - size)
        self.memory = PortMemory(b, base, size)
        self.port, self.side = DescriptorPort(b), DrainSide(b, PES)
        self.bits = widths_of(b).data
        self.random = RandomLanes(self.beat, 0, int(b.params["LANE_BASE"]))
        self.expected = Expected(self.memory.data.copy())
        self.clipped = 0
        b.start(self._count())

    async def _count(self) -> None:
        while True:
            await self.b.clocks()
            if self.b.dut.rst.value == 0:
                self.clipped += int(self.b.dut.clipped.value)

    async def start(self) -> None:
        """Reset and load a seed."""
        seed = self.b.rng.getrandbits(16)
        self.b.dut.seed.value = seed
        self.b.dut.seed_load.value = 1
        await self.b.reset()
        self.b.dut.seed_load.value = 0
        self.random.load(seed)
        self.memory.writes.clear()
        self.memory.answers = self.clipped = self.expected.clipped = 0
        self.expected.data[:] = self.memory.data

    def drain(self, most: int = 40) -> Drain:
        """A legal drain of so many words at most."""
        rng = self.b.rng
        sy, sx = rng.choice([(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)])
        while True:
            height, width = rng.randint(1, 8), rng.randint(1, 8)
            drain = Drain(
                slots=rng.randint(1, PES >> (sy + sx)) if rng.random() < 0.3 else rng.randint(1, 3),
                channels=rng.randint(1, 6), channels_last=rng.randint(1, 6), height=height, width=width,
                tile_height=-(-height >> sy) + rng.randrange(2), tile_width=-(-width >> sx) + rng.randrange(2),
                sy_log2=sy, sx_log2=sx, ybase=rng.getrandbits(12), ystride=rng.getrandbits(12),
            )  # fmt: skip
            command = drain_command(drain)
            if command.legal(PES) and command.words <= most:
                return drain

    def output(self, words: int, spread: int = 3, **given: int | bool) -> Output:
        """Settings for a drain of so many words: a pattern without overlaps somewhere in memory."""
        rng = self.b.rng
        run_beats = rng.choice(divisors(words))
        runs = rng.choice(divisors(words // run_beats))
        groups = words // run_beats // runs
        run_stride = run_beats + rng.randint(0, spread)
        group_stride = (runs - 1) * run_stride + run_beats + rng.randint(0, spread)
        if rng.random() < 0.3 and runs * run_beats * groups > 1:  # runs of the groups between each other
            group_stride = run_beats + rng.randint(0, spread)
            run_stride = (groups - 1) * group_stride + run_beats + rng.randint(0, spread)
        kind: dict[str, int | bool] = {
            "shift": rng.choice([0, rng.randrange(32), max(0, int(self.b.params["ACC"]) - rng.randint(6, 10)) % 32]),
            "field": rng.choice([*[AccumulatorField.SUM] * 3, AccumulatorField.VALUE, AccumulatorField.INDEX]),
            "stochastic": rng.random() < 0.5,
            "relu": rng.random() < 0.5,
            "use_mask": rng.random() < 0.5,
        }
        output = Output(
            address=0, run_beats=run_beats, runs=runs, run_stride=run_stride, groups=groups, group_stride=group_stride,
            **(kind | given),  # type: ignore[arg-type]
        )  # fmt: skip
        return replace(output, address=self.place(output, True), mask=self.place(output, False))

    def place(self, output: Output, upper: bool) -> int:
        """An address where a pattern fits: of writes in the upper half of memory, of masks in the lower one."""
        half = len(self.memory.data) // 2
        room = half // self.beat - int(offsets(output).max()) - 1
        assert room >= 0, f"{output} does not fit"
        return self.memory.base + half * upper + self.b.rng.randint(0, room) * self.beat

    def result(self, output: Output, accumulators: IntArray) -> None:
        """A drain in the model."""
        b, addresses = self.b, offsets(output) * self.beat - self.memory.base
        where = (addresses + output.address)[:, None] + np.arange(self.beat)
        of_mask = (addresses + output.mask)[:, None] + np.arange(self.beat)
        field = AccumulatorField(output.field)
        stochastic = output.stochastic and field is AccumulatorField.SUM
        random = self.random.take(len(accumulators)) if stochastic else None
        mask = as_signed(self.expected.data[of_mask]) if output.use_mask else None
        y, clipped = requantise(accumulators, output.shift, random, output.relu, mask, field, self.bits)
        self.expected.data[where] = y.astype(np.int8).view(np.uint8)
        self.expected.clipped += int(clipped.sum())
        b.cover("field", field.name.lower())
        b.cover("mask", output.use_mask)
        b.cover("run", "one" if output.runs == output.groups == 1 else "groups" if output.groups > 1 else "runs")

    def send(self, output: Output | None, drain: Drain) -> None:
        """Queue settings and a drain, or a drain with the settings it had before."""
        if output is not None:
            self.settings = output
            self.port.send(output)
        self.port.send(drain)
        self.result(self.settings, self.side.expect(drain))

    def any_gaps(self) -> None:
        """Other patterns at all handshakes."""
        for part in (self.memory, self.port, self.side):
            part.any_gaps()

    async def compare(self) -> None:
        """Wait for the end and compare all of memory."""
        await self.port.until_done()
        board = self.b.scoreboard
        await self.b.clocks(2)  # clipped values are counted one clock late
        board.expect("clipped", self.expected.clipped)
        board.got("clipped", self.clipped)
        board.expect("memory", 0)
        board.got("memory", int((self.memory.data != self.expected.data).sum()))
        board.expect("answers", len(self.memory.writes))
        board.got("answers", self.memory.answers)

    async def fails(self, cause: Cause, index: int) -> None:
        """An error is reported; after a reset, all is as new."""
        board, done = self.b.scoreboard, self.port.done
        board.expect("error", [cause, index])
        board.got("error", await self.port.until_error())
        assert self.port.done == done, "what had an error is done all the same"
        await self.start()


@bench_test(timeout_clocks=60_000)
async def drains(b: Bench) -> None:
    """Drains of all kinds under every pattern of pauses."""
    unit = Unit(b)
    await unit.start()
    for _ in range(6):
        unit.any_gaps()
        for _ in range(2):
            drain = unit.drain()
            words = drain_command(drain).words
            unit.send(unit.output(words), drain)
            if b.rng.random() < 0.3:
                unit.send(None, drain)
                b.cover("settings", "twice")
        if b.rng.random() < 0.5:  # masks where the results go
            output = unit.output(words, use_mask=True)
            unit.send(replace(output, mask=output.address), drain)
            b.cover("mask", "in_place")
        await unit.compare()


@bench_test(timeout_clocks=20_000)
async def clocks(b: Bench) -> None:
    """Latencies, and a word per clock where nobody waits."""
    unit = Unit(b)
    unit.memory.fast()
    await unit.start()
    drain = one_tile(slots=4, channels=2, channels_last=3, height=5, width=6)
    words = drain_command(drain).words
    unit.send(unit.output(words, use_mask=bool(b.seed % 2), stochastic=True), drain)
    dut, port = b.dut, unit.port
    seen: dict[str, list[int]] = {name: [] for name in ("drain_cmd_valid", "wr_cmd_valid", "rd_cmd_valid", "wr_done")}
    moved: list[int] = []
    while not port.done:
        await b.clocks()
        for name, clocks_seen in seen.items():
            if getattr(dut, name).value == 1:
                clocks_seen.append(port.clock)
        if dut.wr_valid.value == 1 and dut.wr_ready.value == 1:
            moved.append(port.clock)
    start = port.taken[-1]
    # this test and the ports look at the same clock edges, in no particular order: a clock more or less
    assert seen["drain_cmd_valid"][0] - start - COMMAND in (-1, 0, 1)
    assert seen["wr_cmd_valid"][0] - seen["drain_cmd_valid"][0] == CHECKED - COMMAND
    assert not seen["rd_cmd_valid"] or seen["rd_cmd_valid"][0] == seen["wr_cmd_valid"][0]
    assert port.finished[-1] - seen["wr_done"][-1] - DONE in (-1, 0, 1)
    if unit.settings.runs * unit.settings.groups == 1:
        assert moved[-1] - moved[0] == words - 1, f"{words} words in {moved[-1] - moved[0] + 1} clocks"
    await unit.compare()


@bench_test(timeout_clocks=30_000)
async def many_runs(b: Bench) -> None:
    """More write commands than may wait for an answer; strides as long as they can be."""
    unit = Unit(b, 1 << 25)
    await unit.start()
    most = ((1 << 25) // 2 // unit.beat - 8) // 3
    wide = min((1 << 20) - 1, most)
    drain = one_tile(slots=1, channels=1, channels_last=2, height=2, width=1)
    output = Output(
        address=0, run_beats=1, runs=2, run_stride=wide - b.rng.randrange(1000), groups=2,
        group_stride=wide - b.rng.randrange(2000, 3000), use_mask=True,
    )  # fmt: skip
    unit.send(replace(output, address=unit.place(output, True), mask=unit.place(output, False)), drain)
    await unit.compare()
    unit.memory.latency, unit.memory.queue = 600, 200
    drain = one_tile(slots=10, channels=4, channels_last=4, height=1, width=4)
    output = unit.output(160)
    output = replace(output, run_beats=1, runs=10, groups=16, run_stride=2, group_stride=20)
    unit.send(replace(output, address=unit.place(output, True), mask=unit.place(output, False)), drain)
    waiting = 0
    while unit.port.busy:
        await b.clocks()
        waiting = max(waiting, len(unit.memory.writes) - unit.memory.answers)
        if waiting > 120:
            b.cover("answers", "many_wait")
    assert waiting <= 127, f"{waiting} commands wait for an answer"
    await unit.compare()


@bench_test(timeout_clocks=60_000)
async def lengths(b: Bench) -> None:
    """Drains and patterns of different lengths, also where only some of the bits differ; nothing is written."""
    unit = Unit(b)
    await unit.start()
    unit.any_gaps()
    rng = b.rng
    for kind in ("more", "less", "huge", "huge", "huge"):
        drain = unit.drain()
        words = drain_command(drain).words
        output = unit.output(words)
        if kind == "more":
            output = replace(output, groups=output.groups + 1)
        elif kind == "less":
            drain = replace(drain, channels_last=drain.channels_last + 1)
        else:
            drain = Drain(
                slots=rng.randint(1, PES), channels=rng.getrandbits(12) or 1, channels_last=rng.getrandbits(12) or 1,
                height=rng.getrandbits(12) or 1, width=rng.getrandbits(12) or 1,
                tile_height=4095, tile_width=4095, ybase=rng.getrandbits(12), ystride=rng.getrandbits(12),
            )  # fmt: skip
            output = replace(
                output, run_beats=rng.randint(1, 1 << 16), runs=rng.randint(1, 1 << 12), groups=rng.randint(1, 1 << 12),
                run_stride=rng.getrandbits(20), group_stride=rng.getrandbits(20),
            )  # fmt: skip
        assert drain_command(drain).words != output.run_beats * output.runs * output.groups
        unit.port.send(output)
        index = unit.port.send(drain)
        unit.side.expect(drain, most=20)
        commands = len(unit.memory.writes) + len(unit.memory.reads)
        await b.wait_for(lambda: unit.port.errors, 2000, "an error")
        assert unit.port.errors[0][2] - unit.port.taken[-1] == REPORT
        b.scoreboard.expect("commands", commands)
        b.scoreboard.got("commands", len(unit.memory.writes) + len(unit.memory.reads))
        await unit.fails(Cause.FIELD, index)
        b.cover("lengths", kind)


@bench_test(timeout_clocks=60_000)
async def errors(b: Bench) -> None:
    """Illegal fields, refused commands and error responses, one after the other; then all works again."""
    unit = Unit(b)
    await unit.start()
    for kind in b.rng.sample(KINDS, 6):
        unit.any_gaps()
        await provoke(unit, kind)
        b.cover("error", kind)
        unit.memory.read_faults.clear()
        unit.memory.write_faults.clear()
        whole = (unit.memory.base, unit.memory.base + len(unit.memory.data))
        unit.memory.read_window = unit.memory.write_window = whole
        drain = unit.drain()
        unit.send(unit.output(drain_command(drain).words), drain)
        await unit.compare()


KINDS = (
    "field", "no_output", "refused_drain", "read_outside", "read_misaligned", "read_slverr", "read_decerr",
    "write_outside", "write_misaligned", "write_slverr", "write_decerr",
)  # fmt: skip


async def provoke(unit: Unit, kind: str) -> None:
    """Errors of one kind; the unit has been reset afterwards."""
    memory, port, rng = unit.memory, unit.port, unit.b.rng
    drain = unit.drain()
    output = unit.output(drain_command(drain).words, use_mask=True)
    place = int(rng.choice(offsets(output).tolist())) * unit.beat
    if kind == "field":
        await unit.fails(Cause.FIELD, port.send(replace(output, field=3)))
        return
    if kind == "no_output":
        await unit.start()
        await unit.fails(Cause.FIELD, port.send(drain))
        return
    if kind == "refused_drain":
        drain = replace(drain, tile_height=drain.height, tile_width=drain.width - 1, sx_log2=0)
    elif kind == "read_outside":
        memory.read_window = (memory.base, output.mask + place)
    elif kind == "write_outside":
        memory.write_window = (output.address + place + unit.beat, memory.base + len(memory.data))
    elif kind == "read_misaligned":
        output = replace(output, mask=output.mask + rng.randrange(1, unit.beat))
    elif kind == "write_misaligned":
        output = replace(output, address=output.address + rng.randrange(1, unit.beat))
    elif kind in ("read_slverr", "read_decerr"):
        memory.read_faults[output.mask + place] = 2 if kind == "read_slverr" else 3
    else:
        memory.write_faults[output.address + place] = 2 if kind == "write_slverr" else 3
    cause = {
        "refused_drain": Cause.FIELD, "read_slverr": Cause.READ_SLVERR, "read_decerr": Cause.READ_DECERR,
        "write_slverr": Cause.WRITE_SLVERR, "write_decerr": Cause.WRITE_DECERR,
    }.get(kind, Cause.ADDRESS)  # fmt: skip
    port.send(output)
    index = port.send(drain)
    unit.side.expect(drain)
    await unit.fails(cause, index)


@bench_test(timeout_clocks=60_000)
async def resets(b: Bench) -> None:
    """A reset forgets what is under way, however long it would have been."""
    unit = Unit(b, 1 << 20)
    await unit.start()
    for round_ in range(6):
        unit.any_gaps()
        drain = one_tile(slots=8, channels=1, channels_last=1, height=1, width=128)
        output = unit.output(1024, use_mask=b.rng.random() < 0.5)
        unit.port.send(output)
        unit.port.send(drain)
        unit.side.expect(drain, most=1023)
        await b.wait_for(lambda: unit.port.begun, 2000, "the drain")
        await b.clocks(b.rng.randint(0, 4) if round_ % 2 else b.rng.randint(10, 100))
        b.cover("reset", "soon" if round_ % 2 else "late")
        await unit.start()
    drain = unit.drain()
    unit.send(unit.output(drain_command(drain).words), drain)
    await unit.compare()
