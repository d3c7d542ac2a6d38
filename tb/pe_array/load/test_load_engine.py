# SPDX-License-Identifier: Apache-2.0
"""Bench of load_engine.v: lists of descriptors and what must come to the grid; errors, resets, clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.pe_array.isa.descriptors import Cause, Descriptor, Map, Pointers, Stream, Window, pack
from tb.lib.bench import Bench, bench_test
from tb.pe_array.drivers.descriptor_port import DescriptorPort
from tb.pe_array.drivers.load_side import LoadSide
from tb.pe_array.drivers.port_memory import PortMemory

SIZE = 1 << 15
Numbers = npt.NDArray[np.uint32]
IGNORED = {
    Window: (0xF000 << 128 - 16) | (1 << 255),
    Map: (0x3 << 62) | (0x7 << 157) | (0xFF << 248),
    Stream: (0x3F << 58) | (0x7F << 89) | (0xFF << 152) | (0xF << 188),
    Pointers: (0xFF << 56) | (0xFF << 88) | (0xFFF << 148) | ((1 << 64) - 1) << 192,
}
"""Bits that no row of the table names, some of them, by kind."""


class SteadyMemory(PortMemory):
    """One that always answers after `latency` clocks."""

    def _due(self) -> int:
        return self.clock + self.latency


class Unit:
    """An engine between its queue, a memory and a grid."""

    def __init__(self, b: Bench, memory: type[PortMemory] = PortMemory) -> None:
        self.b, self.rng = b, b.rng
        self.pes, self.beat, self.stages = (int(b.params[name]) for name in ("P", "B", "STAGES"))
        base = b.rng.choice([0, b.rng.randrange(1 << 16) << 16, (1 << 32) - SIZE])
        base = min(base, (1 << 32) - SIZE)
        self.memory = memory(b, base, SIZE, ports=("rd",))
        self.port, self.side = DescriptorPort(b), LoadSide(b)
        self.free = base  # addresses below have contents that somebody relies on

    async def start(self) -> None:
        """Reset."""
        await self.b.reset()
        self.free = self.memory.base
        self.memory.read_faults.clear()
        self.side.forget()

    def any_gaps(self) -> None:
        """Random patterns everywhere."""
        self.port.gaps.any()
        self.memory.any_gaps()
        self.side.gaps.any()

    def fast(self) -> None:
        """No pauses."""
        self.memory.fast()
        self.port.gaps.none()
        self.side.gaps.none()

    # --- descriptors ---

    def place(self, beats: int) -> int:
        """An address from which so many beats can be read."""
        most = SIZE // self.beat - beats
        return self.memory.base + self.rng.choice([0, most, self.rng.randint(0, most)]) * self.beat

    def own(self, beats: int) -> int:
        """An address of beats whose contents nobody else writes."""
        address, self.free = self.free, self.free + beats * self.beat
        self.b.require(self.free <= self.memory.base + SIZE, "the descriptors need more memory than there is")
        return address

    def window(self) -> Window:
        """Windows of one PE on maps of a few rows and columns."""
        rng = self.rng

        def pair() -> tuple[int, int]:
            low = rng.choice([0, 0, rng.randrange(6), rng.randrange(4096)])
            return low, min(4095, max(low, rng.choice([low, 3, 6, 12, 4095])))

        pairs = [pair() for _ in range(4)]
        return Window(rng.randrange(self.pes), rng.randrange(self.pes), *pairs)

    def map(self, most: int = 60) -> Map:
        """A map of at most so many pixel words, in runs of any legal length."""
        rng = self.rng
        rows = rng.choice([1, rng.randint(1, 6)])
        width = rng.choice([1, rng.randint(1, 6)])
        channels = rng.randint(1, max(1, most // (rows * width)))
        words = channels * rows * width
        run_beats = rng.choice([n for n in range(1, words + 1) if words % n == 0])
        runs = words // run_beats
        stride = rng.choice([0, run_beats, rng.randint(0, 30)])
        self.b.cover("runs", "one" if runs == 1 else "beats" if run_beats == 1 else "some")
        row = rng.choice([0, 0, rng.randrange(5), rng.randrange(4096), 4095 - rows])
        y, everyone = rng.random() < 0.5, rng.random() < 0.5
        slot = rng.randrange(256) if everyone else rng.randrange(self.pes)
        self.b.cover("map", ("y" if y else "x") + ("_all" if everyone else "_slot"))
        return Map(
            self.place((runs - 1) * stride + run_beats), run_beats, runs, stride, width, channels,
            rng.getrandbits(12), min(row, 4095 - rows), rows, rng.getrandbits(4), y, everyone, slot,
        )  # fmt: skip

    def stream(self, most: int = 20) -> Stream:
        """Beats to any memory, without a check."""
        rng = self.rng
        beats = rng.choice([1, 1, 2, rng.randint(1, most)])
        memory = rng.randrange(3)
        self.b.cover("stream", "wet"[memory])
        limits = [rng.getrandbits(8), rng.getrandbits(8), rng.getrandbits(12)]
        return Stream(memory, self.place(beats), beats, rng.getrandbits(12), rng.getrandbits(64), False, *limits)

    def checked(self) -> Stream:
        """Coordinates inside their block, and anything behind them."""
        rng = self.rng
        row, col = (rng.choice([0, 255, rng.getrandbits(8)]) for _ in range(2))
        lanes = self.beat // 2
        beats = rng.randint(1, 4)
        count = rng.choice([0, 1, rng.randint(0, beats * lanes), beats * lanes, beats * lanes + rng.randint(0, 50)])
        kind = "none" if not count else "all" if count == beats * lanes else "more" if count > beats * lanes else "some"
        self.b.cover("coordinates", kind)
        stream = Stream(rng.choice([1, 1, 0]), self.own(beats), beats, rng.getrandbits(12), rng.getrandbits(64), True,
                        row, col, count)  # fmt: skip
        words = self.memory.words(stream.address, beats).reshape(-1, 2)
        used = words[:count]
        used[:, 0] = self.b.np.integers(0, col + 1, len(used))
        used[:, 1] = self.b.np.integers(0, row + 1, len(used))
        if len(used):
            used[rng.randrange(len(used))] = (col, row)
        return stream

    def pointers(self, blocks: int | None = None) -> Pointers:
        """Legal block pointers."""
        rng = self.rng
        if blocks is None:
            blocks = rng.choice([0, 1, rng.randint(0, 40)])
        steps = self.b.np.integers(0, rng.choice([1, 5, (1 << 32) // (blocks + 1)]), blocks)
        values = np.concatenate([[0], np.cumsum(steps)]).astype(np.uint64)
        if blocks and rng.random() < 0.3:
            values[-1] = (1 << 32) - 1
        count = -(-(blocks + 1) * 4 // self.beat)
        address = self.own(count)
        self.numbers(address, count)[: blocks + 1] = values
        return Pointers(address, blocks, int(values[-1]))

    def numbers(self, address: int, beats: int) -> Numbers:
        """Beats as 32-bit numbers, a view."""
        numbers: Numbers = self.memory.words(address, beats).reshape(-1).view(np.dtype("<u4"))
        return numbers

    def descriptor(self) -> Descriptor:
        """A random legal one; checks less often, for they need memory."""
        makers: list[Callable[[], Descriptor]] = [self.window, self.map, self.stream, self.checked, self.pointers]
        make = self.rng.choices(makers, [2, 4, 5, 2, 1])[0]
        return make()

    def send(self, descriptors: list[Descriptor]) -> list[int]:
        """Queue them, with random bits where the table names none; their places."""
        return [self.port.send(each, self.rng.getrandbits(256) & IGNORED[type(each)]) for each in descriptors]

    async def run(self, descriptors: list[Descriptor], clocks: int = 20_000) -> None:
        """All of a legal list, and its comparison."""
        self.side.forget()
        effects = self.side.expected()
        for each in descriptors:
            effects.add(each, self.memory)
        self.send(descriptors)
        await self.b.wait_for(lambda: self.port.errors or not self.port.busy, clocks, "the end of all loads")
        self.b.require(not self.port.errors, f"error {self.port.errors}")
        await self.b.clocks()  # a window has no done, and idle is still high in the clock in which it is taken
        await self.b.wait_for(lambda: self.b.high("idle"), 1000, "idle")
        self.side.compare(effects)


@bench_test(timeout_clocks=40_000)
async def lists(b: Bench) -> None:
    """Descriptors of all kinds, under random pauses everywhere."""
    unit = Unit(b)
    await unit.start()
    await unit.run([unit.window() for _ in range(3)])
    for round_ in range(4):
        unit.free = unit.memory.base
        unit.any_gaps()
        if round_ == 2:
            unit.fast()
        await unit.run([unit.descriptor() for _ in range(b.rng.randint(1, 36 if round_ == 2 else 16))])


@bench_test(timeout_clocks=40_000)
async def long_ones(b: Bench) -> None:
    """Pointers in several runs; in one seed a long stream, and a map of many channels."""
    unit = Unit(b)
    await unit.start()
    unit.fast()
    per_beat = unit.beat // 4
    for beats in (256, b.rng.choice([255, 257, 512, b.rng.randint(258, 700)])):
        unit.free = unit.memory.base
        last = b.rng.randrange(per_beat)
        b.cover("pointers", "whole_runs" if beats % 256 == 0 else "rest")
        await unit.run([unit.pointers((beats - 1) * per_beat + last), unit.stream()])
    unit.free = unit.memory.base
    unit.memory.queue = 1
    await unit.run([unit.pointers(b.rng.randint(256 * 3 * per_beat, 256 * 4 * per_beat)), unit.window(), unit.map()])
    if b.seed == 1:
        everyone = (1 << unit.pes) - 1
        await unit.run([Stream(0, unit.memory.base, 600, 77, everyone), unit.stream()])
        await unit.run([Map(unit.memory.base, 1, 300, 1, 1, 300, 9, 0, 1, all=True)])


# --- errors ---


def wrong_word(unit: Unit, word: int) -> int:
    """Change the opcode to an unknown one."""
    return word & ~0xFF | unit.rng.choice([0x14, 0x00, 0x1F, 0x20, 0x30, 0x93, 0xFF])


def wrong_map(unit: Unit) -> Map:
    """A map with fields that break a rule."""
    rng, good = unit.rng, unit.map()
    fields = {
        "channels": lambda: replace(good, channels=rng.choice([4097, 8191]), rows=1, width=1, run_beats=1, runs=4097),
        "slot": lambda: replace(good, all=False, slot=rng.choice([unit.pes, rng.randint(unit.pes, 255)])),
        "rows": lambda: replace(good, row=4096 - good.rows),
        "far": lambda: replace(good, row=4095, rows=4095),
        "no_channel": lambda: replace(good, channels=0),
        "no_row": lambda: replace(good, rows=0),
        "no_column": lambda: replace(good, width=0),
        "short": lambda: replace(good, run_beats=good.run_beats + 1),
        "long": lambda: replace(good, channels=good.channels + 1),
        "any": lambda: anything(unit),
    }
    name = rng.choice(list(fields))
    unit.b.cover("illegal_map", name)
    bad = fields[name]()
    if name == "channels":
        bad = replace(bad, runs=min(bad.channels, 8192))
    return bad


def anything(unit: Unit) -> Map:
    """Fields of all sizes whose runs do not fit."""
    r = unit.rng.getrandbits
    bad = Map(r(32), r(16) + 1, r(13) + 1, r(20), r(12), r(13), r(12), r(11), r(11), y=bool(r(1)), all=True)
    return replace(bad, width=bad.width ^ (bad.run_beats * bad.runs == bad.channels * bad.rows * bad.width))


def wrong_field(unit: Unit) -> Descriptor:
    """A descriptor with a field that breaks a rule."""
    rng, pes = unit.rng, unit.pes
    beyond = rng.choice([pes, rng.randint(pes, 255), 255])
    kind = rng.choice(["map", "map", "map", "stream", "window_pe", "window_slot"])
    unit.b.cover("illegal", kind)
    if kind == "stream":
        return replace(unit.stream(), memory=3)
    if kind == "window_pe":
        return replace(unit.window(), pe=beyond)
    if kind == "window_slot":
        return replace(unit.window(), slot=beyond)
    return wrong_map(unit)


def with_beats(unit: Unit) -> Map | Stream | Pointers:
    """One that reads memory nobody else does."""
    makers: list[Callable[[], Map | Stream | Pointers]] = [unit.map, unit.stream, unit.checked, unit.pointers]
    make = unit.rng.choice(makers)
    made = make()
    while isinstance(made, Map | Stream) and made.address < unit.free and not (isinstance(made, Stream) and made.check):
        made = make()
    return made


def outside(unit: Unit) -> Descriptor:
    """A read that the port refuses."""
    good, rng = with_beats(unit), unit.rng
    if rng.random() < 0.5:
        unit.b.cover("refused", "misaligned")
        return replace(good, address=good.address | rng.randrange(1, unit.beat))
    unit.b.cover("refused", "outside")
    if isinstance(good, Pointers) and rng.random() < 0.5:
        good = replace(good, blocks=rng.randrange(1 << 19, 1 << 20))
    start, end = unit.memory.base, unit.memory.base + SIZE
    return replace(good, address=start - unit.beat if start and (end >> 32 or rng.random() < 0.5) else end)


def faulty(unit: Unit, error: int) -> Descriptor:
    """A read with an error at some beat; all descriptors before have been made."""
    good, rng = with_beats(unit), unit.rng
    if isinstance(good, Map):
        offset = rng.randrange(good.runs) * good.run_stride + rng.randrange(good.run_beats)
    elif isinstance(good, Stream):
        offset = rng.randrange(good.beats)
    else:
        offset = rng.randrange((good.blocks + 1) * 4 + unit.beat - 1) // unit.beat
        offset = min(offset, good.blocks * 4 // unit.beat)
    unit.memory.read_faults[good.address + offset * unit.beat] = error
    unit.b.cover("fault", type(good).__name__.lower())
    return good


def bad_pointers(unit: Unit) -> Descriptor:
    """Pointers that break one rule."""
    rng = unit.rng
    rule = rng.choice(["start", "end", "fall"])
    good = unit.pointers(rng.choice([2, rng.randint(2, 30)] if rule == "fall" else [0, 1, 2, rng.randint(2, 30)]))
    values = unit.numbers(good.address, -(-(good.blocks + 1) * 4 // unit.beat))
    unit.b.cover("pointers", rule)
    if rule == "end":
        return replace(good, elements=good.elements ^ 1 << rng.randrange(32))
    if rule == "start":
        if good.blocks == 0:
            values[0] = good.elements + 1
            return replace(good, elements=good.elements + 1)
        values[0] = 1
        values[1 : good.blocks + 1] = np.maximum(values[1 : good.blocks + 1], 1)
        return replace(good, elements=int(values[good.blocks]))
    at = rng.randrange(1, good.blocks)
    high = rng.choice([1, 1 << 31, 1 << 20]) + rng.getrandbits(4)
    values[1 : at + 1] = high
    values[at + 1 : good.blocks + 1] = high - 1
    return replace(good, elements=high - 1)


def bad_coordinate(unit: Unit) -> Descriptor:
    """One coordinate beyond its block."""
    rng, good = unit.rng, unit.checked()
    while not good.coordinates or min(good.row_max, good.col_max) == 255:
        good = unit.checked()
    words = unit.memory.words(good.address, good.beats).reshape(-1, 2)
    at = rng.choice([0, rng.randrange(good.coordinates), good.coordinates - 1]) % len(words)
    limits = (good.col_max, good.row_max)
    axis = rng.choice([n for n in range(2) if limits[n] < 255])
    unit.b.cover("beyond", ["col", "row"][axis])
    words[at, axis] = rng.choice([limits[axis] + 1, 255])
    return good


@bench_test(timeout_clocks=60_000)
async def errors(b: Bench) -> None:
    """Every cause, somewhere in a list; another error behind it is not reported, and nothing wrong came before."""
    unit = Unit(b)
    await unit.start()
    makers: dict[Cause, Callable[[], Descriptor]] = {
        Cause.OPCODE: unit.descriptor,
        Cause.FIELD: lambda: wrong_field(unit),
        Cause.ADDRESS: lambda: outside(unit),
        Cause.READ_SLVERR: lambda: faulty(unit, 2),
        Cause.READ_DECERR: lambda: faulty(unit, 3),
        Cause.POINTERS: lambda: bad_pointers(unit),
        Cause.COORDINATE: lambda: bad_coordinate(unit),
    }
    causes = [*makers, Cause.FIELD, Cause.FIELD, Cause.FIELD, Cause.ADDRESS, Cause.POINTERS, Cause.COORDINATE]
    for cause in causes:
        await unit.start()
        unit.fast()
        if b.rng.random() < 0.6:
            unit.any_gaps()
        before: list[Descriptor] = [
            unit.checked() if b.rng.random() < 0.3 else unit.window() for _ in range(b.rng.randint(0, 3))
        ]
        before += [unit.pointers() for _ in range(b.rng.choice([0, 0, 1]))]
        b.rng.shuffle(before)
        bad = makers[cause]()
        others = [unit.map(), unit.stream()]
        faults = set(unit.memory.read_faults)
        before += [each for each in others if not faults]
        after: list[Descriptor] = [unit.descriptor() for _ in range(2)] + [wrong_field(unit)]
        effects = unit.side.expected()
        for each in before:
            effects.add(each, unit.memory)
        counted = len(effects.counts)
        unit.send(before)
        unknown = cause is Cause.OPCODE
        index = unit.port.send_word(wrong_word(unit, pack(bad))) if unknown else unit.send([bad])[0]
        if cause not in (Cause.OPCODE, Cause.FIELD, Cause.ADDRESS):
            effects.add(bad, unit.memory)
        unit.send(after)
        b.cover("cause", int(cause))
        b.cover("error", "first" if not before else "later")
        b.equal("error", await unit.port.until_error(), [int(cause), index])
        b.require(unit.port.done <= counted, "the operation with the error is done")
        if cause in (Cause.OPCODE, Cause.FIELD, Cause.ADDRESS):
            unit.side.compare(effects, whole=False)


@bench_test(timeout_clocks=40_000)
async def resets(b: Bench) -> None:
    """Resets at any time, also right after an error; then everything is as new but the windows."""
    unit = Unit(b)
    await unit.start()
    for _ in range(4):
        unit.any_gaps()
        unit.send([unit.descriptor() for _ in range(10)])
        if b.rng.random() < 0.3:
            unit.send([wrong_field(unit)])
        await b.clocks(b.rng.randint(1, 300))
        b.cover("reset", "idle" if b.high("idle") else "running")
        await unit.start()
        await unit.run([unit.descriptor() for _ in range(3)])
    await unit.start()
    b.cover("reset", "idle")


# --- clocks ---


@bench_test(timeout_clocks=20_000)
async def latencies(b: Bench) -> None:
    """One operation at a time, in the clocks that the header promises."""
    unit = Unit(b)
    await unit.start()
    unit.side.record = True
    unit.fast()
    events, stages = unit.side.events, unit.stages
    everything = Window(0, 0, (0, 4095), (0, 4095), (0, 4095), (0, 4095))

    async def one(descriptor: Descriptor) -> tuple[int, dict[str, list[int]]]:
        unit.port.finished.clear()
        await unit.run([descriptor])
        return unit.port.taken[-1], unit.side.events

    taken, events = await one(everything)
    b.equal("window", [clock - taken for clock in events["window_valid"]], range(7, 12))
    for beats in (1, b.rng.randint(2, 9)):
        taken, events = await one(replace(unit.stream(), address=unit.place(beats), beats=beats))
        b.equal(
            "stream",
            [events["rd_cmd_valid"][0] - taken, len(events["rd_ready"])],
            [1, beats, *[1] * beats, max(4, stages + 2)],
        )
        b.got("stream", [s - r for s, r in zip(events["stream_valid"], events["rd_ready"], strict=True)])
        b.got("stream", unit.port.finished[0] - events["rd_ready"][-1])
        taken, events = await one(Map(unit.place(beats), beats, 1, 0, beats, 1, 0, 0, 1, all=True))
        b.equal("map", events["map_cmd_valid"][0] - taken, [7, 0, 1])
        b.got("map", events["map_ready"][-1] - events["rd_ready"][-1])
        b.got("map", events["done"][0] - events["map_done"][0])
    taken, events = await one(unit.pointers(20))
    b.equal("pointers", events["done"][0] - events["rd_ready"][-1], max(4, stages + 2))
    unit.send([replace(unit.pointers(2), elements=(1 << 32) - 2)])
    unit.side.forget()
    await b.wait_for(lambda: unit.port.errors, 100, "the error")
    b.equal("error", unit.port.errors[0][2] - unit.side.events["rd_ready"][-1], 4)


@bench_test(timeout_clocks=20_000)
async def rates(b: Bench) -> None:
    """A memory that answers late, but many at a time: streams and maps follow each other without gaps."""
    unit = Unit(b, SteadyMemory)
    await unit.start()
    unit.side.record = True
    unit.fast()
    unit.memory.latency, unit.memory.queue = 20, 64
    for beats in (1, 2, 3, b.rng.randint(4, 9)):
        await unit.run([replace(unit.stream(), address=unit.place(beats), beats=beats) for _ in range(40)])
        clocks = unit.side.events["stream_valid"]
        b.equal(f"streams of {beats}", len(clocks), 40 * beats)
        most = 40 * beats + (40 if beats == 1 else 0)
        b.require(
            clocks[-1] - clocks[0] < most, f"40 streams of {beats} beats take {clocks[-1] - clocks[0] + 1} clocks"
        )
    words = unit.stages + 8
    for runs in (1, words):
        maps = [Map(unit.place(words), words // runs, runs, 1, words, 1, 0, 0, 1, all=True) for _ in range(10)]
        await unit.run([*maps])
        clocks = unit.side.events["map_ready"]
        b.equal("maps", clocks[-1] - clocks[0] + 1, 10 * words)
