# SPDX-License-Identifier: Apache-2.0
"""Layers in memory for the bench of pe_array: what a program reads at the bottom, what it writes at the top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from models.pe_array.compiler import program
from models.pe_array.compiler.assemble import Places, assemble, chain
from models.pe_array.compiler.output_pattern import MapAt, OutputAt
from models.pe_array.isa import descriptors as d
from models.pe_array.isa.channel_records import Records, pack_biases, pack_records
from models.pe_array.isa.csb import Csb, beat_offsets, encode
from models.pe_array.isa.encoding import pack
from models.pe_array.isa.grid import Grid
from models.pe_array.isa.operations import After, CommandField, ComputeTiles, Program, SetField
from models.pe_array.isa.pe_command import PeShape
from models.pe_array.isa.shapes import Conv, Pool
from models.pe_array.isa.widths import POOL_BEATS
from models.pe_array.network.requantise import AccumulatorField
from models.pe_array.tiles.tiling import Split
from tb.lib import values
from tb.lib.bench import Bench
from tb.pe_array.drivers.array_host import fill
from tb.pe_array.drivers.hdl_widths import has_multipliers, has_softmax, widths_of

KINDS = ("ff", "ng", "wg", "learn", "max_pool", "unpool", "average", "average_backward")


def grid_of(b: Bench) -> Grid:
    """The grid of this build."""
    p = {name: int(value) for name, value in b.params.items()}
    depths = (p["X_DEPTH"], p["Y_DEPTH"], p["W_DEPTH"], p["E_DEPTH"], p["T_DEPTH"])
    return Grid(p["P"], PeShape(p["B"], p["ACC"], *depths), 2 if p.get("BUS", 0) > 8 * p["B"] else 1)


class CaseMemory:
    """A memory with layers and programs, everywhere else random.

    Attributes:
        data: uint8.
        base: address of its first byte.
        first, last: bytes that programs may use; 64 bytes before and behind are closed to them.
        low, high: first free address of what is only read, and first address of what is written.
    """

    def __init__(self, b: Bench) -> None:
        self.b, self.grid = b, grid_of(b)
        self.lanes, self.widths = self.grid.shape.lanes, widths_of(b)
        size = self.lanes * int(b.params["WORDS"])
        self.data = b.np.integers(0, 256, size).astype(np.uint8)
        last = (1 << 32) - size
        self.base = b.rng.choice([0, last, b.rng.randrange(0, last, 4096)])
        self.first, self.last = self.base + 64, self.base + size - 65
        self.empty()

    def empty(self) -> None:
        """Forget where everything is."""
        self.low, self.high = self.first, self.last + 1

    @property
    def windows(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """(first, last) byte for reading and for writing; where nothing is written that window is closed."""
        return (self.first, self.last), (self.high, self.last)

    def put(self, array: np.ndarray | bytes, written: bool = False) -> int:
        """Address of a copy of an array, which programs write or only read."""
        raw = array if isinstance(array, bytes) else np.ascontiguousarray(array).tobytes()
        room = -(-len(raw) // 64) * 64 + 64 * self.b.rng.randint(0, 1)
        if self.low + room > self.high:
            raise ValueError("the memory is full")
        if written:
            self.high -= room
            address = self.high
        else:
            address, self.low = self.low, self.low + room
        at = address - self.base
        self.data[at : at + len(raw)] = np.frombuffer(raw, dtype=np.uint8)
        return address

    def words(self, *size: int) -> np.ndarray:
        """A random map, with extremes."""
        shape = (*size, self.lanes)
        drawn, extreme = self.b.np.integers(-128, 128, shape), self.b.np.choice([-128, 127, 0], shape)
        return np.where(self.b.np.random(shape) < self.b.rng.choice([0.1, 1.0]), extreme, drawn).astype(np.int8)

    def map(self, channels: int, height: int, width: int) -> MapAt:
        """A random map that programs read."""
        size = (channels, height, width)
        return MapAt(self.put(self.words(*size)), *size)

    def out(self, channels: int, height: int, width: int) -> MapAt:
        """Room for a map that programs write."""
        size = (channels, height, width)
        return MapAt(self.put(self.words(*size), written=True), *size)

    def output(self, at: MapAt, most: int = 14) -> OutputAt:
        """Random settings for what becomes of accumulators."""
        rng = self.b.rng
        mask = self.map(at.channels, at.height, at.width).address if rng.random() < 0.4 else None
        return OutputAt(at, rng.randint(0, most), AccumulatorField.SUM, rng.random() < 0.4, rng.random() < 0.5, mask)

    def matrix(self, conv: Conv, density: float, block: tuple[int, int]) -> Csb:
        """Random weights."""
        mask = conv.allowed() & (self.b.np.random((conv.rows, conv.cols)) < density)
        limit = 1 << self.widths.master - 1
        masters = self.b.np.integers(-limit, limit, (conv.rows, conv.cols, *conv.kernel))
        return encode(masters * mask[:, :, None, None], mask, *block, widths=self.widths)

    def places(self, made: Program, x: MapAt, csb: Csb | None = None, **other: Any) -> Places:
        """Where a program finds its data."""
        arrays: dict[str, Any] = {"literals": self.put(made.literals)}
        if made.image is not None:
            names = ("pointers", "coordinates", "values")
            arrays |= {name: self.put(getattr(made.image, name)) for name in names} | {"csb": csb}
        return Places(x, **(arrays | other))

    def fitting(self, make: Callable[[Split | None], Program], most: int) -> Program:
        """A program on a random split of at most so many entries in a PE; ValueError if there is none."""
        made = make(self.b.rng.choice([None, *Split.all_of(self.grid.pes)]))
        if entries(made, self.grid.pes) > most:
            raise ValueError("too long")
        return made

    def convolution(self, kind: str, most: int) -> list[d.Descriptor]:
        """A random convolution in one phase; after WG the weights are updated."""
        rng, groups = self.b.rng, self.b.rng.choice([1, 1, 2])
        conv = Conv(
            kernel=(rng.choice([1, 2, 3]), rng.choice([1, 2, 3, 5])),
            stride=(rng.randint(1, 2), rng.randint(1, 2)),
            pad=(rng.randint(0, 2), rng.randint(0, 2), rng.randint(0, 1), rng.randint(0, 1)),
            dilation=(rng.randint(1, 2), rng.randint(1, 2)),
            rows=groups * rng.randint(1, 9), cols=groups * rng.randint(1, 9), groups=groups,
        )  # fmt: skip
        if rng.random() < 0.3:
            conv = Conv.make(rng.randint(1, 40), rng.randint(1, 30))  # fully connected
        height, width = rng.choice([(1, 1), (rng.randint(1, 9), rng.randint(1, 9))])
        csb = self.matrix(
            conv, rng.choice([0.0, 0.2, 0.5, 1.0]), (rng.randint(1, conv.rows), rng.randint(1, conv.cols))
        )
        if kind == "learn":
            return self.learning(self.phase("wg", conv, height, width, csb, most))
        return self.phase(kind, conv, height, width, csb, most)

    def phase(self, kind: str, conv: Conv, height: int, width: int, csb: Csb, most: int) -> list[d.Descriptor]:
        """A phase of a convolution of a random map."""
        source, result = (conv.cols, height, width), (conv.rows, *conv.out_size(height, width))
        geometry = height, width, self.grid
        if kind == "wg":
            made = self.fitting(lambda split: program.weight_gradient(conv, csb, *geometry, split), most)
            at = self.put(self.weights(csb), written=True)
            places = self.places(made, self.map(*source), csb, operand=self.map(*result), gradients=at)
            return [*assemble(made, places, self.lanes, self.grid.wide), *self.update(csb, at, made)]
        preset = self.preset()
        if kind == "ff":
            made = self.fitting(lambda split: program.forward(conv, csb, *geometry, split, preset), most)
        else:
            made = self.fitting(lambda split: program.input_gradient(conv, csb, *geometry, split, preset), most)
            source, result = result, source
        begin = None if preset is None else self.map(*result)
        outputs = (self.output(self.out(*result)),)
        places = self.places(made, self.map(*source), csb, operand=begin, outputs=outputs)
        return assemble(made, places, self.lanes)

    def preset(self) -> int | None:
        """Shift of a map that the sums begin with (residual addition), or None."""
        preset = self.b.rng.choice([None, 0, self.b.rng.randint(1, 15)])
        self.b.cover("sums", "from_0" if preset is None else "from_map")
        return preset

    def small(self) -> list[d.Descriptor]:
        """A program with every kind of descriptor, of a few hundred clocks."""
        conv = Conv.make(3, 4, kernel=2)
        csb = self.matrix(conv, 1.0, (2, 3))
        layers = [self.phase(kind, conv, 3, 3, csb, 10_000) for kind in ("ff", "wg")]
        return chain([*layers, self.scaled_drain("full"), self.delta()])

    def weights(self, csb: Csb) -> np.ndarray:
        """Random numbers in the layout of the masters: uint8."""
        beats = int(beat_offsets(csb.pointers, csb.shape.weights, self.grid.beat)[-1]) * 4
        return self.b.np.integers(0, 256, beats * self.grid.beat).astype(np.uint8)

    @staticmethod
    def learning(wg: Sequence[d.Descriptor]) -> list[d.Descriptor]:
        """A WG whose gradients go at once to the update that it ends with; ValueError where they cannot."""
        *phase, update = wg
        if not isinstance(update, d.Update) or any(isinstance(each, d.Collect) and each.add for each in phase):
            raise ValueError("no update, or gradients of several strips")
        learn = d.Learn(
            update.masters, update.weights, update.shift, update.stochastic, update.decay, update.momenta,
            update.nesterov, update.weight_decay,
        )  # fmt: skip
        return [learn.behind(each.after) if isinstance(each, d.Collect) else each for each in phase]

    def update(self, csb: Csb, gradients: int, made: Program) -> list[d.Update]:
        """New weights, when all gradients are there, unless there are none."""
        rng, momenta = self.b.rng, self.weights(csb)
        beat = self.grid.beat
        beats = len(momenta) // beat // 4
        if not beats:
            return []
        masters = self.b.np.integers(-(1 << 23), 1 << 23, beats * beat).astype(np.int32)
        stores = sum(1 for each in made.stores())
        return [
            d.Update(
                gradients, self.put(masters, True), self.put(self.weights(csb)[: beats * beat], True), beats,
                rng.choice([0, rng.randint(1, 16), rng.randint(1, 31)]), rng.random() < 0.5,
                rng.choice([0, rng.randint(1, 15)]), self.put(momenta, True), rng.random() < 0.5,
                rng.choice([0, rng.randint(1, 31)]), after=After(stores=stores),
            )
        ]  # fmt: skip

    def pooling(self, kind: str, most: int) -> list[d.Descriptor]:
        """A random pooling layer, forward or backward."""
        rng = self.b.rng
        pool = Pool.make((rng.randint(1, 3), rng.randint(1, 3)), rng.choice([None, 1, 2]), rng.randint(0, 1))
        channels, height, width = rng.randint(1, 9), rng.randint(1, 9), rng.randint(1, 9)
        size, back = (channels, *pool.out_size(height, width)), (channels, height, width)
        geometry = channels, height, width, self.grid
        if kind == "max_pool":
            made = self.fitting(lambda split: program.max_pool(pool, *geometry, split), most)
            outputs = tuple(
                OutputAt(self.out(*size), 7, field) for field in (AccumulatorField.VALUE, AccumulatorField.INDEX)
            )
            return assemble(made, self.places(made, self.map(*back), outputs=outputs), self.lanes)
        if kind == "unpool":
            made = self.fitting(lambda split: program.max_unpool(pool, *geometry, split), most)
            index = self.b.np.integers(0, pool.kernel[0] * pool.kernel[1], (*size, self.lanes)).astype(np.uint8)
            operand, to = MapAt(self.put(index), *size), self.output(self.out(*back), 2)
            return assemble(made, self.places(made, self.map(*size), operand=operand, outputs=(to,)), self.lanes)
        multiplier, backward, preset = rng.randint(1, 127), kind == "average_backward", self.preset()
        made = self.fitting(
            lambda split: program.average_pool(pool, *geometry, multiplier, backward, split, preset), most
        )  # fmt: skip
        source, target = (size, back) if backward else (back, size)
        begin = None if preset is None else self.map(*target)
        places = self.places(made, self.map(*source), operand=begin, outputs=(self.output(self.out(*target)),))
        return assemble(made, places, self.lanes)

    def layer(self, kind: str, most: int = 400) -> list[d.Descriptor]:
        """A random layer that fits, of at most so many entries in the busiest PE."""
        make = self.convolution if kind in ("ff", "ng", "wg", "learn") else self.pooling
        for _ in range(1000):
            low, high = self.low, self.high
            try:
                return make(kind, most)
            except ValueError:
                self.low, self.high = low, high
        raise ValueError(f"no room for a layer of kind {kind}")

    def garbage(self) -> list[d.Descriptor]:
        """Fills all memories of the PEs."""
        return fill(self.grid, lambda depth: self.map(1, 1, depth).address)

    def delta(self) -> list[d.Descriptor]:
        """Deltas of random logits."""
        classes = self.b.rng.choice([1, 10, self.b.rng.randint(2, 40)])
        labels = self.b.np.integers(0, 40, self.lanes).astype(np.uint8)
        logits, output = self.map(classes, 1, 1), self.out(classes, 1, 1)
        softmax = self.b.rng.random() < 0.5 and has_softmax(self.b)
        return [d.Delta(logits.address, self.put(labels), output.address, classes, softmax)]

    def multipliers(self, count: int) -> np.ndarray:
        """Multipliers of outputs, 1.0 in an array without any."""
        some = self.b.np.integers(0, d.MULTIPLIER_MAX + 1, 6)
        drawn = self.b.np.choice([d.ONE, d.MULTIPLIER_MAX, 0, 1, *some], count)
        return drawn if has_multipliers(self.b) else np.full(count, d.ONE)

    def scales(self, beside: str, channels: int) -> d.Scales:
        """Random scales of so many channels at most.

        Args:
            beside: what drains read besides: "addend", "biases" or "full" records; else nothing or a mask.
            channels: for which there are records.
        """
        rng, small = self.b.rng, values.signed(self.b, 8, 4).tolist()
        kind, address = {"biases": Records.BIASES, "full": Records.FULL}.get(beside, Records.NONE), rng.getrandbits(32)
        if kind is not Records.NONE:
            before = rng.randrange(self.lanes // 4 if kind is Records.BIASES else self.lanes // 8)
            biases = values.signed(self.b, 32, before + channels)
            shifts = self.b.np.integers(0, 32, len(biases))
            full = kind is Records.FULL
            raw = pack_records(biases, self.multipliers(len(biases)), shifts) if full else pack_biases(biases)
            address = self.put(raw) + before * len(raw) // len(biases)
        one, other = self.multipliers(2).tolist()
        return d.Scales(
            kind, address, int(values.signed(self.b, 32, 1)[0]), one, rng.randrange(16), rng.random() < 0.5, small[0],
            rng.choice([-128, small[1]]), rng.choice([127, small[2]]), rng.random() < 0.3, beside == "addend", small[3],
            other, rng.randrange(32), rng.random() < 0.5,
        )  # fmt: skip

    def scaled_drain(self, beside: str | None = None) -> list[d.Descriptor]:
        """Some words of a PE, scaled in any way; behind it nothing is scaled any more."""
        rng = self.b.rng
        beside = beside or rng.choice(["nothing", "mask", "addend", "biases", "full"])
        channels, width = rng.choice([1, rng.randint(1, 20)]), rng.choice([1, rng.randint(1, 9)])
        at, other = self.out(channels, 1, width), self.map(channels, 1, width)
        output = d.Output(
            at.address, channels * width, mask=other.address, shift=rng.randrange(32),
            field=rng.choice([0, 0, 0, 1, 2]), stochastic=rng.random() < 0.3, relu=rng.random() < 0.3,
            use_mask=beside == "mask",
        )  # fmt: skip
        drain = d.Drain(1, channels, channels, 1, width, 1, width, ybase=rng.randrange(4096), ystride=width)
        return [self.scales(beside, channels), output, drain, d.Scales()]

    def pooled_drain(self, kind: str | None = None) -> list[d.Descriptor]:
        """A map that is pooled, "largest" or with "places", or a pooled one that is spread."""
        rng = self.b.rng
        kind = kind or rng.choice(["largest", "places", "spread"])
        channels, height = rng.choice([1, rng.randint(1, 6)]), rng.randint(1, 4)
        width = rng.choice([1, rng.randint(1, 9)])
        runs = d.Output(0, width, height, width, channels, height * width, shift=rng.randrange(32), relu=True)
        if kind == "spread":
            output = replace(
                runs,
                address=self.out(channels, 2 * height, 2 * width).address,
                mask=self.map(channels, height, width).address,
            )
            sides = height, width
        else:
            beats = rng.choice([n for n in range(1, POOL_BEATS + 1) if channels * height * width % n == 0])
            one = replace(runs, run_beats=beats, runs=channels * height * width // beats, run_stride=beats, groups=1)
            output = rng.choice([runs, one])
            output = replace(
                output,
                address=self.out(channels, height, width).address,
                mask=self.out(channels, height, width).address,
            )
            sides = 2 * height, 2 * width
        drain = d.Drain(
            1, channels, channels, *sides, *sides, ybase=rng.randrange(4096), ystride=rng.randrange(64),
            windows=kind != "spread", index=kind != "largest", limited=rng.random() < 0.5,
        )  # fmt: skip
        beside = "nothing" if kind == "spread" else rng.choice(["nothing", "biases", "full"])
        return [self.scales(beside, channels), output, drain, d.Scales()]

    def program(self, made: list[d.Descriptor]) -> int:
        """Address of a program; bits that nothing names are random."""
        words = [pack(each) | self.b.rng.getrandbits(256) & d.unnamed(each.opcode) for each in made]
        return self.put(b"".join(word.to_bytes(d.BYTES, "little") for word in words))


def entries(made: Program, pes: int) -> int:
    """Entries that the busiest PE issues."""
    own = [dict.fromkeys(CommandField, 0) for _ in range(pes)]
    counts = [0] * pes
    for operation in made.operations:
        if isinstance(operation, SetField):
            for pe in range(pes):
                if operation.pes >> pe & 1:
                    own[pe][operation.field] = operation.value
        elif isinstance(operation, ComputeTiles):
            for pe, each in enumerate(own):
                counts[pe] += max(1, each[CommandField.CLEAR] + each[CommandField.ELEMENTS] * each[CommandField.TAPS])
    return max(counts)
