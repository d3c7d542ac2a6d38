# SPDX-License-Identifier: Apache-2.0
"""A drain_store between its queue, a grid and a memory: random drains, and their model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.lib.fixed_point import IntArray
from models.pe_array.isa.channel_records import Records, record_bytes, unpack_records
from models.pe_array.isa.descriptors import MULTIPLIER_MAX, ONE, Cause, Drain, Output, Scales
from models.pe_array.network.drain_pooling import WINDOW, pooled, spread
from models.pe_array.network.requantise import AccumulatorField, DrainSettings, Numbers, RandomLanes, requantise
from tb.lib import values
from tb.lib.bench import Bench
from tb.lib.ports import Tally
from tb.pe_array.drivers.descriptor_port import DescriptorPort
from tb.pe_array.drivers.drain_side import DrainSide, drain_command
from tb.pe_array.drivers.hdl_widths import has_multipliers, widths_of
from tb.pe_array.drivers.port_memory import ByteWords, PortMemory, as_signed

PES = 64


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


def large_offsets(output: Output) -> IntArray:
    """Beats of the large map that a pooled one of this pattern is spread to."""
    return offsets(
        replace(
            output, run_beats=2 * output.run_beats, runs=2 * output.runs, run_stride=2 * output.run_stride,
            group_stride=4 * output.group_stride,
        )
    )  # fmt: skip


class DrainUnit:
    """A drain_store between its queue, a grid and a memory, and their model."""

    def __init__(self, b: Bench, size: int = 1 << 17) -> None:
        self.b, self.beat = b, int(b.params["B"])
        base = b.rng.randrange(1 << 16) << 16 if b.rng.random() < 0.8 else (1 << 32) - size
        base = min(base, (1 << 32) - size)
        self.memory = PortMemory(b, base, size)
        self.port, self.side = DescriptorPort(b), DrainSide(b, PES)
        self.bits, self.multiplies = widths_of(b).data, has_multipliers(b)
        if not self.multiplies:  # records that a unit without multipliers takes
            words = self.memory.data[: size // 2].reshape(-1, 8)
            words[:, 4:7] = list(ONE.to_bytes(3, "little"))
        self.scales = Scales()
        self.random = RandomLanes(self.beat, 0, int(b.params["LANE_BASE"]))
        self.expected = Expected(self.memory.data.copy())
        self.tally = Tally(b, "clipped")

    async def start(self) -> None:
        """Reset and load a seed."""
        seed = self.b.rng.getrandbits(16)
        self.b.drive(seed=seed, seed_load=1)
        await self.b.reset()
        self.b.drive(seed_load=0)
        self.random.load(seed)
        self.scales = Scales()
        self.memory.writes.clear()
        self.memory.answers = self.expected.clipped = 0
        self.tally.clear()
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

    def any_scales(self, drain: Drain, beside: str | None = None) -> Scales:
        """Random scales for a drain, with what is read besides: "nothing", "addend", "biases", "full", or any."""
        b, rng, small = self.b, self.b.rng, values.signed(self.b, 8, 4).tolist()
        beside = beside or rng.choice(["nothing", "addend", "biases", "full"])
        kind = {"biases": Records.BIASES, "full": Records.FULL}.get(beside, Records.NONE)
        address = rng.getrandbits(32)
        if kind is not Records.NONE:
            size = record_bytes(kind)
            room = len(self.memory.data) // 2 // size - drain_command(drain).maps - 100  # for longer drains behind it
            address = self.memory.base + rng.randint(0, room) * size
        return Scales(
            kind, address, int(values.signed(b, 32, 1)[0]), self.multiplier(), rng.randrange(16), rng.random() < 0.5,
            small[0], rng.choice([-128, small[1]]), rng.choice([127, small[2]]), rng.random() < 0.3,
            beside == "addend", small[3], self.multiplier(), rng.choice([0, 1, rng.randrange(32)]),
            rng.random() < 0.5,
        )  # fmt: skip

    def multiplier(self) -> int:
        """A multiplier, 1.0 of a unit without any."""
        rng = self.b.rng
        return rng.choice([ONE, MULTIPLIER_MAX, rng.randint(0, MULTIPLIER_MAX)]) if self.multiplies else ONE

    def pooling(self, kind: str) -> tuple[Output, Drain]:
        """A drain that pools, "largest" or with "places", or that "spreads", and its settings."""
        rng = self.b.rng
        drain = self.drain(96 if kind != "spread" else 40)
        while kind != "spread" and (drain.height | drain.width | drain.tile_height | drain.tile_width) & 1:
            drain = self.drain(96)
        drain = replace(drain, windows=kind != "spread", index=kind != "largest", limited=rng.random() < 0.5)
        words = drain_command(drain).words
        if kind != "spread":
            output = self.output(words // WINDOW, use_mask=False)
            results, places = set((offsets(output) + output.address // self.beat).tolist()), set[int]()
            while not places or not results.isdisjoint(places):  # both where writes go: records are in the lower half
                output = replace(output, mask=self.place(output, True))
                places = set((offsets(output) + output.mask // self.beat).tolist())
            return output, drain
        output = self.output(words, use_mask=False)
        row = drain.width + rng.randint(0, 3)
        output = replace(
            output, run_beats=drain.width, runs=drain.height, run_stride=row, groups=drain_command(drain).maps,
            group_stride=row * drain.height + rng.randint(0, 3),
        )  # fmt: skip
        half = len(self.memory.data) // 2
        room = half // self.beat - int(large_offsets(output).max()) - 1
        address = self.memory.base + half + rng.randint(0, room) * self.beat
        return replace(output, address=address, mask=self.place(output, False)), drain

    def place(self, output: Output, upper: bool) -> int:
        """An address where a pattern fits: of writes in the upper half of memory, of masks in the lower one."""
        half = len(self.memory.data) // 2
        room = half // self.beat - int(offsets(output).max()) - 1
        self.b.require(room >= 0, f"{output} does not fit")
        return self.memory.base + half * upper + self.b.rng.randint(0, room) * self.beat

    def _records(self, drain: Drain) -> tuple[Numbers, Numbers, Numbers]:
        """Bias, multiplier and shift, of all words or of each, (words, 1)."""
        scales, kind = self.scales, Records(self.scales.records)
        self.b.cover("records", kind.name.lower())
        if kind is Records.NONE:
            return scales.bias, scales.multiplier, self.settings.shift
        start = scales.address - self.memory.base
        data = self.expected.data[start : start + drain_command(drain).maps * record_bytes(kind)]
        read = unpack_records(data.copy(), kind, scales.multiplier, self.settings.shift)
        pixels = drain.height * drain.width
        self.b.cover("record", "of_a_pixel" if pixels == 1 else "of_several")
        bias, multiplier, shift = (np.repeat(x, pixels)[:, None] for x in (read.biases, read.multipliers, read.shifts))
        return bias, multiplier, shift

    def result(self, output: Output, drain: Drain, accumulators: IntArray) -> None:
        """A drain in the model."""
        b, addresses = self.b, offsets(output) * self.beat - self.memory.base
        where = (addresses + output.address)[:, None] + np.arange(self.beat)
        of_mask = (addresses + output.mask)[:, None] + np.arange(self.beat)
        field = AccumulatorField(output.field)
        stochastic = output.stochastic and field is AccumulatorField.SUM
        random = self.random.take(len(accumulators)) if stochastic else None
        beside = as_signed(self.expected.data[of_mask])
        bias, multiplier, shift = self._records(drain)
        scales = self.scales
        settings = DrainSettings(
            shift, output.relu, field, self.bits, bias, scales.bias_shift, multiplier, scales.zero, scales.low,
            scales.high, scales.even, scales.mask_high, scales.addend_zero, scales.addend_multiplier,
            scales.addend_shift, scales.near_half,
        )  # fmt: skip
        y, clipped = requantise(
            accumulators, settings, random, beside if output.use_mask else None, beside if scales.addend else None
        )
        if drain.windows:
            y, places = pooled(y, output.relu, scales.high if drain.limited else None)
            if drain.index:
                self.expected.data[of_mask] = places.astype(np.uint8)
        elif drain.index:
            y = spread(y, self.expected.data[of_mask], output.run_beats)
            where = (large_offsets(output) * self.beat - self.memory.base + output.address)[:, None]
            where = where + np.arange(self.beat)
        self.expected.data[where] = y.astype(np.int8).view(np.uint8)
        b.cover("pool", ("none", "spread", "largest", "places")[2 * drain.windows + drain.index])
        self.expected.clipped += int(clipped.sum())
        b.cover("field", field.name.lower())
        b.cover("map", "mask" if output.use_mask else "addend" if scales.addend else "none")
        b.cover("run", "one" if output.runs == output.groups == 1 else "groups" if output.groups > 1 else "runs")

    def send(self, output: Output | None, drain: Drain, scales: Scales | None = None) -> None:
        """Queue settings and a drain, or a drain with the settings it had before."""
        if scales is not None:
            self.scales = scales
            self.port.send(scales)
        if output is not None:
            self.settings = output
            self.port.send(output)
        self.port.send(drain)
        self.result(self.settings, drain, self.side.expect(drain))

    def any_gaps(self) -> None:
        """Other patterns at all handshakes."""
        self.memory.any_gaps()
        for each in (self.port, self.side):
            each.gaps.any()

    async def compare(self) -> None:
        """Wait for the end and compare all of memory."""
        await self.port.until_done()
        await self.b.clocks(2)  # clipped values are counted one clock late
        self.b.equal("clipped", self.tally.sums["clipped"], self.expected.clipped)
        self.b.equal("memory", int((self.memory.data != self.expected.data).sum()), 0)
        self.b.equal("answers", self.memory.answers, len(self.memory.writes))

    async def fails(self, cause: Cause, index: int) -> None:
        """An error is reported; after a reset, all is as new."""
        done = self.port.done
        self.b.equal("error", await self.port.until_error(shut=True), [cause, index])
        self.b.require(self.port.done == done, "what had an error is done all the same")
        await self.start()
